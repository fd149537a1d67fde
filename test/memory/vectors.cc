// Vectors that grow: operator new must not throw.
#include <cstdio>
#include <new>
#include <vector>
#include <unistd.h>

int main()
{
	std::vector<std::vector<double>> all;
	double sum = 0;

	try {
		for (int i = 0; i < 60; i++) {
			all.emplace_back(1 << 19, i * 0.5);
			usleep(10000);
		}
		double *raw = new double[1 << 20];
		raw[17] = 4;
		sum += raw[17];
		delete[] raw;
	} catch (const std::bad_alloc &) {
		std::puts("bad_alloc seen");
		return 1;
	}
	for (const auto &v : all)
		sum += v[v.size() / 2];
	std::printf("%.1f\n", sum);
	return 0;
}
