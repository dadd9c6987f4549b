#include <zlib.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/data/readers.h"
#include "enxerto/image/decode.h"

// MNIST's IDX (http://yann.lecun.com/exdb/mnist) and CIFAR-10's binary version
// (https://www.cs.toronto.edu/~kriz/cifar.html): pictures of one size, read into memory.

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// Pictures in memory are limited to this.
constexpr std::uint64_t max_bytes = std::uint64_t{8} << 30;

[[noreturn]] void fail(const fs::path& file, const std::string& wrong) {
  throw Error(ErrorKind::corrupt, text(file.string(), ": ", wrong));
}

/// The first `wanted` bytes of what is packed, or all where there are fewer.
Bytes unpack(const fs::path& file, const Bytes& packed, std::uint64_t wanted) {
  z_stream stream{};
  constexpr int gzip = 16 + MAX_WBITS;
  if (inflateInit2(&stream, gzip) != Z_OK) throw std::bad_alloc();
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } end{stream};
  // zlib counts in 32 bits, so both sides are fed in pieces.
  constexpr std::uint64_t piece = 1u << 24;
  Bytes out;
  std::uint64_t fed = 0;
  int state = Z_OK;
  while (state != Z_STREAM_END && out.size() < wanted) {
    if (stream.avail_in == 0) {
      if (fed == packed.size()) fail(file, "is damaged or cut short: the gzip stream has no end");
      stream.next_in = const_cast<Bytef*>(packed.data() + fed);
      stream.avail_in = static_cast<uInt>(std::min<std::uint64_t>(piece, packed.size() - fed));
      fed += stream.avail_in;
    }
    const std::size_t have = out.size();
    const std::size_t room = std::min(piece, wanted - have);
    out.resize(have + room);
    stream.next_out = out.data() + have;
    stream.avail_out = static_cast<uInt>(room);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(have + room - stream.avail_out);
    if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
      fail(file, text("is damaged: ", stream.msg ? stream.msg : "the gzip stream makes no sense"));
  }
  return out;
}

/// An IDX file: 0, 0, 8 for bytes, the number of sizes; the sizes, most significant byte first; the data.
struct Idx {
  std::vector<std::int64_t> sizes;
  Bytes data;
};

Idx read_idx(const fs::path& file, std::size_t rank) {
  const Bytes stored = read_file(file, max_bytes);
  const bool packed = stored.size() >= 2 && stored[0] == 0x1F && stored[1] == 0x8B;
  const std::size_t header_bytes = 4 + 4 * rank;
  const auto first = [&](std::uint64_t count) {
    if (packed) return unpack(file, stored, count);
    return Bytes(stored.begin(),
                 stored.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, stored.size())));
  };
  const Bytes header = first(header_bytes);
  if (header.size() < header_bytes || header[0] || header[1] || header[2] != 8 || header[3] != rank)
    fail(file, text("is no IDX file of bytes with ", rank, rank == 1 ? " size" : " sizes",
                    "; its first bytes are wrong"));
  Idx idx;
  // Every size has 32 bits; the product is checked before each step.
  std::uint64_t expected = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    std::uint64_t size = 0;
    for (std::size_t byte = 0; byte < 4; ++byte) size = size << 8 | header[4 + 4 * i + byte];
    idx.sizes.push_back(static_cast<std::int64_t>(size));
    if (size == 0) fail(file, "says that it holds nothing");
    if (size > max_bytes / expected) fail(file, "says that it holds far more than it can");
    expected *= size;
  }
  // Deflate makes at most 1032 bytes of one.
  const std::uint64_t possible = packed ? stored.size() * 1032 : stored.size();
  if (expected + header_bytes > possible) fail(file, "is cut short: it has fewer bytes than it says");
  // One more than there should be, to find out that there are more.
  idx.data = first(header_bytes + expected + 1);
  if (idx.data.size() != header_bytes + expected)
    fail(file, idx.data.size() < header_bytes + expected ? "is cut short: it has fewer bytes than it says"
                                                         : "has more bytes than it says");
  idx.data.erase(idx.data.begin(), idx.data.begin() + static_cast<std::ptrdiff_t>(header_bytes));
  return idx;
}

/// What stands before "images-idx3-ubyte" or "labels-idx1-ubyte" in a file's name, if it does.
std::optional<std::string> find_idx_prefix(const fs::path& file, std::string_view kind) {
  std::string name = file.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const char separator : {'-', '.'}) {
    const std::string ending =
        text(kind == "images" ? "images" : "labels", separator, kind == "images" ? "idx3" : "idx1", "-ubyte");
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  }
  return {};
}

/// Adds pictures behind those of `block`.
void append(PictureBlock& block, const fs::path& file, int height, int width, int channels, Bytes pixels) {
  if (block.pixels.empty()) {
    block.height = height;
    block.width = width;
    block.channels = channels;
    block.sources.push_back({0, file.string()});
    block.pixels = std::move(pixels);
    return;
  }
  if (height != block.height || width != block.width)
    fail(file, text("has pictures of ", width, " x ", height, ", ", block.sources.front().name, " of ",
                    block.width, " x ", block.height));
  block.sources.push_back(
      {static_cast<std::int64_t>(block.pixels.size() / block.picture_bytes()), file.string()});
  block.pixels.insert(block.pixels.end(), pixels.begin(), pixels.end());
}

/// "0" to the greatest label.
std::vector<std::string> number_names(const std::vector<std::int32_t>& labels) {
  std::vector<std::string> names;
  for (std::int32_t i = 0; i <= *std::max_element(labels.begin(), labels.end()); ++i)
    names.push_back(std::to_string(i));
  return names;
}

std::string split_place(const fs::path& folder, std::size_t split) {
  constexpr std::array names{" (train)", " (val)", " (test)"};
  return text(folder.string(), names[split]);
}

/// Of what stands before "images-idx3-ubyte", such as "t10k-" or "emnist-letters-test-".
SplitName split_of_prefix(std::string prefix) {
  if (prefix.starts_with("t10k") || prefix.starts_with("test")) return test_split;
  std::ranges::replace_if(
      prefix, [](char c) { return c == '_' || c == '.'; }, '-');
  for (const std::string& word : split(prefix, '-'))
    if (const auto name = find_split_name(word)) return *name;
  return train_split;
}

/// 10,000 or less records of a label and 32 x 32 pixels, all red before all green before all blue.
void read_cifar(const fs::path& file, std::size_t classes, PictureBlock& block,
                std::vector<std::int32_t>& labels) {
  constexpr std::size_t side = 32, plane = side * side, record = 1 + 3 * plane;
  const Bytes stored = read_file(file, max_bytes);
  if (stored.empty() || stored.size() % record)
    fail(file, text("is cut short or no CIFAR-10 batch: its ", stored.size(), " bytes are not a multiple of ",
                    record));
  const std::size_t count = stored.size() / record;
  Bytes pixels(count * 3 * plane);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* from = stored.data() + i * record;
    if (*from >= classes)
      fail(file, text("picture ", i, " has label ", int{*from}, ", there are ", classes, " classes"));
    labels.push_back(*from++);
    std::uint8_t* to = pixels.data() + i * 3 * plane;
    for (std::size_t at = 0; at < plane; ++at)
      for (std::size_t c = 0; c < 3; ++c) *to++ = from[c * plane + at];
  }
  append(block, file, side, side, 3, std::move(pixels));
}

bool is_cifar_batch(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with(".bin") && (name.starts_with("data_batch") || name.starts_with("test_batch"));
}

}  // namespace

bool is_idx_folder(const std::vector<fs::path>& entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [](const fs::path& file) { return find_idx_prefix(file, "images").has_value(); });
}

Parts read_idx_folder(const fs::path& folder, const std::vector<fs::path>& entries) {
  // Sorted, a plain file comes before its .gz and is the one that counts.
  std::map<std::string, fs::path> images, label_files;
  for (const fs::path& file : entries) {
    if (const auto prefix = find_idx_prefix(file, "images")) images.emplace(*prefix, file);
    if (const auto prefix = find_idx_prefix(file, "labels")) label_files.emplace(*prefix, file);
  }
  std::array<PictureBlock, 3> blocks;
  std::array<std::vector<std::int32_t>, 3> labels;
  std::array<std::vector<std::string>, 3> names;
  for (const auto& [prefix, file] : images) {
    if (!label_files.contains(prefix))
      throw Error(ErrorKind::not_found, text(file.string(), ": the file with its labels, ", prefix,
                                             "labels-idx1-ubyte, is missing"));
    const fs::path& label_file = label_files.at(prefix);
    Idx pixels = read_idx(file, 3);
    const Idx numbers = read_idx(label_file, 1);
    if (pixels.sizes[0] != numbers.sizes[0])
      fail(label_file, text("has ", numbers.sizes[0], " labels for ", pixels.sizes[0], " pictures"));
    if (pixels.sizes[1] > max_pixels || pixels.sizes[2] > max_pixels)
      fail(file, "has pictures of absurd size");
    const std::size_t split = split_of_prefix(prefix);
    names[split].push_back(file.filename().string());
    append(blocks[split], file, static_cast<int>(pixels.sizes[1]), static_cast<int>(pixels.sizes[2]), 1,
           std::move(pixels.data));
    labels[split].insert(labels[split].end(), numbers.data.begin(), numbers.data.end());
  }
  Parts parts;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (labels[i].empty()) continue;
    if (names[i].size() > 1)
      parts.notes.push_back(text(split_place(folder, i), ": is the pictures of ", names[i].size(),
                                 " files together: ", quoted_list(names[i])));
    auto classes = number_names(labels[i]);
    parts.splits[i] = make_memory_part(split_place(folder, i), std::move(blocks[i]), std::move(labels[i]),
                                       std::move(classes));
  }
  return parts;
}

bool is_cifar_folder(const std::vector<fs::path>& entries) {
  return std::any_of(entries.begin(), entries.end(), is_cifar_batch);
}

Parts read_cifar_folder(const fs::path& folder, const std::vector<fs::path>& entries) {
  std::vector<std::string> names;
  if (const fs::path meta = folder / "batches.meta.txt"; fs::exists(meta)) {
    for (std::string& line : split(read_text_file(meta, 1u << 16), '\n')) {
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) continue;
      if (std::find(names.begin(), names.end(), line) != names.end())
        fail(meta, text("has \"", line, "\" twice"));
      names.push_back(std::move(line));
    }
    if (names.empty() || names.size() > 256) fail(meta, "does not list the names of the classes");
  } else {
    for (int i = 0; i < 10; ++i) names.push_back(std::to_string(i));
  }
  std::array<PictureBlock, 3> blocks;
  std::array<std::vector<std::int32_t>, 3> labels;
  for (const fs::path& file : entries) {
    if (!is_cifar_batch(file)) continue;
    const std::size_t i = file.filename().string().starts_with("test") ? test_split : train_split;
    read_cifar(file, names.size(), blocks[i], labels[i]);
  }
  Parts parts;
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (!labels[i].empty())
      parts.splits[i] =
          make_memory_part(split_place(folder, i), std::move(blocks[i]), std::move(labels[i]), names);
  return parts;
}

}  // namespace enxerto
