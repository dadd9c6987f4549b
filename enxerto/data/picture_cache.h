/// PictureCache: fitted pictures in a file, so that later runs need not decode them again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "enxerto/data/dataset.h"
#include "enxerto/data/preprocess.h"

namespace enxerto {

/// A file in a folder for each data set and way of fitting: its name and its opening bytes are a hash of
/// both, of each picture its name, length and time of change. It gets its name once it has (nearly) all
/// pictures; until then, and where a run ends earlier, it is a file of this process's own that goes away with
/// it. Every picture has a checksum. A file that is damaged, cut short or of something else is made anew,
/// never believed. Nothing here is worth an end of the run: where the disk is full, note() says so and
/// pictures are decoded. find() and keep() may be called from many threads, for one picture from one at a
/// time.
class PictureCache {
 public:
  /// Makes the folder where it is missing; Error{io} where that fails. Data that are no files are not cached.
  PictureCache(const std::filesystem::path& folder, const Dataset& data, const Preprocess& preprocess);
  ~PictureCache();
  PictureCache(const PictureCache&) = delete;
  PictureCache& operator=(const PictureCache&) = delete;

  /// The picture's bytes, if they are there.
  bool find(std::int64_t index, std::span<std::uint8_t> picture);
  void keep(std::int64_t index, std::span<const std::uint8_t> picture);

  /// For people: what is wrong with it; empty where nothing is.
  std::string note() const;
  std::int64_t memory_bytes() const;
  const std::filesystem::path& path() const { return path_; }  ///< empty where there is none

 private:
  struct Header;
  bool open_whole(const Header& header);
  void create(const Header& header);
  void finish();
  void give_up(const std::string& why);
  std::int64_t place_of(std::int64_t index) const;

  std::filesystem::path path_, own_path_;  ///< own: the unfinished file
  std::size_t picture_bytes_ = 0;
  std::vector<std::uint64_t> checksums_;
  std::vector<std::uint8_t> there_;  ///< bytes, so that each is its own
  std::int64_t missing_ = 0;
  int file_ = -1;
  std::vector<std::uint8_t> header_;
  mutable std::mutex mutex_;  ///< of note_, missing_, given_up_
  std::string note_;
  bool given_up_ = false;
};

}  // namespace enxerto
