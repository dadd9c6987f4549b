#include "enxerto/weights/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

class Npy : public testing::Test {
 protected:
  Npy() { fs::create_directories(folder); }
  ~Npy() override { fs::remove_all(folder); }

  /// A file of version 1 with this header and data.
  void put(const std::string& header, const std::string& data) const {
    put(text("\x93NUMPY", '\x01', '\0', static_cast<char>(header.size() & 255),
             static_cast<char>(header.size() >> 8), header, data));
  }
  void put(const std::string& bytes) const { std::ofstream(file, std::ios::binary) << bytes; }
  /// The kind of Error with which reading floats ends, or nothing.
  std::string failure() const {
    try {
      load_npy_floats(file);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
      return error.kind() == ErrorKind::corrupt ? "corrupt" : "unsupported";
    }
    return {};
  }

  const fs::path folder = fs::temp_directory_path() / text("enxerto_npy_", ::getpid());
  const fs::path file = folder / "a.npy";
};

TEST_F(Npy, FloatsComeBackWithTheirDims) {
  const std::vector<float> values{1.5f, -2.0f, 3.0f, 4.0f, 5.0f, 1e-40f};
  for (const std::vector<std::int64_t>& dims : {std::vector<std::int64_t>{6}, {2, 3}, {1, 2, 3, 1}}) {
    save_npy(file, dims, values);
    const NpyArray<float> loaded = load_npy_floats(file);
    EXPECT_EQ(loaded.dims, dims);
    EXPECT_EQ(loaded.values, values);
  }
  save_npy(file, {}, std::vector<float>{7});
  EXPECT_EQ(load_npy_floats(file).values, std::vector<float>{7});
  save_npy(file, {0, 5}, std::vector<float>{});
  EXPECT_EQ(load_npy_floats(file).dims, (std::vector<std::int64_t>{0, 5}));
}

TEST_F(Npy, TheBytesAreThoseThatNumpyWrites) {
  save_npy(file, {2}, std::vector<std::int64_t>{1, -1});
  std::string header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }";
  header += std::string(117 - header.size(), ' ') + "\n";
  EXPECT_EQ(read_text_file(file), text("\x93NUMPY", '\x01', '\0', '\x76', '\0', header, '\x01',
                                       std::string(7, '\0'), std::string(8, '\xFF')));
}

TEST_F(Npy, RowsOfFeaturesComeInThreeTypes) {
  const auto rows_of = [&](const char* descr, const std::string& data) {
    put(text("{'descr': '", descr, "', 'fortran_order': False, 'shape': (2, 1, 2)}\n"), data);
    const Tensor rows = load_npy_rows(file);
    EXPECT_EQ(rows.shape(), (Shape{.n = 2, .c = 2}));
    return std::vector<float>(rows.data().begin(), rows.data().end());
  };
  const std::vector<float> wanted{1.5f, -2, 0, 0.25f};
  const std::vector<double> doubles(wanted.begin(), wanted.end());
  const auto bytes = [](const auto& from) {
    return std::string(reinterpret_cast<const char*>(from.data()), from.size() * sizeof(from[0]));
  };
  EXPECT_EQ(rows_of("<f4", bytes(wanted)), wanted);
  EXPECT_EQ(rows_of("<f8", bytes(doubles)), wanted);
  EXPECT_EQ(rows_of("<f2", bytes(std::vector<std::uint16_t>{0x3E00, 0xC000, 0, 0x3400})), wanted);
}

TEST_F(Npy, ManyRowsOfDoublesAreReadPieceByPiece) {
  std::string data(8 * 3 * 100'001, '\0');
  const double last = 7;
  std::memcpy(data.data() + data.size() - 8, &last, 8);
  put("{'descr': '<f8', 'fortran_order': False, 'shape': (100001, 3)}\n", data);
  const Tensor rows = load_npy_rows(file);
  EXPECT_EQ(rows.shape().n, 100'001);
  EXPECT_EQ(rows.data().back(), 7.0f);
}

TEST_F(Npy, RowsThatAreNoneAreRefused) {
  const std::string whole = text("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}\n");
  put(whole, std::string(16, '\0'));
  EXPECT_NO_THROW(load_npy_rows(file));
  const std::string bytes = read_text_file(file);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    put(bytes.substr(0, size));
    EXPECT_THROW(load_npy_rows(file), Error) << size;
  }
  put(bytes + "x");
  EXPECT_THROW(load_npy_rows(file), Error);
  for (const char* header :
       {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}"}) {
    put(header, std::string(16, '\0'));
    EXPECT_THROW(load_npy_rows(file), Error) << header;
  }
  put("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4)}", "");
  EXPECT_THROW(load_npy_rows(file), Error);
  EXPECT_THROW(load_npy_rows(folder / "missing.npy"), Error);
  EXPECT_THROW(load_npy_rows(folder), Error);
}

TEST_F(Npy, LabelsComeBack) {
  const std::vector<std::int64_t> labels{0, 5, -1, 1ll << 40};
  save_npy(file, {4}, labels);
  EXPECT_EQ(load_npy_integers(file).values, labels);
  EXPECT_THROW(load_npy_floats(file), Error);
  put("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\x01\x02\xFF");
  EXPECT_EQ(load_npy_integers(file).values, (std::vector<std::int64_t>{1, 2, 255}));
}

TEST_F(Npy, DoublesAreRounded) {
  const double value = 0.1;
  put("{\"shape\":(),'fortran_order':False,'descr':'<f8'}",
      std::string(reinterpret_cast<const char*>(&value), 8));
  EXPECT_EQ(load_npy_floats(file).values, std::vector<float>{0.1f});
}

TEST_F(Npy, WhatWeDoNotReadIsSaid) {
  put("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "1234");
  EXPECT_EQ(failure(), "unsupported");
  put("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", "1234");
  EXPECT_EQ(failure(), "unsupported");
  put("\x93NUMPY\x04" + std::string(20, '\0'));
  EXPECT_EQ(failure(), "unsupported");
}

TEST_F(Npy, HeadersThatMakeNoSenseAreCorrupt) {
  for (const char* header : {"", "{", "{}", "{'descr': '<f4'}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (1), 'shape': (1)}",
                             "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "{'descr': '<f4"}) {
    put(header, "1234");
    EXPECT_EQ(failure(), "corrupt") << header;
  }
}

TEST_F(Npy, AFileCutAnywhereIsRefusedAndAFlippedBitNeverCrashes) {
  save_npy(file, {2, 1}, std::vector<float>{1, 2});
  const std::string whole = read_text_file(file);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(whole.substr(0, size));
    EXPECT_NE(failure(), "") << size;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    put(bytes);
    failure();
  }
}

}  // namespace
}  // namespace enxerto
