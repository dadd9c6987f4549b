#include "enxerto/report/markup.h"

#include <gtest/gtest.h>

#include <limits>

namespace enxerto {
namespace {

TEST(Markup, EscapesWhatMeansSomethingInHtml) {
  EXPECT_EQ(escape("<script>alert(\"1\" & '2')</script>"),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
}

TEST(Markup, NamesKeepTheirLettersWhateverTheScript) {
  EXPECT_EQ(clean("Ação 猫 🦊"), "Ação 猫 🦊");
}

TEST(Markup, ControlCharactersAndTurnsOfDirectionAreReplaced) {
  EXPECT_EQ(clean("a\x1b[31mb"), "a\uFFFD[31mb");
  EXPECT_EQ(clean("a\nb\x7f"), "a\uFFFDb\uFFFD");
  EXPECT_EQ(clean("a\u202Eb\u0085"), "a\uFFFDb\uFFFD");
}

TEST(Markup, BytesThatAreNoUtf8AreReplacedOneByOne) {
  EXPECT_EQ(clean("\xff\xfe"), "\uFFFD\uFFFD");
  EXPECT_EQ(clean("a\xc3"), "a\uFFFD");                         // cut off
  EXPECT_EQ(clean("\xc0\xbc"), "\uFFFD\uFFFD");                 // "<" in more bytes than it takes
  EXPECT_EQ(clean("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");       // a surrogate
  EXPECT_EQ(clean("\xf4\x90\x80\x80").substr(0, 3), "\uFFFD");  // beyond the last character
}

TEST(Markup, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(clean("áéíóú", 3), "áéí…");
  EXPECT_EQ(clean("áéí", 3), "áéí");
}

TEST(Markup, PatternsTakeTheirValuesInOrder) {
  EXPECT_EQ(fill("{} of {}", {"1", "{}"}), "1 of {}");
  EXPECT_EQ(fill("{} of {}", {"1"}), "1 of {}");
  EXPECT_EQ(fill("none", {"1"}), "none");
}

TEST(Markup, FiguresAreShortAndSurviveTheExtremes) {
  const Texts t;
  EXPECT_EQ(percent(0.9312, t), "93.1 %");
  EXPECT_EQ(percent(std::nullopt, t), no_figure);
  EXPECT_EQ(percent(Bounds{0.91, 0.948}, t), "91.0 to 94.8 %");
  EXPECT_EQ(short_number(0.000123, t), "0.000123");
  EXPECT_EQ(short_number(1234.5, t), "1,235");
  EXPECT_EQ(short_number(-0.5, t), "-0.5");
  EXPECT_EQ(short_number(std::numeric_limits<double>::max(), t), "1.8e+308");
}

TEST(Markup, PortugueseHasACommaWhereEnglishHasAPoint) {
  const Texts t{Language::portuguese};
  EXPECT_EQ(percent(0.9312, t), "93,1 %");
  EXPECT_EQ(percent(Bounds{0.91, 0.948}, t), "91,0 a 94,8 %");
  EXPECT_EQ(short_number(1234.5, t), "1\u00a0235");
  EXPECT_EQ(short_number(-0.5, t), "-0,5");
  EXPECT_EQ(grouped(1234567, t), "1\u00a0234\u00a0567");
  EXPECT_EQ(duration(9.46, t), "9,5s");
  EXPECT_EQ(size_in_bytes(1.5 * 1024 * 1024, t), "1,5 MiB");
}

}  // namespace
}  // namespace enxerto
