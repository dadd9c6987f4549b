#include "enxerto/weights/hdf5.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/hdf5_child.h"
#include "enxerto/weights/hdf5_stream.h"

namespace enxerto {
namespace {

using hdf5::Record;

/// How long the child may say nothing: it reads one array at a time, and the largest one may be the whole
/// file.
int patience_ms_for(std::size_t file_bytes) {
  constexpr std::size_t bytes_a_ms = 16'000;  // a tenth of what gzip does on a slow machine
  return 10'000 + static_cast<int>(std::min<std::size_t>(file_bytes / bytes_a_ms, 1'000'000));
}
constexpr rlim_t child_seconds = 300;  ///< of processor time: eight GiB of gzip take less

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& from) noexcept : fd_(std::exchange(from.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& from) noexcept {
    std::swap(fd_, from.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Bytes of addresses that this process has; 0 where /proc does not say. No allocation: the child calls it.
std::uint64_t address_space() {
  std::array<char, 64> line{};
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t got = ::read(fd, line.data(), line.size() - 1);
  ::close(fd);
  if (got <= 0) return 0;
  return std::strtoull(line.data(), nullptr, 10) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(static_cast<__rlimit_resource_t>(resource), &both);
}

/// Takes from the child what it does not need. Whatever fails here leaves a child that is less confined, and
/// no less right.
void confine(int pipe, pid_t parent, std::uint64_t memory) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before that call
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  // Ctrl-C goes to the whole group: what it means is the parent's to decide.
  action.sa_handler = SIG_IGN;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);

  const std::uint64_t now = address_space();
  const int safe = ::fcntl(pipe, F_DUPFD_CLOEXEC, 4);  // beyond those that are about to be changed
  // Whatever libhdf5 or malloc would like to say belongs on nobody's screen.
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2 && nowhere >= 0; ++fd) ::dup2(nowhere, fd);
  ::dup2(safe, 3);
  ::close_range(4, ~0u, 0);
  limit(RLIMIT_NOFILE, 0);  // nothing more can be opened, whatever the file says
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, child_seconds);
  if (now > 0) limit(RLIMIT_AS, now + memory);
}

void go_wrong(Hdf5Fault fault, int pipe) {
  if (fault == Hdf5Fault::crash) ::raise(SIGSEGV);
  if (fault == Hdf5Fault::silent_exit) ::_exit(0);
  while (fault == Hdf5Fault::hang) ::pause();
  const std::array<char, 64> letters = {"this is no record, and was never meant to be one"};
  while (fault == Hdf5Fault::nonsense)
    if (::write(pipe, letters.data(), letters.size()) < 0) ::_exit(1);
}

/// The child process; killed and waited for at the end, so that none is left behind.
class Child {
 public:
  Child(std::span<const std::uint8_t> bytes, const std::string& file, Hdf5Fault fault) : file_(file) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("a pipe");
    Descriptor reading(ends[0]), writing(ends[1]);
    const pid_t parent = ::getpid();
    // No handler of ours may run in the child before confine() has taken them away.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    id_ = ::fork();
    if (id_ == 0) {
      // Only this thread lives on here. Nothing below waits for a lock that another may have held, but for
      // those of malloc, which fork() itself puts in order; if one did, the parent's patience ends it.
      constexpr std::uint64_t room = 512u << 20;
      confine(writing.get(), parent, hdf5::content_limit(bytes.size()) + room);
      go_wrong(fault, 3);
      hdf5::send_content(bytes, 3);
      ::_exit(0);  // not exit(): the parent's buffers must not be written twice
    }
    const int code = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = code;
    if (id_ < 0) fail("a process");
    pipe_ = std::move(reading);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  int pipe() const { return pipe_.get(); }

  /// Waits for its end and says what it was; called when the pipe has ended too early.
  std::string how_it_ended() {
    int status = 0;
    pid_t got = 0;
    while ((got = ::waitpid(id_, &status, 0)) < 0 && errno == EINTR) {
    }
    id_ = -1;
    if (got > 0 && WIFSIGNALED(status))
      return text("ended by signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")");
    return "stopped in the middle";
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Error(ErrorKind::io,
                text(file_, ": reading HDF5 needs ", what, " of its own: ", std::strerror(errno)));
  }

  const std::string& file_;
  pid_t id_ = -1;
  Descriptor pipe_{-1};
};

/// The records as they come. Every length is checked before memory is taken for it.
class Receiver {
 public:
  Receiver(Child& child, const std::string& file, std::uint64_t file_bytes, int patience_ms)
      : child_(child), file_(file), patience_ms_(patience_ms), left_(hdf5::content_limit(file_bytes)) {}

  Hdf5Content content() {
    Hdf5Content made;
    for (std::uint64_t i = 0; i <= hdf5::records_limit; ++i) {
      std::uint8_t kind = 0;
      raw(&kind, 1);
      switch (static_cast<Record>(kind)) {
        case Record::texts:
          made.texts.push_back(texts());
          break;
        case Record::array:
          made.arrays.push_back(array());
          break;
        case Record::failure:
          failure();
        case Record::end:
          return made;
        default:
          nonsense();
      }
    }
    nonsense();
  }

 private:
  [[noreturn]] void corrupt(const std::string& what) const {
    throw Error(ErrorKind::corrupt, text(file_, ": ", what));
  }
  [[noreturn]] void nonsense() const {
    corrupt("libhdf5 read nonsense from it; the file is damaged or hostile");
  }
  [[noreturn]] void failure() {
    const bool unsupported = number() != 0;
    const std::string what = shortened(bytes(2 * hdf5::path_limit));
    throw Error(unsupported ? ErrorKind::unsupported : ErrorKind::corrupt, text(file_, ": ", what));
  }
  /// Paths come from the file: one line of printable text.
  static std::string shortened(std::string what) {
    std::ranges::replace_if(
        what, [](char letter) { return static_cast<unsigned char>(letter) < 0x20; }, '_');
    constexpr std::size_t longest = 400;
    if (what.size() > longest)
      what = what.substr(0, longest / 2) + "..." + what.substr(what.size() - longest / 2);
    return what;
  }

  void raw(void* data, std::size_t size) {
    char* to = static_cast<char*>(data);
    while (size > 0) {
      wait();
      const ssize_t got = ::read(child_.pipe(), to, size);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        corrupt(text("libhdf5 could not read it: its process was ", child_.how_it_ended(),
                     "; the file is damaged or hostile"));
      to += got;
      size -= static_cast<std::size_t>(got);
    }
  }

  /// Until there is something to read. Signals do not make the wait longer.
  void wait() {
    const double until = now_seconds() + patience_ms_ / 1000.0;
    for (;;) {
      const double left = until - now_seconds();
      pollfd one{child_.pipe(), POLLIN, 0};
      const int ready = ::poll(&one, 1, left > 0 ? static_cast<int>(left * 1000.0) + 1 : 0);
      if (ready > 0) return;
      if (ready < 0 && errno != EINTR) corrupt(text("the pipe from libhdf5 broke: ", std::strerror(errno)));
      if (ready == 0)
        corrupt(text("libhdf5 said nothing for ", human_seconds(patience_ms_ / 1000.0),
                     "; the file is damaged or hostile"));
    }
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    raw(&value, sizeof value);
    return value;
  }

  std::string bytes(std::uint64_t limit) {
    const std::uint64_t size = number();
    if (size > limit) nonsense();
    take(size + hdf5::text_cost);
    std::string made(size, '\0');
    raw(made.data(), size);
    return made;
  }

  void take(std::uint64_t size) {
    if (size > left_) nonsense();
    left_ -= size;
  }

  Hdf5Texts texts() {
    Hdf5Texts made;
    made.object = bytes(hdf5::path_limit);
    made.name = bytes(hdf5::path_limit);
    const std::uint64_t values = number();
    if (values > hdf5::texts_limit) nonsense();
    for (std::uint64_t i = 0; i < values; ++i) made.values.push_back(bytes(hdf5::text_limit));
    return made;
  }

  NamedTensor array() {
    NamedTensor made;
    made.name = bytes(hdf5::path_limit);
    const std::uint64_t rank = number();
    if (rank > hdf5::rank_limit) nonsense();
    for (std::uint64_t i = 0; i < rank; ++i) {
      const std::uint64_t size = number();
      if (size > std::uint64_t{1} << 40) nonsense();
      made.dims.push_back(static_cast<std::int64_t>(size));
    }
    const std::int64_t size = count(made.dims);
    if (size < 0 || static_cast<std::uint64_t>(size) > left_ / sizeof(float)) nonsense();
    take(static_cast<std::uint64_t>(size) * sizeof(float));
    made.value = Tensor(shape_of(made.dims));
    raw(made.value.data().data(), made.value.data().size_bytes());
    return made;
  }

  Child& child_;
  const std::string& file_;
  int patience_ms_;
  std::uint64_t left_;
};

}  // namespace

bool looks_like_hdf5(std::span<const std::uint8_t> bytes) {
  constexpr std::array<std::uint8_t, 8> signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  return bytes.size() >= signature.size() && std::ranges::equal(bytes.first(signature.size()), signature);
}

Hdf5Content parse_hdf5(std::span<const std::uint8_t> bytes, const std::string& file) {
  return parse_hdf5(bytes, file, Hdf5Fault::none, patience_ms_for(bytes.size()));
}

Hdf5Content parse_hdf5(std::span<const std::uint8_t> bytes, const std::string& file, Hdf5Fault fault,
                       int patience_ms) {
  if (!looks_like_hdf5(bytes))
    throw Error(ErrorKind::corrupt, text(file, ": is not an HDF5 file; its first bytes are others"));
  Child child(bytes, file, fault);
  return Receiver(child, file, bytes.size(), patience_ms).content();
}

}  // namespace enxerto
