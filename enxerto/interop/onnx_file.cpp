#include "enxerto/interop/onnx_file.h"

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_read.h"

namespace enxerto {
namespace onnx {
namespace {

constexpr std::uint64_t file_limit = (std::uint64_t{1} << 31) - 1;  // protobuf's own
constexpr std::int64_t pieces_limit = 1'000'000;
constexpr std::int64_t packed_limit = 256 << 20;

enum class Message {
  none,
  model,
  graph,
  node,
  attribute,
  tensor,
  value_info,
  type,
  tensor_type,
  shape,
  other
};

/// What lies in a field of bytes of this message. The schema has no message within itself, so no file nests
/// deeper than this function lets it.
Message within(Message message, std::uint64_t field) {
  switch (message) {
    case Message::model:
      return field == 7 ? Message::graph : field == 8 || field == 14 ? Message::other : Message::none;
    case Message::graph:
      return field == 1                   ? Message::node
             : field == 5                 ? Message::tensor
             : field == 11 || field == 12 ? Message::value_info
                                          : Message::none;
    case Message::node:
      return field == 5 ? Message::attribute : Message::none;
    case Message::attribute:
      return field == 5 ? Message::tensor : Message::none;
    case Message::tensor:
      return field == 13 ? Message::other : Message::none;
    case Message::value_info:
      return field == 2 ? Message::type : Message::none;
    case Message::type:
      return field == 1 ? Message::tensor_type : Message::none;
    case Message::tensor_type:
      return field == 2 ? Message::shape : Message::none;
    case Message::shape:
      return field == 1 ? Message::other : Message::none;
    default:
      return Message::none;
  }
}

bool is_packed(Message message, std::uint64_t field) {
  return (message == Message::tensor && (field == 1 || field == 5 || field == 7 || field == 11)) ||
         (message == Message::attribute && field == 8);
}

/// Reads the wire format, and fails at the first byte that cannot be.
class Walker {
 public:
  explicit Walker(const std::string& file) : file_(file) {}

  void walk(std::span<const std::uint8_t> bytes, Message message) {
    while (!bytes.empty()) {
      const std::uint64_t tag = varint(bytes);
      if (tag >> 3 == 0 || tag >> 3 >= 1u << 29) fail("has a field that cannot be");
      switch (tag & 7) {
        case 0:
          varint(bytes);
          break;
        case 1:
          skip(bytes, 8);
          break;
        case 2:
          bytes_field(bytes, message, tag >> 3);
          break;
        case 5:
          skip(bytes, 4);
          break;
        default:
          fail("has a field of a kind that ONNX does not use");
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::corrupt,
                text(file_, ": ", what, "; the file is damaged, cut off, or not an ONNX file"));
  }

  std::uint64_t varint(std::span<const std::uint8_t>& bytes) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
      value |= std::uint64_t{bytes[i] & 0x7Fu} << (7 * i);
      if ((bytes[i] & 0x80) != 0) continue;
      bytes = bytes.subspan(i + 1);
      return value;
    }
    fail("ends within a number");
  }

  void skip(std::span<const std::uint8_t>& bytes, std::uint64_t count) const {
    if (count > bytes.size()) fail("ends within a field");
    bytes = bytes.subspan(count);
  }

  void bytes_field(std::span<const std::uint8_t>& bytes, Message message, std::uint64_t field) {
    const std::uint64_t size = varint(bytes);
    if (size > bytes.size()) fail("ends within a field");
    if (++pieces_ > pieces_limit)
      throw Error(ErrorKind::unsupported, text(file_, ": has more than ", with_commas(pieces_limit),
                                               " messages and texts; no network that we can run has"));
    if (is_packed(message, field) && (packed_ += static_cast<std::int64_t>(size)) > packed_limit)
      throw Error(ErrorKind::unsupported,
                  text(file_,
                       ": has more than 256 MiB of numbers of variable length; store its tensors as "
                       "raw data"));
    if (const Message inner = within(message, field); inner != Message::none)
      walk(bytes.subspan(0, size), inner);
    bytes = bytes.subspan(size);
  }

  const std::string& file_;
  std::int64_t pieces_ = 0, packed_ = 0;
};

}  // namespace

ModelProto parse_model(std::span<const std::uint8_t> bytes, const std::string& file) {
  if (bytes.size() > file_limit)
    throw Error(ErrorKind::unsupported, text(file, ": is larger than 2 GiB, which ONNX cannot be"));
  Walker(file).walk(bytes, Message::model);
  ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph())
    throw Error(ErrorKind::corrupt,
                text(file, ": holds no ONNX graph; the file is damaged, cut off, or not an ONNX file"));
  return model;
}

ModelProto load_model(const std::filesystem::path& path) {
  return parse_model(read_file(path, file_limit), path.string());
}

std::string shown(const std::string& text) {
  constexpr std::size_t longest = 120;
  std::string made = text.substr(0, longest);
  for (char& letter : made)
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) letter = '?';
  return text.size() > longest ? made + "..." : made;
}

}  // namespace onnx

bool looks_like_onnx(std::span<const std::uint8_t> bytes) {
  // Writers put fields in the order of their numbers: the version of the format (field 1) comes first.
  constexpr std::uint8_t version_tag = 1 << 3, graph_tag = 7 << 3 | 2;
  if (bytes.size() < 4 || bytes[0] != version_tag || bytes[1] == 0 || bytes[1] >= 0x80) return false;
  std::size_t at = 2;
  const auto varint = [&]() -> std::uint64_t {
    std::uint64_t value = 0;
    for (int i = 0; i < 10 && at < bytes.size(); ++i) {
      const std::uint8_t byte = bytes[at++];
      value |= std::uint64_t{byte & 0x7Fu} << (7 * i);
      if (byte < 0x80) return value;
    }
    at = bytes.size();
    return value;
  };
  while (at < bytes.size()) {
    const std::uint8_t tag = bytes[at++];
    const int field = tag >> 3, wire = tag & 7;
    if (tag == graph_tag) return true;
    if (wire == 2 && ((field >= 2 && field <= 8 && field != 5) || field == 14)) {
      const std::uint64_t size = varint();
      if (size > bytes.size() - at) return false;
      at += size;
    } else if (wire == 0 && field == 5) {
      varint();
    } else {
      return false;
    }
  }
  return false;
}

}  // namespace enxerto
