#include "enxerto/weights/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/dtype.h"

namespace enxerto {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian, and so are we");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t header_limit = 64 << 10;
constexpr std::size_t rank_limit = 64;  // NumPy's

[[noreturn]] void fail(const std::string& file, ErrorKind kind, const std::string& what) {
  throw Error(kind, text(file, ": ", what));
}

struct Header {
  std::string descr{};
  bool fortran_order = false;
  std::vector<std::int64_t> dims{};
};

/// Reads the header: a Python dictionary with the keys 'descr', 'fortran_order' and 'shape'.
class HeaderParser {
 public:
  HeaderParser(std::string_view from, const std::string& file) : rest_(from), file_(file) {}

  Header parse() {
    Header made;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !std::exchange(descr, true)) {
        made.descr = quoted();
      } else if (key == "fortran_order" && !std::exchange(order, true)) {
        made.fortran_order = truth();
      } else if (key == "shape" && !std::exchange(shape, true)) {
        made.dims = sizes();
      } else {
        broken();
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (!rest_.empty() || !descr || !order || !shape) broken();
    return made;
  }

 private:
  [[noreturn]] void broken() const {
    fail(file_, ErrorKind::corrupt, "the header of the .npy file cannot be understood");
  }
  void skip() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool take(char wanted) {
    skip();
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) broken();
  }
  std::string_view quoted() {
    skip();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '\'' && quote != '"') broken();
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) broken();
    const std::string_view inside = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return inside;
  }
  bool truth() {
    skip();
    for (const std::string_view word : {"True", "False"})
      if (rest_.starts_with(word)) {
        rest_.remove_prefix(word.size());
        return word == "True";
      }
    broken();
  }
  std::vector<std::int64_t> sizes() {
    std::vector<std::int64_t> dims;
    expect('(');
    while (!take(')')) {
      skip();
      std::int64_t dim = -1;
      const auto [end, code] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), dim);
      if (code != std::errc() || dim < 0 || dims.size() == rank_limit) broken();
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      dims.push_back(dim);
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return dims;
  }

  std::string_view rest_;
  const std::string& file_;
};

/// Understands the first bytes of a file. Returns where its data begin.
std::size_t parse_start(std::span<const std::uint8_t> bytes, const std::string& name, Header& to) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    fail(name, ErrorKind::corrupt, "not a .npy file");
  const int version = bytes[6];
  if (version < 1 || version > 3)
    fail(name, ErrorKind::unsupported, text("a .npy file of version ", version, "; 1 to 3 are read"));
  const std::size_t begin = version == 1 ? 10 : 12;
  if (bytes.size() < begin) fail(name, ErrorKind::corrupt, "ends within its header");
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + 8, begin - 8);
  if (size > header_limit) fail(name, ErrorKind::corrupt, "the header is absurdly long");
  if (size > bytes.size() - begin) fail(name, ErrorKind::corrupt, "ends within its header");
  to = HeaderParser({reinterpret_cast<const char*>(bytes.data()) + begin, size}, name).parse();
  if (to.fortran_order && to.dims.size() > 1)
    fail(name, ErrorKind::unsupported, "is in Fortran's order; save it with numpy.ascontiguousarray");
  return begin + size;
}

struct File {
  std::vector<std::uint8_t> bytes;
  std::size_t data_begin = 0;
  Header header{};
};

File read_npy(const std::filesystem::path& path) {
  File made{.bytes = read_file(path)};
  made.data_begin = parse_start(made.bytes, path.string(), made.header);
  return made;
}

/// How many numbers there are. Throws Error{corrupt} unless they are what `present` bytes hold.
std::int64_t check_size(const Header& header, std::int64_t each, std::int64_t present,
                        const std::string& name) {
  const std::int64_t size = count(header.dims);
  std::int64_t bytes = 0;
  if (size < 0 || __builtin_mul_overflow(size, each, &bytes) || bytes != present)
    fail(
        name, ErrorKind::corrupt,
        text("has ", present, " bytes of data, which is not what its shape needs; it may have been cut off"));
  return size;
}

/// The array's numbers, stored as From, or nothing where the file says that it has another type.
template <class From, class To>
bool read_as(const char* descr, File& file, const std::string& name, NpyArray<To>& to) {
  if (file.header.descr != descr) return false;
  const std::int64_t size = check_size(file.header, sizeof(From),
                                       static_cast<std::int64_t>(file.bytes.size() - file.data_begin), name);
  to.values.resize(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < to.values.size(); ++i) {
    From value;
    std::memcpy(&value, file.bytes.data() + file.data_begin + i * sizeof(From), sizeof(From));
    to.values[i] = static_cast<To>(value);
  }
  to.dims = std::move(file.header.dims);
  return true;
}

[[noreturn]] void other_type(const std::string& name, const char* wanted) {
  fail(name, ErrorKind::unsupported, text("holds numbers of another type than ", wanted));
}

template <class T>
void save(const std::filesystem::path& path, const char* descr, const std::vector<std::int64_t>& dims,
          std::span<const T> values) {
  ensure(count(dims) == static_cast<std::int64_t>(values.size()), "dims say how many values there are");
  std::string shape;
  for (const std::int64_t dim : dims) shape += text(dim, ", ");
  if (dims.size() > 1) shape.resize(shape.size() - 2);
  if (dims.size() == 1) shape.resize(shape.size() - 1);  // Python writes (3,) and (3, 4)
  std::string header = text("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", shape, "), }");
  // Spaces and an end of line until the data starts at a multiple of 64 bytes.
  const std::size_t before = magic.size() + 4;
  header.resize((before + header.size() + 1 + 63) / 64 * 64 - before - 1, ' ');
  header += '\n';
  const auto size = static_cast<std::uint16_t>(header.size());
  std::string start =
      text(magic, '\x01', '\0', static_cast<char>(size & 255), static_cast<char>(size >> 8), header);
  const std::span<const std::uint8_t> parts[] = {
      {reinterpret_cast<const std::uint8_t*>(start.data()), start.size()},
      {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()}};
  write_file(path, parts);
}

/// A file that is read piece by piece.
class Stream {
 public:
  explicit Stream(const std::filesystem::path& path) : name_(path.string()), from_(path, std::ios::binary) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed))
      fail(name_, ErrorKind::not_found, "there is no such file");
    size_ = static_cast<std::int64_t>(std::filesystem::file_size(path, failed));
    if (failed || !from_) fail(name_, ErrorKind::io, "cannot be read");
  }
  std::int64_t size() const { return size_; }
  void read(std::int64_t begin, std::uint8_t* to, std::int64_t bytes) {
    from_.seekg(begin);
    from_.read(reinterpret_cast<char*>(to), bytes);
    if (!from_) fail(name_, ErrorKind::io, "cannot be read to its end");
  }

 private:
  std::string name_;
  std::ifstream from_;
  std::int64_t size_ = 0;
};

Dtype float_type(const std::string& descr, const std::string& name) {
  if (descr == "<f4") return Dtype::f32;
  if (descr == "<f8") return Dtype::f64;
  if (descr == "<f2") return Dtype::f16;
  other_type(name, "float32, float16 or float64");
}

}  // namespace

Tensor load_npy_rows(const std::filesystem::path& path) {
  const std::string name = path.string();
  Stream file(path);
  std::vector<std::uint8_t> piece(
      static_cast<std::size_t>(std::min<std::int64_t>(file.size(), header_limit + 12)));
  file.read(0, piece.data(), std::ssize(piece));
  Header header;
  const auto begin = static_cast<std::int64_t>(parse_start(piece, name, header));
  const Dtype dtype = float_type(header.descr, name);
  const std::int64_t each = bytes_of(dtype);
  const std::int64_t size = check_size(header, each, file.size() - begin, name);
  if (header.dims.size() < 2 || size == 0)
    fail(name, ErrorKind::corrupt, "holds no rows: features are {rows, columns}, at least one of each");

  Tensor made = Tensor::untouched({.n = header.dims[0], .c = size / header.dims[0]});
  if (dtype == Dtype::f32) {
    file.read(begin, reinterpret_cast<std::uint8_t*>(made.data().data()), size * each);
    return made;
  }
  constexpr std::int64_t length = 1 << 18;
  piece.resize(static_cast<std::size_t>(std::min(size, length) * each));
  for (std::int64_t at = 0; at < size; at += length) {
    const std::int64_t numbers = std::min(length, size - at);
    file.read(begin + at * each, piece.data(), numbers * each);
    widen(dtype, piece.data(),
          made.data().subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(numbers)));
  }
  return made;
}

NpyArray<float> load_npy_floats(const std::filesystem::path& path) {
  File file = read_npy(path);
  NpyArray<float> made;
  if (!read_as<float>("<f4", file, path.string(), made) && !read_as<double>("<f8", file, path.string(), made))
    other_type(path.string(), "float32 or float64");
  return made;
}

NpyArray<std::int64_t> load_npy_integers(const std::filesystem::path& path) {
  File file = read_npy(path);
  NpyArray<std::int64_t> made;
  if (!read_as<std::int64_t>("<i8", file, path.string(), made) &&
      !read_as<std::int32_t>("<i4", file, path.string(), made) &&
      !read_as<std::uint8_t>("|u1", file, path.string(), made))
    other_type(path.string(), "int64, int32 or uint8");
  return made;
}

void save_npy(const std::filesystem::path& path, const std::vector<std::int64_t>& dims,
              std::span<const float> values) {
  save(path, "<f4", dims, values);
}

void save_npy(const std::filesystem::path& path, const std::vector<std::int64_t>& dims,
              std::span<const std::int64_t> values) {
  save(path, "<i8", dims, values);
}

}  // namespace enxerto
