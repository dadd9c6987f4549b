/// pull: a file of weights from its official address into the cache, once, with its hash checked.
#pragma once

#include <filesystem>
#include <string>

#include "enxerto/zoo/cache.h"
#include "enxerto/zoo/download.h"

namespace enxerto {

/// A file that is somewhere else.
struct Remote {
  std::string url;   ///< its official address
  std::string file;  ///< its name in the cache
  Published published;
};
Remote remote_of(const Source& source);
/// Of any URL; the file is called as the URL's path ends.
Remote remote_of_url(const std::string& url, const std::string& sha256);

enum class PullStage { waiting, downloading, checking };  ///< waiting: for another process that pulls it
/// `total` is 0 where it is not known. Returning false stops.
using OnPull = std::function<bool(PullStage stage, std::uint64_t done, std::uint64_t total)>;

struct PullOptions {
  std::filesystem::path folder;  ///< the cache
  std::string from;              ///< a mirror: base URL in place of all of the official one but the name
  bool offline = false;          ///< only look at what is there
  DownloadOptions download;
};

struct Pulled {
  std::filesystem::path path;
  bool already_there = false;
  CacheRecord record;
};

/// The file in the cache, downloaded unless it is there. A file that is there, by hand too, is accepted where
/// its hash is the published one (or none was published), and otherwise left alone with Error{corrupt};
/// what was downloaded and has the wrong hash is removed. Processes that pull the same file take turns.
/// The errors of a download say how to get the file by hand and where to put it.
Pulled pull(const Remote& remote, const PullOptions& options, const OnPull& progress = {});

}  // namespace enxerto
