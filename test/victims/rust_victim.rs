// Rust: scoped threads, channels, a shared map behind a lock, a panic caught
// after the checkpoint, and thread-local data.
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::Duration;

thread_local!(static MINE: RefCell<String> = RefCell::new(String::new()));

fn wait_go() {
    let path = std::env::var("VICTIM_GO").unwrap();
    for _ in 0..4500 {
        if Path::new(&path).exists() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("never told to go on");
}

fn main() {
    let shared = Arc::new(Mutex::new(HashMap::new()));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..6u64)
        .map(|i| {
            let (shared, sender) = (shared.clone(), sender.clone());
            thread::spawn(move || {
                MINE.with(|m| *m.borrow_mut() = format!("thread {i}"));
                shared.lock().unwrap().insert(i, vec![i; 1000]);
                wait_go();
                MINE.with(|m| assert_eq!(*m.borrow(), format!("thread {i}")));
                sender.send(i * i).unwrap();
            })
        })
        .collect();
    while shared.lock().unwrap().len() < 6 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    wait_go();
    for t in threads {
        t.join().unwrap();
    }
    let mut squares: Vec<u64> = receiver.try_iter().collect();
    squares.sort();
    assert_eq!(squares, [0, 1, 4, 9, 16, 25]);
    for (i, v) in shared.lock().unwrap().iter() {
        assert!(v.len() == 1000 && v.iter().all(|x| x == i));
    }
    std::panic::set_hook(Box::new(|_| {}));
    assert!(thread::spawn(|| panic!("on purpose")).join().is_err());
    println!("ok");
}
