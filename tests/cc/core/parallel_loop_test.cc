// SPDX-License-Identifier: Apache-2.0
// Loops on several threads, of which some come late or never, and exceptions of their work.
#include "cc/lib/core/parallel_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace candsamp {
namespace {

using Task = std::function<void()>;

// Runs each task on a thread of its own.
class Threads {
 public:
  ~Threads() { Join(); }
  void operator()(Task task) { threads_.emplace_back(std::move(task)); }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

void WaitFor(const std::atomic<bool>& flag) {
  while (!flag) std::this_thread::yield();
}

TEST(ParallelLoopTest, EveryUnitIsWorkedOnOnce) {
  for (const int64_t total : {1, 7, 1000}) {
    for (const int64_t parts : {int64_t{1}, (total + 1) / 2, total}) {
      for (const int64_t helpers : {0, 1, 4}) {
        Threads threads;
        std::vector<int> worked(total);
        RunInParts(total, parts, helpers, std::ref(threads), [&](int64_t begin, int64_t end) {
          ASSERT_LT(begin, end);
          for (int64_t k = begin; k < end; ++k) ++worked[k];
        });
        EXPECT_EQ(worked, std::vector<int>(total, 1));
      }
    }
  }
}

TEST(ParallelLoopTest, AHelpersExceptionIsThrownByTheCaller) {
  Threads threads;
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> helping{false};
  const auto work = [&](int64_t, int64_t) {
    if (std::this_thread::get_id() == caller) return WaitFor(helping);
    helping = true;
    throw std::runtime_error("a helper's");
  };
  try {
    RunInParts(2, 2, 1, std::ref(threads), work);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "a helper's");
  }
}

TEST(ParallelLoopTest, TheCallersExceptionWaitsForItsHelpers) {
  Threads threads;
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> helping{false}, throwing{false};
  bool helped = false;
  const auto work = [&](int64_t, int64_t) {
    if (std::this_thread::get_id() == caller) {
      WaitFor(helping);
      throwing = true;
      throw std::bad_alloc();
    }
    helping = true;
    WaitFor(throwing);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    helped = true;
  };
  EXPECT_THROW(RunInParts(2, 2, 1, std::ref(threads), work), std::bad_alloc);
  EXPECT_TRUE(helped);
}

TEST(ParallelLoopTest, ThrowsTheFirstOfManyExceptions) {
  for (int repetition = 0; repetition < 100; ++repetition) {
    Threads threads;
    std::atomic<int> calls{0};
    const auto work = [&](int64_t begin, int64_t) {
      ++calls;
      throw std::runtime_error(std::to_string(begin));
    };
    EXPECT_THROW(RunInParts(64, 64, 3, std::ref(threads), work), std::runtime_error);
    const int calls_until_thrown = calls;
    threads.Join();
    EXPECT_EQ(calls, calls_until_thrown);
  }
}

TEST(ParallelLoopTest, PartsAfterAnExceptionAreSkipped) {
  std::vector<int64_t> begun;
  const auto work = [&](int64_t begin, int64_t) {
    begun.push_back(begin);
    if (begin == 2) throw std::bad_alloc();
  };
  EXPECT_THROW(RunInParts(10, 10, 0, [](Task) {}, work), std::bad_alloc);
  EXPECT_EQ(begun, (std::vector<int64_t>{0, 1, 2}));
}

TEST(ParallelLoopTest, HelpersThatComeLateOrNeverAreNotWaitedFor) {
  std::vector<Task> late;
  int64_t done = 0;
  RunInParts(
      10, 5, 2, [&](Task task) { late.push_back(std::move(task)); },
      [&](int64_t begin, int64_t end) { done += end - begin; });
  EXPECT_EQ(done, 10);
  late.pop_back();
  late.back()();
  EXPECT_EQ(done, 10);
}

// Scheduling throws when there is no memory for a task.
TEST(ParallelLoopTest, AHelperThatCannotBeAskedForIsDoneWithout) {
  for (const int askable : {0, 1}) {
    Threads threads;
    int asked = 0;
    std::vector<int> worked(100);
    RunInParts(
        100, 50, 3,
        [&](Task task) {
          if (asked++ == askable) throw std::bad_alloc();
          threads(std::move(task));
        },
        [&](int64_t begin, int64_t end) {
          for (int64_t k = begin; k < end; ++k) ++worked[k];
        });
    EXPECT_EQ(worked, std::vector<int>(100, 1));
    EXPECT_EQ(asked, askable + 1);
  }
}

}  // namespace
}  // namespace candsamp
