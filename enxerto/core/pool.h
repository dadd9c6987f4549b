/// The process's threads for making data ready: decoding, resizing, looking at pictures. The kernels have
/// OpenMP's own (system.h). Whoever uses these, there are never more of them than one user asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace enxerto {

/// Tasks that one user gives to the pool. They begin in the order in which they were added, at most `width`
/// at once; users take turns. The pool's threads are made on first need and stay: as many as the largest
/// `width`. A task may itself make queues, add tasks and wait: who waits on a thread of the pool works
/// meanwhile. All calls may come from any thread, not from the queue's own tasks. In a process that was
/// forked a queue of the parent's is of no use, but goes quietly; new ones work.
class TaskQueue {
 public:
  /// `bound`: tasks that may wait. Error{io} where the system gives no thread at all.
  TaskQueue(int width, std::size_t bound);
  ~TaskQueue();  ///< drop(); an exception that nobody waited for is lost
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// Where `bound` tasks wait already, the caller first does some of them itself.
  void add(std::function<void()> task);
  /// Does the next waiting task on the calling thread; false where none waits.
  bool run_one();
  /// Takes away the tasks that have not begun, and waits for those that have.
  void drop();
  /// Until all tasks are done; the caller helps. Rethrows the first exception that one threw.
  void wait();

 private:
  class Pool;
  struct State;
  friend int pool_threads();
  std::unique_ptr<State> state_;
};

/// Calls work(i) for each i in [0, n) in any order, on at most `threads` threads, of which the caller is one.
/// Rethrows the first exception that a call threw, after all have stopped; what has not begun then is not
/// done.
void parallel_for(std::int64_t n, int threads, const std::function<void(std::int64_t)>& work);

/// Whether the calling thread is one of the pool's: who waits there for tasks has to do some, see run_one().
bool is_pool_thread();
/// How many there are by now.
int pool_threads();

}  // namespace enxerto
