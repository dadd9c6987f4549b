#include "enxerto/doctor/examine.h"

#include <cstring>
#include <mutex>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/doctor/parallel.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

/// Sides that a picture is decoded with at least: enough for a look, a fraction of the work of all of it.
constexpr int decoded_side = 2 * luma_side;
/// No picture that can be decoded is larger.
constexpr std::uint64_t most_file_bytes = std::uint64_t{1} << 30;

void examine_file(Picture& picture, Look& look) {
  const auto bytes = read_file(picture.file, most_file_bytes);
  picture.digest = digest_of(bytes);
  picture.format = picture_format(bytes);
  picture.taken = find_taken(bytes);
  DecodeOptions options;
  options.least_width = options.least_height = decoded_side;
  options.choose = [&](int width, int height, DecodeOptions&) {
    picture.width = width;
    picture.height = height;
  };
  const Image image = decode_image(bytes, options);
  if (picture.width == 0) {
    picture.width = image.width;
    picture.height = image.height;
  }
  look = look_of(image);
}

/// "F/1.jpg: is cut short" without the name, which is told beside it.
std::string without_name(std::string said, const std::string& name) {
  if (said.starts_with(name + ": ")) said.erase(0, name.size() + 2);
  return said;
}

void examine_one(const Dataset& data, Picture& picture, Look& look) {
  try {
    if (!picture.file.empty()) {
      examine_file(picture, look);
    } else {
      const Image image = data.get(picture.index).image;
      picture.width = image.width;
      picture.height = image.height;
      picture.digest = digest_of(image.pixels);
      look = look_of(image);
    }
  } catch (const Error& error) {
    picture.error = without_name(error.what(), picture.name);
    look = {};
  }
}

}  // namespace

std::array<std::uint64_t, 2> digest_of(std::span<const std::uint8_t> bytes) {
  std::array<std::uint64_t, 2> digest{mix64(bytes.size()), mix64(~std::uint64_t{bytes.size()})};
  const auto add = [&](std::uint64_t word) {
    digest[0] = (digest[0] ^ word) * 0x9E3779B97F4A7C15ull;
    digest[0] ^= digest[0] >> 32;
    digest[1] = (digest[1] + word) * 0xD6E8FEB86659FD93ull;
    digest[1] ^= digest[1] >> 29;
  };
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    add(word);
  }
  std::uint64_t last = 0;
  for (; at < bytes.size(); ++at) last = last << 8 | bytes[at];
  add(last);
  return {mix64(digest[0]), mix64(digest[1])};
}

Examination examine(const Splits& splits, const ExamineOptions& options) {
  Examination out;
  const std::array parts{splits.train.get(), splits.val.get(), splits.test.get()};
  for (std::size_t split = 0; split < parts.size(); ++split) {
    const Dataset* data = parts[split];
    if (!data) continue;
    if (out.classes.empty()) out.classes.assign(data->classes().begin(), data->classes().end());
    for (std::int64_t i = 0; i < data->size(); ++i) {
      const auto labels = data->labels(i);
      out.pictures.push_back({.name = data->name(i),
                              .file = data->file(i),
                              .split = static_cast<int>(split),
                              .index = i,
                              .labels = {labels.begin(), labels.end()},
                              .error = "",
                              .format = {},
                              .taken = {}});
    }
  }
  out.looks.resize(out.pictures.size());
  const auto all = static_cast<std::int64_t>(out.pictures.size());
  std::int64_t done = 0;
  std::mutex mutex;
  parallel_for(all, options.threads, [&](std::int64_t i) {
    if (options.stop && *options.stop)
      throw Error(ErrorKind::interrupted, "interrupted while the pictures were looked at");
    Picture& picture = out.pictures[static_cast<std::size_t>(i)];
    examine_one(*parts[static_cast<std::size_t>(picture.split)], picture,
                out.looks[static_cast<std::size_t>(i)]);
    if (!options.on_progress) return;
    const std::lock_guard lock(mutex);
    options.on_progress(++done, all);
  });
  return out;
}

}  // namespace enxerto
