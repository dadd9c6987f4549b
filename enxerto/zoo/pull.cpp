#include "enxerto/zoo/pull.h"

#include <chrono>
#include <ctime>
#include <optional>
#include <thread>

#include "enxerto/core/lock.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace fs = std::filesystem;
namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char buffer[32] = {};
  std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return buffer;
}

void make_cache(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code || !fs::is_directory(folder, code))
    throw Error(ErrorKind::io,
                text(folder.string(), ": the folder cannot be made: ",
                     code ? code.message() : "a file is in the way", "; set ENXERTO_CACHE to another"));
}

/// Held while a file is pulled.
Lock lock_of(const fs::path& target) {
  try {
    return Lock::on_file(target.string() + ".lock");
  } catch (const Error& error) {
    throw Error(error.kind(), text(error.what(), "; set ENXERTO_CACHE to a folder that can be written"));
  }
}

class Puller {
 public:
  Puller(const Remote& remote, const PullOptions& options, const OnPull& progress)
      : remote_(remote), options_(options), progress_(progress), target_(options.folder / remote.file) {}

  Pulled run() {
    // What is there needs no lock: it came by a rename, whole.
    if (auto found = find_existing()) return *std::move(found);
    if (options_.offline)
      throw Error(ErrorKind::not_found, text(target_.string(), ": is not there; ", by_hand()));
    make_cache(options_.folder);
    Lock lock = lock_of(target_);
    while (!lock.try_take()) {
      if (progress_ && !progress_(PullStage::waiting, 0, 0))
        throw Error(ErrorKind::interrupted, "interrupted while another process pulls " + target_.string());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    if (auto found = find_existing()) return *std::move(found);
    return fetch();
  }

 private:
  std::string by_hand() const {
    return text("get ", remote_.url, " by other means (", format_published(remote_.published),
                "), put it at ", target_.string(), " and run the same command, which checks it");
  }

  Digests digests_of(const fs::path& file) const {
    return digest_file(file, [&](std::uint64_t done, std::uint64_t total) {
      return !progress_ || progress_(PullStage::checking, done, total);
    });
  }

  CacheRecord make_record(const Digests& digests, const std::string& from) const {
    return {remote_.url, from, utc_now(), digests, format_published(remote_.published)};
  }

  std::optional<Pulled> find_existing() const {
    std::error_code code;
    if (!fs::exists(target_, code)) return std::nullopt;
    const auto record = find_record(target_);
    const Digests digests = digests_of(target_);
    std::string fault = find_difference(digests, remote_.published);
    if (fault.empty() && record && record->digests.sha256 != digests.sha256)
      fault = text("its SHA-256 is ", digests.sha256, ", when it was pulled it was ", record->digests.sha256);
    if (!fault.empty())
      throw Error(ErrorKind::corrupt, text(target_.string(), ": ", fault,
                                           "; delete it and run the same command to download it again"));
    const bool is_known = !remote_.published.sha256.empty() || !remote_.published.md5.empty();
    if (record && !is_known && record->url != remote_.url)
      throw Error(ErrorKind::usage, text(target_.string(), ": came from ", record->url,
                                         "; delete it, or say by --sha256 that it is the same file"));
    // Compared with more than before, or put there by hand: that is written down.
    const std::string checked = format_published(remote_.published);
    if (record && (!is_known || record->checked == checked)) return Pulled{target_, true, *record};
    const CacheRecord made = make_record(digests, record ? record->from : "put there by hand");
    save_record(target_, made);
    return Pulled{target_, true, made};
  }

  std::string address() const {
    if (options_.from.empty()) return remote_.url;
    return options_.from + (options_.from.ends_with('/') ? "" : "/") + remote_.file;
  }

  Pulled fetch() const {
    const fs::path part = target_.string() + ".part";
    const std::string url = address();
    try {
      download(url, part, options_.download, [&](std::uint64_t done, std::uint64_t total) {
        return !progress_ || progress_(PullStage::downloading, done, total);
      });
    } catch (const TransferError& error) {
      throw Error(error.kind(), text(error.what(), "; or ", by_hand()));
    }
    const Digests digests = digests_of(part);
    if (const std::string fault = find_difference(digests, remote_.published); !fault.empty()) {
      fs::remove(part);
      fs::remove(note_of(part));
      throw Error(ErrorKind::corrupt, text(url, ": not the file that was published: ", fault,
                                           "; what was downloaded is removed; or ", by_hand()));
    }
    const CacheRecord record = make_record(digests, url);
    fs::rename(part, target_);
    fs::remove(note_of(part));
    save_record(target_, record);
    return {target_, false, record};
  }

  const Remote& remote_;
  const PullOptions& options_;
  const OnPull& progress_;
  const fs::path target_;
};

}  // namespace

Remote remote_of(const Source& source) {
  return {source.url(), std::string(source.file), {std::string(source.sha256), std::string(source.md5)}};
}

Remote remote_of_url(const std::string& url, const std::string& sha256) {
  check_url(url);
  const std::string path = url.substr(0, url.find_first_of("?#"));
  return {url, path.substr(path.find_last_of('/') + 1), {sha256, ""}};
}

Pulled pull(const Remote& remote, const PullOptions& options, const OnPull& progress) {
  check_file_name(remote.file);
  Remote checked = remote;
  checked.published = check_published(std::move(checked.published));
  if (!options.from.empty()) check_url(options.from);
  return Puller(checked, options, progress).run();
}

}  // namespace enxerto
