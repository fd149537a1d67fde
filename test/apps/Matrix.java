// Java: the JIT, the collector and its threads, a pool of workers, maps of objects.
import java.util.*;
import java.util.concurrent.*;

public class Matrix {
	static long mix(long x) {
		x ^= x >>> 33;
		x *= 0xff51afd7ed558ccdL;
		x ^= x >>> 33;
		return x;
	}

	static long work(int part, int round) {
		Map<Long, long[]> cells = new HashMap<>();
		long sum = 0;
		for (int i = 0; i < 120000; i++) {
			long key = mix(part * 1000003L + round * 7919L + i) & 0xffff;
			cells.computeIfAbsent(key, k -> new long[4])[i & 3] += i;
		}
		for (Map.Entry<Long, long[]> cell : new TreeMap<>(cells).entrySet())
			for (long v : cell.getValue())
				sum = mix(sum + v + cell.getKey());
		return sum;
	}

	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(3);
		long total = 0;
		for (int round = 0; round < 60; round++) {
			List<Future<Long>> parts = new ArrayList<>();
			for (int part = 0; part < 3; part++) {
				final int p = part, r = round;
				parts.add(pool.submit(() -> work(p, r)));
			}
			for (Future<Long> part : parts)
				total = mix(total + part.get());
			System.out.println(round + " " + Long.toHexString(total));
		}
		pool.shutdown();
		if (!pool.awaitTermination(10, TimeUnit.SECONDS))
			System.exit(9);
	}
}
