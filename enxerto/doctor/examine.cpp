#include "enxerto/doctor/examine.h"

#include <mutex>

#include "enxerto/core/content_hash.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/pool.h"
#include "enxerto/doctor/kept_looks.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

void examine_file(Picture& picture, Look& look, int least_side) {
  const auto bytes = read_file(picture.file, most_picture_bytes);
  picture.digest = digest_of(bytes);
  picture.format = picture_format(bytes);
  picture.taken = find_taken(bytes);
  DecodeOptions options;
  options.least_width = options.least_height = least_side;
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

void examine_one(const Dataset& data, const ExamineOptions& options, KeptLooks& kept, Picture& picture,
                 Look& look) {
  try {
    if (kept.find(picture, look)) return;
    if (!picture.file.empty()) {
      examine_file(picture, look, options.least_side);
      kept.keep(picture, look);
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
  ContentHash hash;
  hash.add(bytes);
  const ContentKey key = hash.key();
  return {key.high, key.low};
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
  KeptLooks kept(options.keep_in, options.least_side);
  std::int64_t done = 0;
  std::mutex mutex;
  parallel_for(all, options.threads, [&](std::int64_t i) {
    if (options.stop && *options.stop)
      throw Error(ErrorKind::interrupted, "interrupted while the pictures were looked at");
    Picture& picture = out.pictures[static_cast<std::size_t>(i)];
    examine_one(*parts[static_cast<std::size_t>(picture.split)], options, kept, picture,
                out.looks[static_cast<std::size_t>(i)]);
    if (!options.on_progress) return;
    const std::lock_guard lock(mutex);
    options.on_progress(++done, all);
  });
  return out;
}

}  // namespace enxerto
