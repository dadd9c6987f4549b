#include "enxerto/zoo/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace fs = std::filesystem;
namespace {

constexpr int most_redirects = 10;
constexpr long connect_seconds = 30;
constexpr std::uint64_t most_ignored_bytes = 1 << 20;  // of a redirect's page
constexpr long ok = 200, partial = 206, range_not_satisfiable = 416;

std::string sized(std::uint64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

/// The parts of a URL that matter here.
struct Address {
  std::string scheme, host;
  bool has_user = false;
};

Address parse_address(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (!parsed ||
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    throw Error(ErrorKind::usage, text('"', url, "\" is no URL; https://HOST/FILE is wanted"));
  const auto part = [&](CURLUPart which) {
    char* content = nullptr;
    if (curl_url_get(parsed.get(), which, &content, 0) != CURLUE_OK) return std::string();
    const std::unique_ptr<char, decltype(&curl_free)> owned(content, curl_free);
    return std::string(content);
  };
  return {part(CURLUPART_SCHEME), part(CURLUPART_HOST),
          !part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty()};
}

bool is_loopback(const Address& address) {
  return address.host == "127.0.0.1" || address.host == "localhost" || address.host == "[::1]";
}

/// Empty where `address` may be asked.
std::string find_objection(const Address& address) {
  if (address.has_user) return "a URL with a name or password is refused, they would end up in records";
  if (address.scheme == "https" || (address.scheme == "http" && is_loopback(address))) return "";
  return text(address.scheme, ":// is refused, only https:// is safe enough");
}

std::optional<std::uint64_t> parse_number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// What a part file is part of.
struct Note {
  std::string url, validator;  ///< an ETag or a date, which If-Range takes; empty: nothing to go on with
};

Note load_note(const fs::path& part) {
  try {
    const auto json = nlohmann::json::parse(read_text_file(note_of(part), 64 << 10));
    return {json.at("url").get<std::string>(), json.at("validator").get<std::string>()};
  } catch (const Error&) {
  } catch (const nlohmann::json::exception&) {
  }
  return {};
}

/// One request and what comes back.
class Transfer {
 public:
  Transfer(std::string url, fs::path part, const DownloadOptions& options, const OnBytes& progress)
      : official_(url), url_(std::move(url)), part_(std::move(part)), options_(options), progress_(progress) {
    file_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) fail_file("cannot be written");
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    if (file_ < 0) return;
    // Nothing came: an empty part would only be litter.
    if (::lseek(file_, 0, SEEK_END) == 0) ::unlink(part_.c_str());
    ::close(file_);
  }

  void run() {
    const Note note = load_note(part_);
    const off_t size = ::lseek(file_, 0, SEEK_END);
    if (size > 0 && note.url == official_ && !note.validator.empty()) {
      start_ = static_cast<std::uint64_t>(size);
      validator_ = note.validator;
    }
    for (int redirects = 0;; ++redirects) {
      const long status = request();
      if (status == ok || status == partial) break;
      if (status == range_not_satisfiable && start_ > 0) {  // the part is as long as the file, or longer
        start_ = 0;
        continue;
      }
      follow_redirect(status, redirects);
    }
    finish();
  }

 private:
  struct Headers {
    std::string etag, modified, range, length;
  };

  /// Returns the status; throws where nothing sensible came back.
  long request();
  void follow_redirect(long status, int redirects);
  void begin_body(long status);
  void take(const char* data, std::size_t bytes);
  void header(std::string_view line);
  void finish();
  void check_size(std::uint64_t bytes);
  [[noreturn]] void fail_file(std::string_view tried) const;
  [[noreturn]] void fail_transfer(CURLcode code, const char* detail) const;
  [[noreturn]] void fail_status(long status) const;
  std::string kept() const {
    if (!began_ || done_ == 0) return "";
    return text("; ", sized(done_), total_ ? " of " + sized(total_) : "",
                " are kept, the same command goes on");
  }

  const std::string official_;
  std::string url_;
  const fs::path part_;
  const DownloadOptions& options_;
  const OnBytes& progress_;
  int file_ = -1;
  CURL* curl_ = nullptr;  ///< while a request runs
  Headers headers_;
  std::string validator_, redirect_;
  std::uint64_t start_ = 0;                           ///< where we asked the server to begin
  std::uint64_t done_ = 0, total_ = 0, ignored_ = 0;  ///< bytes in the part file; in all, 0: unknown
  bool began_ = false, stopped_ = false;
  std::exception_ptr thrown_;  ///< by a callback: nothing may be thrown through libcurl
};

void Transfer::fail_file(std::string_view tried) const {
  const int code = errno;
  std::string advice;
  if (code == ENOSPC || code == EFBIG || code == EDQUOT)
    advice = "; free some space, the same command goes on";
  if (code == EROFS || code == EACCES) advice = "; set ENXERTO_CACHE to a folder that can be written";
  throw Error(ErrorKind::io, text(part_.string(), ": ", tried, ": ", std::strerror(code), advice));
}

void Transfer::fail_transfer(CURLcode code, const char* detail) const {
  if (stopped_) throw Error(ErrorKind::interrupted, text(official_, ": interrupted", kept()));
  std::string what;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      what = "cannot be reached";
      break;
    case CURLE_OPERATION_TIMEDOUT:
      what = text("nothing came for ", options_.stall_seconds, " s");
      break;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      what = "the connection was cut";
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      what = "the server cannot prove who it is";
      break;
    default:
      what = "the download failed";
  }
  const std::string_view why = *detail ? detail : curl_easy_strerror(code);
  throw TransferError(ErrorKind::io, text(url_, ": ", what, " (", why, ")", kept()));
}

void Transfer::fail_status(long status) const {
  const bool gone = status == 404 || status == 410;
  throw TransferError(
      gone ? ErrorKind::not_found : ErrorKind::io,
      text(url_, ": the server answers ", status, gone ? ", it has no such file" : "", kept()));
}

void Transfer::check_size(std::uint64_t bytes) {
  if (bytes > options_.max_bytes)
    throw TransferError(ErrorKind::unsupported, text(url_, ": has ", sized(bytes), ", more than the ",
                                                     sized(options_.max_bytes), " that are taken"));
}

void Transfer::header(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    headers_ = {};
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ') value.remove_suffix(1);
  if (value.size() > 1024) return;
  if (name == "etag") headers_.etag = value;
  if (name == "last-modified") headers_.modified = value;
  if (name == "content-range") headers_.range = value;
  if (name == "content-length") headers_.length = value;
}

void Transfer::begin_body(long status) {
  const std::uint64_t length = parse_number(headers_.length).value_or(0);
  if (status == partial) {
    // "bytes 100-199/200"; the last may be "*".
    const std::string_view range = headers_.range;
    const std::size_t dash = range.find('-'), slash = range.find('/');
    const bool sound = range.starts_with("bytes ") && dash != range.npos && slash != range.npos && dash > 6;
    if (start_ == 0 || !sound || parse_number(range.substr(6, dash - 6)) != start_)
      throw TransferError(ErrorKind::io, text(url_, ": the server sent another part than was asked for (",
                                              range, "); delete ", part_.string(), " and try again"));
    total_ = parse_number(range.substr(slash + 1)).value_or(length ? start_ + length : 0);
    done_ = start_;
  } else {
    // The whole file, also where a part was asked for: the file has changed, or the server knows no parts.
    if (::ftruncate(file_, 0) != 0) fail_file("cannot be written");
    total_ = length;
    done_ = 0;
    // A weak ETag does not promise the same bytes.
    const std::string& validator =
        !headers_.etag.empty() && !headers_.etag.starts_with("W/") ? headers_.etag : headers_.modified;
    const nlohmann::json note = {{"url", official_}, {"validator", validator}};
    write_file(note_of(part_), note.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  if (::lseek(file_, static_cast<off_t>(done_), SEEK_SET) < 0) fail_file("cannot be written");
  check_size(std::max(total_, done_));
  std::error_code code;
  const fs::space_info space = fs::space(part_.parent_path(), code);
  if (!code && total_ > done_ && space.available < total_ - done_)
    throw Error(ErrorKind::io,
                text(part_.string(), ": ", sized(total_ - done_), " are to come and the disk has room for ",
                     sized(space.available), "; free some space or set ENXERTO_CACHE to another folder"));
  began_ = true;
}

void Transfer::take(const char* data, std::size_t bytes) {
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  if (status != ok && status != partial) {
    ignored_ += bytes;
    if (ignored_ > most_ignored_bytes) fail_status(status);
    return;
  }
  if (!began_) begin_body(status);
  check_size(done_ + bytes);
  while (bytes > 0) {
    const ssize_t put = ::write(file_, data, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_file("cannot be written");
    data += put;
    bytes -= static_cast<std::size_t>(put);
    done_ += static_cast<std::uint64_t>(put);
  }
}

long Transfer::request() {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  ensure(curl != nullptr, "libcurl starts");
  curl_ = curl.get();
  std::array<char, CURL_ERROR_SIZE> detail{};
  const auto set = [&](CURLoption option, auto value) {
    ensure(curl_easy_setopt(curl_, option, value) == CURLE_OK, "libcurl knows the option");
  };
  set(CURLOPT_URL, url_.c_str());
  set(CURLOPT_ERRORBUFFER, detail.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "enxerto");
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);  // follow_redirect() looks at each first
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (is_loopback(parse_address(url_))) set(CURLOPT_PROXY, "");
  const double stall = std::max(options_.stall_seconds, 0.001);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(1000 * std::min<double>(connect_seconds, stall)));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(stall)));
  using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
  HeaderList extra(nullptr, curl_slist_free_all);
  const std::string range = text(start_, "-");
  if (start_ > 0) {
    set(CURLOPT_RANGE, range.c_str());
    extra.reset(curl_slist_append(nullptr, ("If-Range: " + validator_).c_str()));
    set(CURLOPT_HTTPHEADER, extra.get());
  }
  using Callback = std::size_t (*)(char*, std::size_t, std::size_t, void*);
  const Callback on_header = [](char* data, std::size_t, std::size_t bytes, void* self) {
    static_cast<Transfer*>(self)->header({data, bytes});
    return bytes;
  };
  const Callback on_body = [](char* data, std::size_t, std::size_t bytes, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      transfer.take(data, bytes);
      return bytes;
    } catch (...) {
      transfer.thrown_ = std::current_exception();
      return std::size_t{0};
    }
  };
  const curl_xferinfo_callback on_progress = [](void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      transfer.stopped_ = transfer.progress_ && !transfer.progress_(transfer.done_, transfer.total_);
      return transfer.stopped_ ? 1 : 0;
    } catch (...) {
      transfer.thrown_ = std::current_exception();
      return 1;
    }
  };
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(this));

  const CURLcode code = curl_easy_perform(curl_);
  if (thrown_) std::rethrow_exception(thrown_);
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_HTTP_RETURNED_ERROR) {
    if (status != range_not_satisfiable || start_ == 0) fail_status(status);
  } else if (code != CURLE_OK) {
    fail_transfer(code, detail.data());
  } else if (status >= 300 && status < 400) {
    char* next = nullptr;
    curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &next);
    redirect_ = next ? next : "";
  }
  curl_ = nullptr;
  return status;
}

void Transfer::follow_redirect(long status, int redirects) {
  if (redirect_.empty()) fail_status(status);
  if (redirects >= most_redirects)
    throw TransferError(ErrorKind::io, text(official_, ": more than ", most_redirects, " redirects"));
  const Address from = parse_address(url_), to = parse_address(redirect_);
  std::string objection = find_objection(to);
  if (objection.empty() && is_loopback(to) && !is_loopback(from))
    objection = "a server elsewhere has no business on this machine";
  if (!objection.empty())
    throw TransferError(ErrorKind::io, text(url_, ": redirects to ", redirect_, ": ", objection));
  url_ = std::exchange(redirect_, "");
}

void Transfer::finish() {
  if (!began_) throw TransferError(ErrorKind::corrupt, text(url_, ": is empty"));
  if (total_ && done_ != total_) throw TransferError(ErrorKind::io, text(url_, ": ended early", kept()));
  if (::fsync(file_) != 0 && errno != EINVAL && errno != ENOTSUP) fail_file("cannot be written");
  // Some file systems report a full disk only here.
  if (::close(std::exchange(file_, -1)) != 0) fail_file("cannot be written");
}

}  // namespace

void check_url(const std::string& url) {
  const std::string objection = find_objection(parse_address(url));
  if (!objection.empty()) throw Error(ErrorKind::usage, text(url, ": ", objection));
}

void download(const std::string& url, const fs::path& part, const DownloadOptions& options,
              const OnBytes& progress) {
  static std::once_flag once;  // libcurl wants this before threads use it
  std::call_once(once, [] { ensure(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl starts"); });
  check_url(url);
  Transfer(url, part, options, progress).run();
}

fs::path note_of(const fs::path& part) { return part.string() + ".json"; }

}  // namespace enxerto
