#include "enxerto/weights/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/tensor/half.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// A file from its header and its data, with the length that belongs to the header.
Bytes file_of(std::string_view header, std::string_view data = {}) {
  std::string made;
  for (int i = 0; i < 8; ++i) made += static_cast<char>((header.size() >> (8 * i)) & 255);
  made += header;
  made += data;
  return {made.begin(), made.end()};
}

/// The text of the Error with which parsing ends, or nothing.
std::string failure(const Bytes& bytes, ErrorKind wanted = ErrorKind::corrupt) {
  try {
    parse_safetensors(bytes, "some.safetensors");
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(wanted)) << error.what();
    return error.what();
  }
  return {};
}

NamedTensor tensor_of(std::string name, std::vector<std::int64_t> dims) {
  NamedTensor made{std::move(name), std::move(dims), {}};
  made.value = Tensor(shape_of(made.dims));
  float next = -1.5f;
  for (float& value : made.value.data()) value = next += 0.37f;
  return made;
}

class Safetensors : public testing::Test {
 protected:
  Safetensors() { fs::create_directories(folder); }
  ~Safetensors() override { fs::remove_all(folder); }
  const fs::path folder = fs::temp_directory_path() / text("enxerto_safetensors_", ::getpid());
};

TEST_F(Safetensors, WhatIsSavedIsLoadedBitForBit) {
  NamedTensors tensors;
  tensors.push_back(tensor_of("conv1.weight", {4, 3, 2, 2}));
  tensors.push_back(tensor_of("a \"scalar\"\nção", {}));
  tensors.push_back(tensor_of("empty", {0, 7}));
  tensors.push_back(tensor_of("five", {2, 1, 3, 2, 2}));
  const auto odd = tensors[0].value.data();
  odd[0] = -0.0f;
  odd[1] = std::numeric_limits<float>::infinity();
  odd[2] = std::numeric_limits<float>::denorm_min();
  odd[3] = std::bit_cast<float>(0x7FC12345u);
  const std::map<std::string, std::string> metadata{{"classes", R"(["cão","gato"])"}, {"", "\x01"}};
  save_safetensors(folder / "a", tensors, metadata);
  const SafetensorsFile loaded = load_safetensors(folder / "a");
  EXPECT_EQ(loaded.metadata, metadata);
  ASSERT_EQ(loaded.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(loaded.tensors[i].name, tensors[i].name);
    EXPECT_EQ(loaded.tensors[i].dims, tensors[i].dims);
    const std::span<const float> want = tensors[i].value.data(), got = loaded.tensors[i].value.data();
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t j = 0; j < want.size(); ++j)
      EXPECT_EQ(std::bit_cast<std::uint32_t>(got[j]), std::bit_cast<std::uint32_t>(want[j]))
          << tensors[i].name;
  }
  // The same content is the same file, and its data is aligned.
  save_safetensors(folder / "b", loaded.tensors, loaded.metadata);
  const Bytes bytes = read_file(folder / "a");
  EXPECT_EQ(bytes, read_file(folder / "b"));
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ(header % 8, 0u);
}

TEST_F(Safetensors, InHalfPrecisionNumbersAreRoundedOnce) {
  NamedTensors tensors;
  tensors.push_back(tensor_of("odd", {3}));
  tensors.push_back(tensor_of("w", {2, 2}));
  save_safetensors(folder / "whole", tensors);
  save_safetensors(folder / "half", tensors, {}, true);
  EXPECT_LT(fs::file_size(folder / "half"), fs::file_size(folder / "whole"));
  const SafetensorsFile loaded = load_safetensors(folder / "half");
  for (std::size_t i = 0; i < tensors.size(); ++i)
    for (std::size_t j = 0; j < tensors[i].value.data().size(); ++j)
      EXPECT_EQ(loaded.tensors[i].value.data()[j], float_of(half_of(tensors[i].value.data()[j])));
  tensors[1].value.data()[3] = 7e4f;
  EXPECT_THROW(save_safetensors(folder / "large", tensors, {}, true), Error);
}

TEST_F(Safetensors, NoTensorsAtAllIsAFileToo) {
  save_safetensors(folder / "a", {});
  const SafetensorsFile loaded = load_safetensors(folder / "a");
  EXPECT_TRUE(loaded.tensors.empty());
  EXPECT_TRUE(loaded.metadata.empty());
}

TEST_F(Safetensors, TwoOfOneNameAndTextsThatAreNotUtf8AreNotSaved) {
  NamedTensors tensors;
  tensors.push_back(tensor_of("w", {2}));
  EXPECT_THROW(save_safetensors(folder / "a", tensors, {{"class", "c\xE3o"}}), Error);
  tensors.push_back(tensor_of("w", {3}));
  EXPECT_THROW(save_safetensors(folder / "a", tensors), Error);
  tensors.back().name = "__metadata__";
  EXPECT_THROW(save_safetensors(folder / "a", tensors), Error);
  EXPECT_FALSE(fs::exists(folder / "a"));
}

TEST_F(Safetensors, AMissingFileAndAFolderThatCannotBeWrittenAreNamed) {
  EXPECT_THROW(load_safetensors(folder / "none"), Error);
  EXPECT_THROW(save_safetensors(folder / "none" / "a", {}), Error);
}

template <class T>
float read_one(const char* dtype, T value) {
  const std::string data(reinterpret_cast<const char*>(&value), sizeof value);
  const std::string header =
      text(R"({"x":{"dtype":")", dtype, R"(","shape":[1],"data_offsets":[0,)", sizeof value, "]}}");
  return parse_safetensors(file_of(header, data), "one").tensors.at(0).value.data()[0];
}

TEST_F(Safetensors, EveryDtypeIsWidenedToFloat) {
  EXPECT_EQ(read_one("F32", 0.1f), 0.1f);
  EXPECT_EQ(read_one("F64", 0.1), 0.1f);
  EXPECT_EQ(read_one<std::uint16_t>("BF16", 0xC0A0), -5.0f);
  EXPECT_EQ(read_one<std::uint8_t>("BOOL", 1), 1.0f);
  EXPECT_EQ(read_one<std::uint8_t>("U8", 200), 200.0f);
  EXPECT_EQ(read_one<std::int8_t>("I8", -100), -100.0f);
  EXPECT_EQ(read_one<std::uint16_t>("U16", 60000), 60000.0f);
  EXPECT_EQ(read_one<std::int16_t>("I16", -30000), -30000.0f);
  EXPECT_EQ(read_one<std::uint32_t>("U32", 1u << 31), 0x1p31f);
  EXPECT_EQ(read_one<std::int32_t>("I32", -16777215), -16777215.0f);
  EXPECT_EQ(read_one<std::uint64_t>("U64", 1ull << 63), 0x1p63f);
  EXPECT_EQ(read_one<std::int64_t>("I64", -(1ll << 40)), -0x1p40f);
}

TEST_F(Safetensors, HalvesAreWidenedExactly) {
  const auto half = [](std::uint16_t bits) { return read_one("F16", bits); };
  EXPECT_EQ(half(0x3C00), 1.0f);
  EXPECT_EQ(half(0xC248), -3.140625f);
  EXPECT_EQ(half(0x7BFF), 65504.0f);
  EXPECT_EQ(half(0x0001), 0x1p-24f);
  EXPECT_EQ(half(0x83FF), -1023 * 0x1p-24f);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(half(0x8000)), 0x80000000u);
  EXPECT_EQ(half(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(half(0x7E00)));
}

TEST_F(Safetensors, TensorsComeInTheOrderOfTheirData) {
  const auto file = parse_safetensors(file_of(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                                              R"("a":{"data_offsets":[0,1],"shape":[],"dtype":"U8"}}   )",
                                              "\x07\x08\x09"),
                                      "order");
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].name, "a");
  EXPECT_EQ(file.tensors[0].value.data()[0], 7.0f);
  EXPECT_EQ(file.tensors[1].value.data()[1], 9.0f);
}

TEST_F(Safetensors, EveryRuleOfTheFormatIsChecked) {
  struct Case {
    const char *header, *data, *said;
  };
  const Case cases[] = {
      {"[]", "", "must begin with {"},
      {" {}", "", "must begin with {"},
      {"", "", "must begin with {"},
      {"{", "", "not JSON"},
      {"{}}", "", "not JSON"},
      {"{\"\xFF\":1}", "", "not JSON"},
      {"{}", "x", "1 bytes at the end"},
      {R"({"a":[[[[)", "", "where the format allows none"},
      {R"({"a":{"b":{"c":)", "", "does not know"},
      {R"({"a":{"dtype":{)", "", "where the format allows none"},
      {R"({"a":{"dtype":["F32"]}})", "", "where the format allows none"},
      {R"({"a":{"dtype":"","shape":[],"data_offsets":[0,4]}})", "1234", "where the format allows none"},
      {R"({"a":{"dtype":"U8","shape":[1]}})", "1", "must have a dtype"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "1", "must have a dtype"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", "1", "too many"},
      {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", "1", "where the format allows none"},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", "1", "fraction"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "1", "negative"},
      {R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", "1", "beyond 2^63"},
      {R"({"a":{"dtype":"U8","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", "", "larger than"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", "", "larger than"},
      {R"({"a":{"dtype":"U8","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})", "", "larger than"},
      {R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", "1", "twice"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":1})", "1", "twice"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "", "twice"},
      {R"({"__metadata__":{"a":1}})", "", "texts only"},
      {R"({"__metadata__":[]})", "", "texts only"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", "1", "need 2"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "", "beyond the end"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "12", "hole"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "1", "ends before"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       "123", "overlaps"},
  };
  for (const Case& c : cases) {
    const std::string said = failure(file_of(c.header, c.data));
    EXPECT_NE(said.find(c.said), std::string::npos) << c.header << "\n  said: " << said;
    EXPECT_NE(said.find("some.safetensors"), std::string::npos) << said;
  }
}

TEST_F(Safetensors, AnUnknownDtypeIsUnsupportedAndTheTensorIsNamedOnOneLine) {
  const std::string said =
      failure(file_of(R"({"a\nb":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "1"),
              ErrorKind::unsupported);
  EXPECT_NE(said.find("F8_E4M3"), std::string::npos) << said;
  EXPECT_NE(said.find(R"("a\nb")"), std::string::npos) << said;
}

TEST_F(Safetensors, AbsurdHeaderLengthsAreRefusedBeforeAnythingIsReserved) {
  for (const std::uint64_t size : {100'000'001ull, 1ull << 62, ~0ull, 3ull}) {
    Bytes bytes = file_of("{}");
    std::memcpy(bytes.data(), &size, 8);
    EXPECT_NE(failure(bytes), "");
  }
}

/// A small file with everything in it.
Bytes small_file() {
  return file_of(R"({"__metadata__":{"k":"v\u00e9"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                 R"("b":{"dtype":"F16","shape":[],"data_offsets":[8,10]}})",
                 "0123456789");
}

TEST_F(Safetensors, AFileCutAnywhereIsRefused) {
  const Bytes whole = small_file();
  EXPECT_EQ(failure(whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(failure(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "") << size;
}

TEST_F(Safetensors, AnyFlippedBitThrowsAnErrorOrParses) {
  const Bytes whole = small_file();
  int refused = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    try {
      const SafetensorsFile file = parse_safetensors(bytes, "flipped");
      std::size_t floats = 0;
      for (const NamedTensor& tensor : file.tensors) floats += tensor.value.data().size();
      EXPECT_LE(floats, 10u);  // never more than the data has bytes
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST_F(Safetensors, RealFilesAreRead) {
  const fs::path shared = "../shared/data/weights/safetensors";
  if (!fs::exists(shared)) GTEST_SKIP() << shared << " is missing: real safetensors files were NOT tested";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(shared)) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafetensorsFile file = load_safetensors(entry.path());
    EXPECT_GT(file.tensors.size(), 5u) << entry.path();
    double sum = 0;
    for (const NamedTensor& tensor : file.tensors)
      for (const float value : tensor.value.data()) sum += std::abs(value);
    EXPECT_TRUE(std::isfinite(sum) && sum > 0) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 5);
}

}  // namespace
}  // namespace enxerto
