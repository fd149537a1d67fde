// C++: exceptions thrown through frames with destructors, on two threads at
// once; thread_local objects; a map on the heap; rounding modes.
#include <cfenv>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

static thread_local std::map<std::string, long> caught;
static thread_local int depth;

struct guard {
	guard() { depth++; }
	~guard() { depth--; }
};

static long descend(long n, unsigned long &state)
{
	guard here;
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	if ((state >> 60) == 0)
		throw std::runtime_error("rare " + std::to_string(state >> 57 & 7));
	if (n > 40)
		throw static_cast<int>(state >> 50 & 63);
	return descend(n + 1, state) + 1;
}

static long rounds(unsigned long state, int count, std::string &report)
{
	long depths = 0;
	for (int i = 0; i < count; i++) {
		auto held = std::make_unique<std::string>(64, static_cast<char>('a' + i % 26));
		try {
			depths += descend(0, state);
		} catch (const std::runtime_error &e) {
			caught[e.what()] += depth + 1;
		} catch (int code) {
			caught["code " + std::to_string(code)] += depth + (*held)[3];
		}
	}
	for (const auto &[what, times] : caught)
		report += what + "=" + std::to_string(times) + " ";
	return depths;
}

int main()
{
	std::fesetround(FE_UPWARD);
	volatile double third = 1.0;
	for (int round = 0; round < 50; round++) {
		std::string here, there;
		std::thread other([&] { rounds(round, 10000, there); });
		rounds(round + 1000, 10000, here);
		other.join();
		third = third / 3 + 1;
		std::printf("%d %d %a %zu %zu\n", round, depth, third, std::hash<std::string>()(here),
			    std::hash<std::string>()(there));
		std::fflush(stdout);
	}
	return std::fegetround() == FE_UPWARD ? 4 : 9;
}
