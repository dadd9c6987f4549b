/// Examining pictures: each file is read once and decoded once, and what later steps need is kept.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/data/open.h"
#include "enxerto/doctor/look.h"
#include "enxerto/doctor/taken.h"
#include "enxerto/image/format.h"

namespace enxerto {

inline constexpr std::array<std::string_view, 3> split_names{"train", "val", "test"};

/// What is known of one picture; about 1.4 KB with its name.
struct Picture {
  std::string name;        ///< as Dataset::name() has it
  std::string file;        ///< its path; empty for a picture in memory
  int split = 0;           ///< into split_names
  std::int64_t index = 0;  ///< in its split
  std::vector<std::int32_t> labels;
  std::string error;                      ///< why it cannot be read; empty: it can
  std::optional<PictureFormat> format;    ///< by its content
  int width = 0, height = 0;              ///< upright
  std::array<std::uint64_t, 2> digest{};  ///< of the file's bytes, or the pixels where it has no file
  std::optional<Taken> taken;
  bool is_readable() const { return error.empty(); }
};

/// Of one split after the other, in the order of their pictures. The looks are beside them, so that they lie
/// together; those of unreadable pictures are flat.
struct Examination {
  std::vector<Picture> pictures;
  std::vector<Look> looks;
  std::vector<std::string> classes;
};

struct ExamineOptions {
  int threads = 1;
  std::function<void(std::int64_t done, std::int64_t all)> on_progress =
      {};                                   ///< from any thread, one at a time
  const std::atomic<bool>* stop = nullptr;  ///< Error{interrupted} when it is set
  /// Sides that a picture is decoded with at least, where it has them: at least luma_side.
  int least_side = 2 * luma_side;
  /// Where not empty: what was found of readable pictures is kept in this folder, and found there again while
  /// path, length and time of change of their files are the same. Then Picture::taken stays empty.
  std::filesystem::path keep_in = {};
};

/// Takes about 1.4 KB a picture, and for each thread one file with its picture. What is wrong with a file is
/// in its Picture; throws only Error{interrupted} and std::bad_alloc.
Examination examine(const Splits& splits, const ExamineOptions& options);

/// 128 bits, so that equal digests mean equal bytes for all that a folder of pictures can hold.
std::array<std::uint64_t, 2> digest_of(std::span<const std::uint8_t> bytes);

}  // namespace enxerto
