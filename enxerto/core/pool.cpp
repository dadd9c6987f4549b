#include "enxerto/core/pool.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

thread_local bool of_the_pool = false;

}  // namespace

/// All of it changes under the pool's mutex.
struct TaskQueue::State {
  Pool& pool;
  const int width;
  const std::size_t bound;
  std::deque<std::function<void()>> waiting = {};
  int on_pool = 0;  ///< tasks that run on the pool's threads: at most `width`
  int running = 0;  ///< these, and those on the threads of callers that help
  std::exception_ptr error = {};
  std::condition_variable fewer = {};  ///< `running` fell
};

/// One in a process, never destroyed: its threads wait for work until the process ends, whatever static
/// objects go before them.
class TaskQueue::Pool {
 public:
  static Pool& get();
  bool is_of_this_process() const { return process_ == ::getpid(); }

  /// Makes threads until there are as many. Error{io} where there is none at all.
  void grow(int threads);
  int threads() const {
    const std::lock_guard lock(mutex);
    return threads_;
  }
  /// Does the task at the front, without the lock meanwhile.
  void run_front(State& state, std::unique_lock<std::mutex>& lock) { run(take(state), state, lock); }

  mutable std::mutex mutex;
  std::condition_variable has_work;
  std::vector<State*> queues;

 private:
  static std::atomic<Pool*> instance;
  using Task = std::function<void()>;
  static Task take(State& state);
  static void run(Task task, State& state, std::unique_lock<std::mutex>& lock);
  static bool has_work_for_pool(const State& state);
  State* find_work();
  void work();

  const pid_t process_ = ::getpid();
  int threads_ = 0;
  std::size_t turn_ = 0;  ///< the queue that is asked first
};

constinit std::atomic<TaskQueue::Pool*> TaskQueue::Pool::instance{nullptr};

/// After a fork the threads are the parent's, and its mutex may be locked for ever: the child has a pool of
/// its own.
TaskQueue::Pool& TaskQueue::Pool::get() {
  Pool* pool = instance.load();
  while (pool == nullptr || !pool->is_of_this_process()) {
    Pool* made = new Pool;
    if (instance.compare_exchange_strong(pool, made)) return *made;
    delete made;
  }
  return *pool;
}

void TaskQueue::Pool::grow(int threads) {
  const std::lock_guard lock(mutex);
  while (threads_ < threads) {
    try {
      std::thread([this] { work(); }).detach();
    } catch (const std::system_error& error) {
      if (threads_ > 0) return;  // slower, but it goes on
      throw Error(ErrorKind::io, text("no thread can be made to prepare pictures: ", error.what(),
                                      "; raise the limit of processes, or use 0 workers"));
    }
    ++threads_;
  }
}

bool TaskQueue::Pool::has_work_for_pool(const State& state) {
  return !state.waiting.empty() && state.on_pool < state.width;
}

/// Queues take turns, so that a long one does not keep a short one waiting.
TaskQueue::State* TaskQueue::Pool::find_work() {
  for (std::size_t i = 0; i < queues.size(); ++i) {
    State* state = queues[(turn_ + i) % queues.size()];
    if (!has_work_for_pool(*state)) continue;
    turn_ = (turn_ + i + 1) % queues.size();
    return state;
  }
  return nullptr;
}

void TaskQueue::Pool::work() {
  of_the_pool = true;
  ::pthread_setname_np(::pthread_self(), "enxerto-pool");
  std::unique_lock lock(mutex);
  while (true) {
    State* state = find_work();
    if (state == nullptr) {
      has_work.wait(lock);
      continue;
    }
    ++state->on_pool;
    Task task = take(*state);
    // Whoever was woken for a queue that was then as wide as it may be sleeps again: it is woken once more.
    if (std::ranges::any_of(queues, [](const State* other) { return has_work_for_pool(*other); }))
      has_work.notify_one();
    run(std::move(task), *state, lock);
    --state->on_pool;
  }
}

TaskQueue::Pool::Task TaskQueue::Pool::take(State& state) {
  Task task = std::move(state.waiting.front());
  state.waiting.pop_front();
  ++state.running;
  return task;
}

void TaskQueue::Pool::run(Task task, State& state, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  std::exception_ptr error;
  try {
    task();
  } catch (...) {
    error = std::current_exception();
  }
  task = nullptr;  // what it holds goes before anybody hears that it is done
  lock.lock();
  if (error && !state.error) state.error = error;
  --state.running;
  state.fewer.notify_all();
}

TaskQueue::TaskQueue(int width, std::size_t bound)
    : state_(std::make_unique<State>(Pool::get(), width, std::max<std::size_t>(bound, 1))) {
  ensure(width >= 1, "a queue has a thread to work for it");
  state_->pool.grow(width);
  const std::lock_guard lock(state_->pool.mutex);
  state_->pool.queues.push_back(state_.get());
}

TaskQueue::~TaskQueue() {
  if (!state_->pool.is_of_this_process()) {
    static_cast<void>(state_.release());  // others may hold its lock for ever
    return;
  }
  drop();
  const std::lock_guard lock(state_->pool.mutex);
  std::erase(state_->pool.queues, state_.get());
}

void TaskQueue::add(std::function<void()> task) {
  std::unique_lock lock(state_->pool.mutex);
  while (state_->waiting.size() >= state_->bound) state_->pool.run_front(*state_, lock);
  state_->waiting.push_back(std::move(task));
  lock.unlock();
  state_->pool.has_work.notify_one();
}

bool TaskQueue::run_one() {
  std::unique_lock lock(state_->pool.mutex);
  if (state_->waiting.empty()) return false;
  state_->pool.run_front(*state_, lock);
  return true;
}

void TaskQueue::drop() {
  std::deque<std::function<void()>> dropped;  // goes without the lock
  std::unique_lock lock(state_->pool.mutex);
  dropped.swap(state_->waiting);
  state_->fewer.wait(lock, [&] { return state_->running == 0; });
}

void TaskQueue::wait() {
  std::unique_lock lock(state_->pool.mutex);
  while (!state_->waiting.empty() || state_->running > 0) {
    if (!state_->waiting.empty())
      state_->pool.run_front(*state_, lock);
    else
      state_->fewer.wait(lock);
  }
  if (const std::exception_ptr error = std::exchange(state_->error, nullptr)) std::rethrow_exception(error);
}

void parallel_for(std::int64_t n, int threads, const std::function<void(std::int64_t)>& work) {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  const auto run = [&] {
    for (std::int64_t i; (i = next++) < n;) {
      try {
        work(i);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
        next = n;
        return;
      }
    }
  };
  if (const std::int64_t others = std::min<std::int64_t>(threads, n) - 1; others > 0) {
    TaskQueue queue(static_cast<int>(others), static_cast<std::size_t>(others));
    for (std::int64_t i = 0; i < others; ++i) queue.add(run);
    run();
  } else {
    run();
  }
  if (error) std::rethrow_exception(error);
}

bool is_pool_thread() { return of_the_pool; }

int pool_threads() { return TaskQueue::Pool::get().threads(); }

}  // namespace enxerto
