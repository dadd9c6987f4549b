// PyTorch files that are damaged, or made to do harm.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/torch_file.h"

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;
using namespace std::string_literals;

/// A number's bytes, little-endian.
template <class T>
std::string raw(T value) {
  std::string made(sizeof value, '\0');
  std::memcpy(made.data(), &value, sizeof value);
  return made;
}

std::string unicode(std::string_view value) {
  return text("X", raw(static_cast<std::uint32_t>(value.size())), value);
}

/// A file of the old layout, little-endian, around a pickled object; then what follows it.
Bytes file_with(const std::string& pickle, const std::string& after = {}) {
  const std::string made = text("\x80\2\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."s, "\x80\2M\xE9\3."s,
                                "\x80\2}", unicode("little_endian"), "\x88s.", pickle, after);
  return {made.begin(), made.end()};
}
const std::size_t pickle_begin = file_with("").size();

/// The one storage, "0", of `items` floats, all in a pickle; and a tensor of it.
std::string storage_of(std::int64_t items, std::string_view type = "FloatStorage") {
  return text("(", unicode("storage"), "ctorch\n", type, "\n", unicode("0"), unicode("cpu"), "\x8A\x08",
              raw(items), "tQ");
}
std::string numbers(const std::vector<std::int64_t>& values) {
  std::string made = "(";
  for (const std::int64_t value : values) made += text("\x8A\x08", raw(value));
  return made + "t";
}
std::string tensor_of(std::int64_t items, std::int64_t offset, const std::vector<std::int64_t>& dims,
                      const std::vector<std::int64_t>& strides) {
  return text("ctorch._utils\n_rebuild_tensor_v2\n(", storage_of(items), "\x8A\x08", raw(offset),
              numbers(dims), numbers(strides), "\x89Nt", "R");
}
std::string keys_and_floats(std::int64_t items) {
  return text("\x80\2]", unicode("0"), "a.", raw(items),
              std::string(static_cast<std::size_t>(items) * 4, '\0'));
}

std::string failure(const Bytes& bytes, ErrorKind wanted) {
  try {
    parse_torch(bytes, "some.pt");
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(wanted)) << error.what();
    EXPECT_TRUE(std::string_view(error.what()).starts_with("some.pt")) << error.what();
    return error.what();
  }
  return {};
}

TEST(TorchHostile, TheSmallestFileIsRead) {
  const NamedTensors read =
      parse_torch(file_with(tensor_of(6, 1, {2, 2}, {3, 1}) + ".", keys_and_floats(6)), "some.pt");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].name, "tensor");
  EXPECT_EQ(read[0].dims, (std::vector<std::int64_t>{2, 2}));
}

TEST(TorchHostile, WhateverWouldRunCodeIsRefusedByNameAndPlace) {
  struct Case {
    std::string pickle;
    const char *opcode, *name;
    std::size_t at;
  };
  const std::string command = text("(", unicode("id"), "tR.");
  const Case cases[] = {
      {"\x80\2cos\nsystem\n" + command, "GLOBAL", "os.system", 2},
      {text("\x80\4\x8C\2os\x8C\6system\x93", command), "STACK_GLOBAL", "os.system", 14},
      {text("(", unicode("id"), "ios\nsystem\n."), "INST", "", 8},
      {text("(cos\nsystem\n", unicode("id"), "o."), "GLOBAL", "os.system", 1},
      {text("(", unicode("x"), "o."), "OBJ", "", 7},
      {text("cbuiltins\neval\n", command), "GLOBAL", "builtins.eval", 0},
      {text("c__builtin__\neval\n", command), "GLOBAL", "__builtin__.eval", 0},
      {"ctorch\nload\n)R.", "GLOBAL", "torch.load", 0},
      {"ccollections\nOrderedDict.__reduce__\n)R.", "GLOBAL", "collections.OrderedDict.__reduce__", 0},
      {"ctorch\nfloat32\n)R.", "REDUCE", "torch.float32", 16},
      {"ctorch\nFloatStorage\n)\x81.", "NEWOBJ", "torch.FloatStorage", 21},
      {text(unicode("x"), ")R."), "REDUCE", "not a known function", 7},
      {text("}", "}", unicode("__setstate__"), "cbuiltins\neval\nsb."), "GLOBAL", "builtins.eval", 19},
      {text("}", "}", unicode("__setstate__"), unicode("x"), "sb."), "BUILD", "", 26},
      {text("]}b."), "BUILD", "", 2},
      {text("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)NtR."),
       "REDUCE", "_rebuild_from_type_v2", 79},
      {text("(", unicode("module"), "NNNtQ."), "BINPERSID", "module", 16},
      {"\x82\1.", "EXT1", "", 0},
      {"\x83\1\1.", "EXT2", "", 0},
      {"\x84\1\1\1\1.", "EXT4", "", 0},
      {"Pos.system\n.", "PERSID", "", 0},
      {")}\x92.", "NEWOBJ_EX", "", 2},
      {"]2a.", "DUP", "", 1},
      {"S'x'\n.", "STRING", "", 0},
      {"g0\n.", "GET", "", 0},
      {"\x97.", "NEXT_BUFFER", "", 0},
      {"\xFF.", "the unknown opcode 255", "", 0},
      {"\x80\6.", "PROTO", "protocol 6", 0},
  };
  for (const Case& c : cases) {
    const std::string said = failure(file_with(c.pickle), ErrorKind::unsupported);
    EXPECT_NE(said.find(text(c.opcode, " at byte ", pickle_begin + c.at, ":")), std::string::npos)
        << c.opcode << ": " << said;
    EXPECT_NE(said.find(c.name), std::string::npos) << c.opcode << ": " << said;
  }
  const std::string said = failure(file_with("cos\nsystem\n" + command), ErrorKind::unsupported);
  for (const char* part : {"would run code", "torch.save(model.state_dict()", "safetensors"})
    EXPECT_NE(said.find(part), std::string::npos) << said;
}

TEST(TorchHostile, WhatMakesNoSenseIsRefusedByOpcodeBeforeMemoryIsTaken) {
  struct Case {
    std::string pickle;
    const char* opcode;
  };
  const Case cases[] = {
      {"]r\xFF\xFF\xFF\xFF.", "LONG_BINPUT"},
      {"]q\xFF.", "BINPUT"},
      {"q\0."s, "BINPUT"},
      {"h\0."s, "BINGET"},
      {"j\xFF\xFF\xFF\x7F.", "LONG_BINGET"},
      {text("\x8D", raw(~0ull), "abc."), "BINUNICODE8"},
      {text("\x8D", raw(1ull << 62), "abc."), "BINUNICODE8"},
      {text("X", raw(0xFFFFFFFFu), "abc."), "BINUNICODE"},
      {text("T", raw(0x7FFFFFFFu), "abc."), "BINSTRING"},
      {text("\x8E", raw(1ull << 40), "abc."), "BINBYTES8"},
      {text("\x96", raw(1ull << 40), "abc."), "BYTEARRAY8"},
      {text("\x8B", raw(0x7FFFFFFFu), "abc."), "LONG4"},
      {text("\x8B", raw(-1), "abc."), "LONG4"},
      {"\x8A\xFF.", "LONG1"},
      {"I12x\n.", "INT"},
      {"L" + std::string(10'000, '9'), "LONG"},
      {"cos", "GLOBAL"},
      {".", "STOP"},
      {"0.", "POP"},
      {"1.", "POP_MARK"},
      {"(0.", "POP"},
      {"t.", "TUPLE"},
      {"\x87.", "TUPLE3"},
      {"Na.", "APPEND"},
      {"](Ne\x88s.", "SETITEM"},
      {"}(Nu.", "SETITEMS"},
      {"N(u.", "SETITEMS"},
      {"NN\x93.", "STACK_GLOBAL"},
      {"NQ.", "BINPERSID"},
      {")Q.", "BINPERSID"},
      {"ccollections\nOrderedDict\nNR.", "REDUCE"},
      {"ccollections\nOrderedDict\n](Ne\x85R.", "REDUCE"},
      {"ctorch._utils\n_rebuild_tensor_v2\n)R.", "REDUCE"},
      {"ctorch._utils\n_rebuild_parameter\nN\x85R.", "REDUCE"},
      {"ctorch\nSize\n)R.", "REDUCE"},
      {text("ctorch\nSize\n(", std::string(17, 'N'), "tR."), "REDUCE"},
      {storage_of(-1) + ".", "BINPERSID"},
      {storage_of(std::int64_t{1} << 62) + ".", "BINPERSID"},
      {text(storage_of(1), storage_of(2), "."), "BINPERSID"},
      {text(storage_of(1), storage_of(1, "HalfStorage"), "."), "BINPERSID"},
      {storage_of(1, "float32") + ".", "BINPERSID"},
      {tensor_of(4, -1, {1}, {1}) + ".", "REDUCE"},
      {tensor_of(4, 0, {-1}, {1}) + ".", "REDUCE"},
      {tensor_of(4, 0, {1}, {-1}) + ".", "REDUCE"},
      {tensor_of(4, 0, {1}, {}) + ".", "REDUCE"},
      {tensor_of(4, 0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1)) + ".", "REDUCE"},
  };
  for (const Case& c : cases) {
    const std::string said = failure(file_with(c.pickle, keys_and_floats(4)), ErrorKind::corrupt);
    EXPECT_NE(said.find(text(c.opcode, " at byte ")), std::string::npos) << c.opcode << ": " << said;
  }
}

TEST(TorchHostile, TensorsBeyondTheirStorageAreRefused) {
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  struct Case {
    std::int64_t offset;
    std::vector<std::int64_t> dims, strides;
    const char* said;
    ErrorKind kind = ErrorKind::corrupt;
  };
  const Case cases[] = {
      {0, {5}, {1}, "beyond its storage"},
      {1, {4}, {1}, "beyond its storage"},
      {4, {1}, {1}, "beyond its storage"},
      {0, {2, 2}, {3, 1}, "beyond its storage"},
      {huge, {2}, {huge}, "beyond its storage"},
      {0, {huge}, {4}, "beyond its storage"},
      {0, {3, 3}, {huge, huge}, "beyond its storage"},
      {0, {huge, 4}, {0, 0}, "larger than any memory"},
      {0, {0, huge, 4}, {0, 0, 0}, "larger than any memory"},
      {0, {huge}, {0}, "far larger than the file", ErrorKind::unsupported},
      {0, {1 << 20, 2}, {0, 0}, "far larger than the file", ErrorKind::unsupported},
  };
  for (const Case& c : cases) {
    const std::string said =
        failure(file_with(tensor_of(4, c.offset, c.dims, c.strides) + ".", keys_and_floats(4)), c.kind);
    EXPECT_NE(said.find(c.said), std::string::npos) << said;
  }
}

TEST(TorchHostile, BombsOfNestingAndRepetitionEndEarly) {
  const std::string tensor = tensor_of(1, 0, {1}, {1});
  const auto said = [&](const std::string& pickle, ErrorKind kind) {
    return failure(file_with(pickle, keys_and_floats(1)), kind);
  };
  EXPECT_NE(said(std::string(2'000'000, '('), ErrorKind::unsupported).find("MARK at byte"),
            std::string::npos);
  EXPECT_NE(said(std::string(2'000'000, 'N'), ErrorKind::unsupported).find("NONE at byte"),
            std::string::npos);
  EXPECT_NE(said(text("N", std::string(5'000'000, '\x94')), ErrorKind::unsupported).find("MEMOIZE at byte"),
            std::string::npos);
  EXPECT_NE(said(text(std::string(100'000, ']'), tensor, std::string(100'000, 'a'), "."), ErrorKind::corrupt)
                .find("is nested more than"),
            std::string::npos);
  EXPECT_NE(failure(file_with(std::string(100'000, '}')), ErrorKind::corrupt).find("ends within a pickle"),
            std::string::npos);
  // A list that contains itself, and a dictionary that does.
  EXPECT_NE(said("]q\0h\0a."s, ErrorKind::corrupt).find("contains itself"), std::string::npos);
  EXPECT_NE(said(text("}q\0"s, unicode("x"), "h\0s."s), ErrorKind::corrupt).find("contains itself"),
            std::string::npos);
  // Forty lists, each of them twice in the next.
  std::string doubling = text("]", tensor, "aq\0"s);
  for (char i = 0; i < 40; ++i) doubling += text("](h", i, "h", i, "eq", static_cast<char>(i + 1));
  EXPECT_NE(said(doubling + ".", ErrorKind::unsupported).find("counting repetitions"), std::string::npos);
  // A key of a megabyte, nested.
  std::string deep = text("X", raw(1u << 20), std::string(1u << 20, 'k'), "q\0"s);
  EXPECT_NE(said(text(deep, "}h\0"s, tensor, "s."), ErrorKind::corrupt).find("absurdly long name"),
            std::string::npos);
}

TEST(TorchHostile, NamesAndTheOldLayoutsPartsAreChecked) {
  const std::string tensor = tensor_of(1, 0, {1}, {1});
  const auto dict = [&](const std::string& key) { return text("}", key, tensor, "s."); };
  EXPECT_NE(
      failure(file_with(dict(unicode("\xFF")), keys_and_floats(1)), ErrorKind::corrupt).find("not UTF-8"),
      std::string::npos);
  EXPECT_NE(
      failure(file_with(dict("G12345678"), keys_and_floats(1)), ErrorKind::unsupported).find("neither texts"),
      std::string::npos);
  const auto after = [&](const std::string& rest) {
    return failure(file_with(tensor + ".", rest), ErrorKind::corrupt);
  };
  EXPECT_NE(after("").find("ends within a pickle"), std::string::npos);
  EXPECT_NE(after("N.").find("not a list"), std::string::npos);
  EXPECT_NE(after("].").find("lacks the storage"), std::string::npos);
  EXPECT_NE(after(text("]", unicode("1"), "a.")).find("no tensor uses"), std::string::npos);
  EXPECT_NE(after(text("]", unicode("0"), "a.", raw(std::int64_t{2}))).find("2 elements where 1"),
            std::string::npos);
  EXPECT_NE(after(text("](", unicode("0"), unicode("0"), "e.", raw(std::int64_t{1}), "1234",
                       raw(std::int64_t{1}), "1234"))
                .find("twice"),
            std::string::npos);
  Bytes big = file_with(tensor + ".", keys_and_floats(1));
  big[pickle_begin - 3] = 0x89;  // little_endian: False
  EXPECT_NE(failure(big, ErrorKind::unsupported).find("byte order"), std::string::npos);
}

// ---- Real files, damaged.

const char* const real_files[] = {"tests/files/torch/checkpoint.pt", "tests/files/torch/checkpoint_old.pt",
                                  "tests/files/torch/views.pt", "tests/files/torch/views_old.pt"};

TEST(TorchHostile, AFileCutAnywhereIsRefused) {
  for (const char* path : real_files) {
    const Bytes whole = read_file(path);
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(parse_torch(std::span(whole).first(size), "cut"), Error) << path << " " << size;
  }
}

TEST(TorchHostile, AnyFlippedBitThrowsAnErrorOrParses) {
  for (const char* path : real_files) {
    const Bytes whole = read_file(path);
    int refused = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; bit += 7) {
      Bytes bytes = whole;
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
      try {
        std::size_t floats = 0;
        for (const NamedTensor& tensor : parse_torch(bytes, "flipped")) floats += tensor.value.data().size();
        EXPECT_LE(floats, 2 * whole.size() + (1u << 20));
      } catch (const Error&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 100) << path;
  }
}

}  // namespace
}  // namespace enxerto
