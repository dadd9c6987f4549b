#include "enxerto/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/tensor/half.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/dtype.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;
static_assert(std::endian::native == std::endian::little, "the files are little-endian, and so are we");

constexpr std::uint64_t header_limit = 100'000'000;  // the bound of the format's own library
constexpr std::size_t rank_limit = 64;               // NumPy's
constexpr std::string_view metadata_key = "__metadata__";

struct DtypeName {
  std::string_view name;
  Dtype dtype;
};
constexpr DtypeName dtype_names[] = {
    {"F32", Dtype::f32},      {"F16", Dtype::f16}, {"BF16", Dtype::bf16}, {"F64", Dtype::f64},
    {"BOOL", Dtype::boolean}, {"U8", Dtype::u8},   {"I8", Dtype::i8},     {"U16", Dtype::u16},
    {"I16", Dtype::i16},      {"U32", Dtype::u32}, {"I32", Dtype::i32},   {"U64", Dtype::u64},
    {"I64", Dtype::i64},
};

// ---- The header.

struct Entry {
  std::string name;
  std::string dtype{};
  std::vector<std::int64_t> dims{};
  std::vector<std::int64_t> offsets{};
  bool has_dims = false;
};

/// Takes the header's JSON piece by piece and accepts only what the format allows, so that nothing
/// nested or large is ever built, and a name that appears twice is seen.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(std::size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::top;
    } else if (place_ == Place::top) {
      place_ = key_ == metadata_key ? Place::metadata : Place::tensor;
      if (place_ == Place::tensor) entries.push_back({.name = key_});
    } else {
      refuse("an object");
    }
    return true;
  }

  bool key(std::string& name) override {
    if (place_ == Place::top) {
      if (!names_.insert(name).second) fail("appears twice in the header", &name);
    } else if (place_ == Place::metadata) {
      if (metadata.contains(name))
        throw Error(ErrorKind::corrupt, text(file_, ": the metadata has ", shown(name), " twice"));
    } else {
      const Entry& entry = entries.back();
      const bool again = (name == "dtype" && !entry.dtype.empty()) || (name == "shape" && entry.has_dims) ||
                         (name == "data_offsets" && !entry.offsets.empty());
      if (again) fail(text("has ", shown(name), " twice"));
      if (name != "dtype" && name != "shape" && name != "data_offsets")
        fail(text("has an entry ", shown(name), " that the format does not know"));
    }
    (place_ == Place::tensor ? field_ : key_) = std::move(name);
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      const Entry& entry = entries.back();
      if (entry.dtype.empty() || !entry.has_dims || entry.offsets.size() != 2)
        fail("must have a dtype, a shape and two data_offsets");
    }
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || field_ == "dtype") refuse("a list");
    place_ = field_ == "shape" ? Place::dims : Place::offsets;
    if (place_ == Place::dims) entries.back().has_dims = true;
    return true;
  }
  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      metadata.emplace(key_, std::move(value));
    } else if (place_ == Place::tensor && field_ == "dtype" && !value.empty()) {
      entries.back().dtype = std::move(value);
    } else {
      refuse("a text");
    }
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::dims && place_ != Place::offsets) refuse("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      fail("has a size or an offset beyond 2^63");
    auto& list = place_ == Place::dims ? entries.back().dims : entries.back().offsets;
    if (list.size() == (place_ == Place::dims ? rank_limit : 2)) fail("has too many sizes or offsets");
    list.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a truth value"); }
  bool number_integer(std::int64_t) override { return refuse("a negative number"); }
  bool number_float(double, const std::string&) override { return refuse("a number with a fraction"); }
  bool binary(Json::binary_t&) override { return refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    throw Error(ErrorKind::corrupt, text(file_, ": the header is not JSON (byte ", 8 + position,
                                         "); the file is damaged or is not a safetensors file"));
  }

 private:
  enum class Place { outside, top, metadata, tensor, dims, offsets };

  [[noreturn]] void fail(const std::string& what, const std::string* name = nullptr) const {
    throw Error(ErrorKind::corrupt, text(file_, ": tensor ", shown(name ? *name : key_), " ", what));
  }
  [[noreturn]] bool refuse(const char* what) const {
    if (place_ == Place::outside)
      throw Error(ErrorKind::corrupt, text(file_, ": the header must be a JSON object"));
    if (place_ == Place::metadata || key_ == metadata_key)
      throw Error(ErrorKind::corrupt, text(file_, ": the metadata must hold texts only, not ", what));
    fail(text("has ", what, " where the format allows none"));
  }

  const std::string& file_;
  Place place_ = Place::outside;
  std::string key_, field_;
  std::unordered_set<std::string> names_;
};

NamedTensor read_tensor(Entry&& entry, std::span<const std::uint8_t> data, const std::string& file) {
  const auto fail = [&](ErrorKind kind, const std::string& what) {
    throw Error(kind, text(file, ": tensor ", shown(entry.name), " ", what));
  };
  const auto dtype = std::ranges::find(dtype_names, entry.dtype, &DtypeName::name);
  if (dtype == std::end(dtype_names))
    fail(ErrorKind::unsupported,
         text("has dtype ", shown(entry.dtype), ", which is not read; store it as F32, F16 or BF16"));
  const std::int64_t size = count(entry.dims);
  std::int64_t bytes = 0;
  if (size < 0 || __builtin_mul_overflow(size, bytes_of(dtype->dtype), &bytes))
    fail(ErrorKind::corrupt, "is larger than any memory");
  const std::int64_t begin = entry.offsets[0], end = entry.offsets[1];
  if (end - begin != bytes)
    fail(ErrorKind::corrupt,
         text("has ", end - begin, " bytes of data where its dtype and shape need ", bytes));
  NamedTensor made{std::move(entry.name), std::move(entry.dims), {}};
  made.value = Tensor(shape_of(made.dims));
  widen(dtype->dtype, data.data() + begin, made.value.data());
  return made;
}

}  // namespace

SafetensorsFile parse_safetensors(std::span<const std::uint8_t> bytes, const std::string& name_for_errors) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::corrupt, text(name_for_errors, ": ", what));
  };
  std::uint64_t header_size = 0;
  if (bytes.size() < sizeof header_size)
    fail("too short for a safetensors file; the download or copy may have been cut off");
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  if (header_size > header_limit)
    fail("the header would be larger than 100 MB; this is not a safetensors file");
  if (header_size > bytes.size() - sizeof header_size)
    fail("ends within its header; the download or copy may have been cut off");
  const auto header = bytes.subspan(sizeof header_size, header_size);
  const auto data = bytes.subspan(sizeof header_size + header_size);
  if (header.empty() || header[0] != '{')
    fail("the header must begin with {; this is not a safetensors file");

  HeaderReader reader(name_for_errors);
  Json::sax_parse(header.begin(), header.end(), &reader);

  auto& entries = reader.entries;
  std::ranges::stable_sort(entries, {},
                           [](const Entry& entry) { return std::pair(entry.offsets[0], entry.offsets[1]); });
  std::int64_t at = 0;
  for (const Entry& entry : entries) {
    const auto [begin, end] = std::pair(entry.offsets[0], entry.offsets[1]);
    const auto wrong = [&](const char* what) { fail(text("tensor ", shown(entry.name), " ", what)); };
    if (begin > end) wrong("ends before it begins");
    if (begin < at) wrong("overlaps with another tensor");
    if (begin > at) wrong("leaves a hole before it");
    if (static_cast<std::uint64_t>(end) > data.size())
      wrong("lies beyond the end of the file; the download or copy may have been cut off");
    at = end;
  }
  if (static_cast<std::uint64_t>(at) != data.size())
    fail(text(data.size() - static_cast<std::uint64_t>(at), " bytes at the end belong to no tensor"));

  SafetensorsFile made;
  made.metadata = std::move(reader.metadata);
  made.tensors.reserve(entries.size());
  for (Entry& entry : entries) made.tensors.push_back(read_tensor(std::move(entry), data, name_for_errors));
  return made;
}

SafetensorsFile load_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path), path.string());
}

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata, bool half) {
  const auto json_text = [&](const std::string& value) {
    try {
      return Json(value).dump();
    } catch (const Json::exception&) {
      throw Error(ErrorKind::usage,
                  text(path.string(), ": cannot hold ", shown(value), ", which is not UTF-8"));
    }
  };
  std::string header = "{";
  if (!metadata.empty()) {
    std::vector<std::string> texts;
    for (const auto& [key, value] : metadata) texts.push_back(json_text(key) + ":" + json_text(value));
    header += text("\"", metadata_key, "\":{", join(texts, ","), "}");
  }
  std::unordered_set<std::string_view> names{metadata_key};
  std::int64_t at = 0;
  for (const NamedTensor& tensor : tensors) {
    if (!names.insert(tensor.name).second)
      throw Error(ErrorKind::usage,
                  text(path.string(), ": cannot hold two tensors called ", shown(tensor.name)));
    const std::int64_t size = count(tensor.dims);
    ensure(size == tensor.value.shape().size(), "a tensor's dims say how many elements it has");
    const std::int64_t end =
        at + size * static_cast<std::int64_t>(half ? sizeof(std::uint16_t) : sizeof(float));
    header +=
        text(header.size() > 1 ? "," : "", json_text(tensor.name), ":{\"dtype\":\"", half ? "F16" : "F32",
             "\",\"shape\":", Json(tensor.dims).dump(), ",\"data_offsets\":[", at, ",", end, "]}");
    at = end;
  }
  header += "}";
  // Spaces until the data starts at a multiple of 8 bytes, as the format's own library does.
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > header_limit)
    throw Error(ErrorKind::unsupported,
                text(path.string(), ": names and metadata take more than the 100 MB that the format allows"));

  const std::uint64_t header_size = header.size();
  const auto bytes_of = [](const auto* from, std::size_t number) {
    return std::span(reinterpret_cast<const std::uint8_t*>(from), number * sizeof *from);
  };
  std::vector<std::span<const std::uint8_t>> parts{bytes_of(&header_size, 1),
                                                   bytes_of(header.data(), header.size())};
  std::vector<std::vector<std::uint16_t>> halves;
  for (const NamedTensor& tensor : tensors) {
    const std::span<const float> values = tensor.value.data();
    if (!half) {
      parts.push_back(bytes_of(values.data(), values.size()));
      continue;
    }
    for (const float value : values)
      if (std::abs(value) >= 65520)  // rounds to infinity
        throw Error(ErrorKind::usage, text(path.string(), ": ", shown(tensor.name), " has ", value,
                                           ", more than half precision can hold; write it as float"));
    std::vector<std::uint16_t>& made = halves.emplace_back(values.size());
    std::ranges::transform(values, made.begin(), half_of);
    parts.push_back(bytes_of(made.data(), made.size()));
  }
  write_file(path, parts);
}

}  // namespace enxerto
