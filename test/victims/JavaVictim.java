// Java: threads in wait and sleep, a heap under collection, code compiled while
// running (it changes its own memory's protections and uses signals).
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

public class JavaVictim {
	static void check(boolean condition, String what) {
		if (condition)
			return;
		System.out.println("does not hold: " + what);
		System.exit(1);
	}

	static void waitGo() throws Exception {
		Path go = Path.of(System.getenv("VICTIM_GO"));
		for (int i = 0; i < 4500; i++) {
			if (Files.exists(go))
				return;
			Thread.sleep(20);
		}
		check(false, "told to go on");
	}

	static long work(int n) {
		long sum = 0;
		for (int i = 0; i < n; i++)
			sum += i ^ (sum >>> 3);
		return sum;
	}

	public static void main(String[] args) throws Exception {
		Map<String, List<Integer>> data = new HashMap<>();
		for (int i = 0; i < 20000; i++)
			data.computeIfAbsent("key" + i % 101, k -> new ArrayList<>()).add(i);
		long want = work(1000000);
		CountDownLatch over = new CountDownLatch(1);
		AtomicLong rounds = new AtomicLong();
		List<Thread> threads = new ArrayList<>();
		for (int t = 0; t < 3; t++)
			threads.add(new Thread(() -> {
				while (over.getCount() > 0) {
					check(work(1000000) == want, "a worker's sum");
					rounds.addAndGet(new byte[100000].length);
				}
			}));
		Object monitor = new Object();
		boolean[] told = {false};
		threads.add(new Thread(() -> {
			synchronized (monitor) {
				try {
					while (!told[0])
						monitor.wait();
				} catch (InterruptedException e) {
					check(false, "not interrupted");
				}
			}
		}));
		for (Thread t : threads)
			t.start();
		System.out.println("ready");
		waitGo();
		over.countDown();
		synchronized (monitor) {
			told[0] = true;
			monitor.notifyAll();
		}
		for (Thread t : threads)
			t.join();
		System.gc();
		check(work(1000000) == want && rounds.get() > 0, "the sum");
		for (int i = 0; i < 20000; i++)
			check(data.get("key" + i % 101).get(i / 101) == i, "the map");
		System.out.println("ok");
	}
}
