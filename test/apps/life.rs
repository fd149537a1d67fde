// Rust: scoped threads, a barrier, parking, thread-local values.
use std::cell::Cell;
use std::sync::{Arc, Barrier, Mutex};

const SIZE: usize = 512;

thread_local!(static STEPS: Cell<u32> = Cell::new(0));

fn main() {
    let mut seed = 17u64;
    let first: Vec<u8> = (0..SIZE * SIZE)
        .map(|_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 62 == 0) as u8
        })
        .collect();
    let boards = Arc::new([Mutex::new(first), Mutex::new(vec![0u8; SIZE * SIZE])]);
    let barrier = Arc::new(Barrier::new(3));
    let mut threads = Vec::new();
    for part in 0..3 {
        let (boards, barrier) = (boards.clone(), barrier.clone());
        threads.push(std::thread::spawn(move || {
            let (from, to) = (SIZE * part / 3, SIZE * (part + 1) / 3);
            for step in 0..5000usize {
                let old = boards[step % 2].lock().unwrap().clone();
                let mut rows = vec![0u8; (to - from) * SIZE];
                for y in from..to {
                    let (up, down) = ((y + SIZE - 1) % SIZE * SIZE, (y + 1) % SIZE * SIZE);
                    for x in 0..SIZE {
                        let (left, right) = ((x + SIZE - 1) % SIZE, (x + 1) % SIZE);
                        let sum = old[up + left] + old[up + x] + old[up + right] + old[y * SIZE + left]
                            + old[y * SIZE + right] + old[down + left] + old[down + x] + old[down + right];
                        rows[(y - from) * SIZE + x] =
                            (sum == 3 || (sum == 2 && old[y * SIZE + x] == 1)) as u8;
                    }
                }
                boards[(step + 1) % 2].lock().unwrap()[from * SIZE..to * SIZE].copy_from_slice(&rows);
                STEPS.with(|steps| steps.set(steps.get() + 1));
                barrier.wait();
                if part == 0 && step % 100 == 0 {
                    let board = boards[(step + 1) % 2].lock().unwrap();
                    println!("{} {}", step, board.iter().map(|&cell| cell as u32).sum::<u32>());
                }
                barrier.wait();
            }
            STEPS.with(|steps| steps.get())
        }));
    }
    let steps: Vec<u32> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    println!("{:?}", steps);
}
