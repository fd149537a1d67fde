// C++: thread_local objects with destructors, an exception in flight across the
// checkpoint, one kept as exception_ptr, and futures that end afterwards.
#include "victim.h"

#include <atomic>
#include <future>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> destroyed{0};

struct Local {
	std::string text = "local of nobody";
	~Local() { destroyed++; }
};
static thread_local Local local;

// The checkpoint happens in here, while an exception unwinds the stack.
struct Unwound {
	~Unwound()
	{
		CHECK_EQ(std::uncaught_exceptions(), 1);
		ready();
		wait_go();
		CHECK_EQ(std::uncaught_exceptions(), 1);
		try {
			throw std::out_of_range("inner");
		} catch (const std::exception &e) {
			CHECK(std::string(e.what()) == "inner");
		}
	}
};

static void thrower()
{
	Unwound unwound;
	throw std::runtime_error("in flight");
}

int main()
{
	std::map<std::string, std::vector<int>> data;
	std::vector<std::thread> threads;
	std::exception_ptr kept;
	bool caught = false;

	for (int i = 0; i < 1000; i++)
		data["key" + std::to_string(i % 37)].push_back(i);
	try {
		throw std::logic_error("kept");
	} catch (...) {
		kept = std::current_exception();
	}
	auto answer = std::async(std::launch::async, [] {
		wait_go();
		return std::string("answer");
	});
	for (int i = 0; i < 4; i++)
		threads.emplace_back([i] {
			local.text = "local of thread " + std::to_string(i);
			wait_go();
			CHECK(local.text == "local of thread " + std::to_string(i));
		});
	local.text = "local of main";
	try {
		thrower();
	} catch (const std::runtime_error &e) {
		caught = std::string(e.what()) == "in flight";
	}
	CHECK(caught);
	CHECK(answer.get() == "answer");
	for (auto &t : threads)
		t.join();
	CHECK_EQ(destroyed, 4);
	CHECK(local.text == "local of main");
	try {
		std::rethrow_exception(kept);
	} catch (const std::logic_error &e) {
		CHECK(std::string(e.what()) == "kept");
	}
	CHECK_EQ(data.size(), 37);
	CHECK_EQ(data["key5"].size(), 28 - (1000 % 37 <= 5));
	pass();
}
