#include "enxerto/core/pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace enxerto {
namespace {

void pause_a_little() { std::this_thread::sleep_for(std::chrono::microseconds(300)); }

/// How many were inside at once.
class Crowd {
 public:
  void visit() {
    const int now = ++inside_;
    for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
    }
    pause_a_little();
    --inside_;
  }
  int most() const { return most_; }

 private:
  std::atomic<int> inside_{0}, most_{0};
};

TEST(Pool, DoesEachPieceOnce) {
  for (const int threads : {0, 1, 2, 3, 8})
    for (const std::int64_t n : {0, 1, 2, 100}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(n));
      parallel_for(n, threads, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; });
      for (const auto& times : done) EXPECT_EQ(times, 1);
    }
}

TEST(Pool, NeverHasMoreThreadsThanAreAskedFor) {
  Crowd first, second;
  parallel_for(100, 3, [&](std::int64_t) { first.visit(); });
  EXPECT_LE(first.most(), 3);
  const int before = pool_threads();
  {
    TaskQueue one(1, 100), two(2, 100);
    for (int i = 0; i < 50; ++i) {
      one.add([&] { second.visit(); });
      two.add([&] { second.visit(); });
    }
    while (one.run_one()) {
    }
    two.drop();
  }
  EXPECT_EQ(pool_threads(), before);
  EXPECT_LE(second.most(), before + 1);  // and this thread
}

TEST(Pool, AQueueIsNoWiderThanItSays) {
  parallel_for(10, 5, [](std::int64_t) {});  // there are more threads than it asks for
  Crowd crowd;
  TaskQueue queue(2, 100);
  for (int i = 0; i < 60; ++i) queue.add([&] { crowd.visit(); });
  while (crowd.most() == 0) pause_a_little();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  queue.drop();
  EXPECT_LE(crowd.most(), 2);
}

TEST(Pool, TasksBeginInTheirOrder) {
  std::vector<int> order;
  {
    TaskQueue queue(1, 40);
    for (int i = 0; i < 40; ++i) queue.add([&order, i] { order.push_back(i); });
    pause_a_little();
    queue.drop();
  }
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Pool, ExceptionsSurfaceWhereSomebodyWaits) {
  for (const int threads : {1, 4}) {
    std::atomic<int> done{0};
    const auto work = [&](std::int64_t i) {
      if (i == 10) throw std::runtime_error("ten");
      ++done;
      pause_a_little();
    };
    EXPECT_THROW(parallel_for(1000, threads, work), std::runtime_error);
    EXPECT_LT(done, 200);
  }
  TaskQueue queue(2, 10);
  queue.add([] { throw std::runtime_error("a task"); });
  queue.add([] {});
  EXPECT_THROW(queue.wait(), std::runtime_error);
  queue.add([] {});
  EXPECT_NO_THROW(queue.wait());  // told once
  queue.add([] { throw std::runtime_error("nobody waits"); });
}

TEST(Pool, DroppedTasksAreNotBegun) {
  std::atomic<int> done{0};
  TaskQueue queue(1, 1000);
  for (int i = 0; i < 1000; ++i)
    queue.add([&] {
      pause_a_little();
      ++done;
    });
  queue.drop();
  const int at_drop = done;
  EXPECT_LT(at_drop, 1000);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(done, at_drop);
}

TEST(Pool, ABoundedQueueMakesTheCallerHelp) {
  std::atomic<int> done{0};
  TaskQueue queue(1, 2);
  for (int i = 0; i < 200; ++i) queue.add([&] { ++done; });
  EXPECT_GE(done, 200 - 2 - 1);
  queue.wait();
  EXPECT_EQ(done, 200);
}

TEST(Pool, TasksMayUseThePoolThemselves) {
  std::atomic<int> done{0};
  parallel_for(20, 3, [&](std::int64_t) {
    parallel_for(20, 3, [&](std::int64_t) {
      TaskQueue queue(2, 4);
      for (int i = 0; i < 5; ++i) queue.add([&] { ++done; });
      queue.wait();
    });
  });
  EXPECT_EQ(done, 2000);
}

TEST(Pool, ManyUsersAtOnceGetTheirTurns) {
  std::atomic<int> done{0};
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user)
    users.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        parallel_for(20, 3, [&](std::int64_t) { ++done; });
        TaskQueue queue(2, 4);
        for (int i = 0; i < 10; ++i) queue.add([&] { ++done; });
        if (round % 2) queue.wait();
        while (queue.run_one()) {
        }
      }
    });
  for (std::thread& user : users) user.join();
  EXPECT_EQ(done, 4 * 20 * 30);
}

TEST(Pool, AForkedProcessHasAPoolOfItsOwn) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer ends a forked process that makes threads";
#endif
  TaskQueue queue(2, 100);
  for (int i = 0; i < 100; ++i) queue.add(pause_a_little);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    std::atomic<int> done{0};
    parallel_for(100, 3, [&](std::int64_t) { ++done; });
    {
      TaskQueue own(2, 10);
      for (int i = 0; i < 10; ++i) own.add([&] { ++done; });
      own.wait();
    }
    queue.~TaskQueue();
    ::_exit(done == 110 && pool_threads() == 2 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  queue.wait();
}

TEST(Pool, KnowsItsThreads) {
  EXPECT_FALSE(is_pool_thread());
  std::atomic<bool> of_pool{false}, done{false};
  TaskQueue queue(1, 1);
  queue.add([&] {
    of_pool = is_pool_thread();
    done = true;
  });
  while (!done) pause_a_little();
  EXPECT_TRUE(of_pool);
}

}  // namespace
}  // namespace enxerto
