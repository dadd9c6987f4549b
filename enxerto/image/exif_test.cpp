#include "enxerto/image/exif.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// Big-endian: orientation 6, and the text "Maker".
Bytes block() {
  return bytes_of(
      std::string("MM\0*\0\0\0\x08\0\x02"
                  "\x01\x0F\0\x02\0\0\0\x06\0\0\0\x26"
                  "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
                  "\0\0\0\0Maker\0",
                  44));
}

Bytes joined(std::initializer_list<std::string> parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return bytes_of(all);
}

std::string number(std::size_t value, bool little) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> 8 * (little ? i : 3 - i));
  return out;
}

TEST(Exif, IsFoundInEveryFormatThatHasIt) {
  const Bytes exif = block();
  const std::string text(exif.begin(), exif.end()), opening("Exif\0\0", 6);
  const std::string chunk = number(4, true) + "abcd";
  const std::vector<Bytes> files{exif,  // TIFF
                                 joined({"\xFF\xD8\xFF\xE0", std::string("\0\x04xy\xFF\xE1\0", 7),
                                         std::string(1, char(8 + text.size())), opening, text}),
                                 joined({"\x89PNG\r\n\x1A\n", number(1, false), "IHDR", "xcrc!",
                                         number(text.size(), false), "eXIf", text}),
                                 joined({"RIFF", number(100, true), "WEBP", "VP8X", number(3, true),
                                         std::string("abc\0", 4), "EXIF", number(text.size(), true), text})};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Exif found(find_exif(files[i]));
    EXPECT_TRUE(found.is_sound()) << i;
    EXPECT_EQ(found.orientation(), 6) << i;
    EXPECT_EQ(found.text(found.first_directory(), 0x010F), "Maker") << i;
  }
}

TEST(Exif, CutShortOrChangedItDoesNoHarm) {
  const Bytes whole = block();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const Exif exif(cut);
    EXPECT_GE(exif.orientation(), 1);
    exif.text(exif.first_directory(), 0x010F);
  }
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = whole;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1 << bit);
      const Exif exif(changed);
      EXPECT_LE(exif.orientation(), 8);
      exif.text(exif.directory(exif.first_directory(), 0x8769), 0x9003);
    }
}

TEST(Exif, OrientationsThatMakeNoSenseAreUpright) {
  for (const int value : {0, 9, 255}) {
    Bytes bytes = block();
    bytes[31] = static_cast<std::uint8_t>(value);
    EXPECT_EQ(Exif(bytes).orientation(), 1);
  }
  EXPECT_FALSE(Exif({}).is_sound());
  EXPECT_TRUE(find_exif({}).empty());
}

}  // namespace
}  // namespace enxerto
