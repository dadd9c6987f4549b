#include "enxerto/doctor/near.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

/// Families of noisy pictures, in any turn: members of one are alike, others are not.
std::vector<Look> families(int count, int members, Rng rng) {
  std::vector<Look> looks;
  for (int family = 0; family < count; ++family) {
    Image first(luma_side, luma_side, 1);
    for (std::uint8_t& pixel : first.pixels) pixel = static_cast<std::uint8_t>(rng.below(256));
    for (int member = 0; member < members; ++member) {
      Image image(luma_side, luma_side, 1);
      turn(first.pixels.data(), image.pixels.data(), luma_side, static_cast<Symmetry>(rng.below(symmetries)));
      const auto noise = static_cast<std::uint64_t>(10 + 30 * (member % 4));
      for (std::uint8_t& pixel : image.pixels)
        pixel = static_cast<std::uint8_t>(std::min<std::uint64_t>(255, pixel + rng.below(noise)));
      looks.push_back(look_of(image));
    }
  }
  shuffle(looks, rng);
  return looks;
}

std::vector<std::vector<std::int64_t>> groups_of(std::size_t n, const std::vector<NearPair>& pairs) {
  UnionFind joined(static_cast<std::int64_t>(n));
  for (const NearPair& pair : pairs) joined.join(pair.a, pair.b);
  return joined.groups();
}

TEST(Near, FindsTheGroupsThatComparingAllWithAllFinds) {
  const std::vector<Look> looks = families(60, 12, Rng(3));
  const std::vector<std::uint8_t> all(looks.size(), 1);
  for (const int distance : {0, 3, 4, 7, 11}) {
    const NearRule rule{.hash_distance = distance, .whole = 0.9, .detail = 0.7, .colour = 12};
    const auto wanted = groups_of(looks.size(), find_near_slowly(looks, all, rule));
    EXPECT_GE(wanted.size(), 50u);
    EXPECT_EQ(groups_of(looks.size(), find_near(looks, all, rule, 1)), wanted) << distance;
  }
}

TEST(Near, ThePairsDoNotDependOnTheNumberOfThreads) {
  const std::vector<Look> looks = families(100, 12, Rng(4));
  const std::vector<std::uint8_t> all(looks.size(), 1);
  const auto one = find_near(looks, all, {}, 1), four = find_near(looks, all, {}, 4);
  ASSERT_EQ(one.size(), four.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].a, four[i].a);
    EXPECT_EQ(one[i].b, four[i].b);
    EXPECT_EQ(one[i].symmetry, four[i].symmetry);
    EXPECT_LT(one[i].a, one[i].b);
  }
}

TEST(Near, OnlyThoseTakePartThatShould) {
  const std::vector<Look> looks = families(1, 2, Rng(5));
  EXPECT_EQ(find_near(looks, std::vector<std::uint8_t>{1, 1}, {}, 1).size(), 1u);
  EXPECT_EQ(find_near(looks, std::vector<std::uint8_t>{1, 0}, {}, 1).size(), 0u);
}

TEST(Near, ManyFramesOfOneSceneTakeNoSquareOfTime) {
  // 8,000 alike: all their pairs would be 32 million comparisons, minutes.
  std::vector<Look> looks = families(1, 4, Rng(6));
  looks.resize(8000, looks.front());
  const std::vector<std::uint8_t> all(looks.size(), 1);
  const auto groups = groups_of(looks.size(), find_near(looks, all, {}, 2));
  ASSERT_FALSE(groups.empty());
  EXPECT_GE(std::ranges::max(groups, {}, &std::vector<std::int64_t>::size).size(), 7997u);
}

TEST(Near, UnionFindJoinsSets) {
  UnionFind sets(6);
  EXPECT_TRUE(sets.join(4, 5));
  EXPECT_TRUE(sets.join(1, 4));
  EXPECT_FALSE(sets.join(5, 1));
  EXPECT_EQ(sets.find(5), 1);
  EXPECT_EQ(sets.groups(), (std::vector<std::vector<std::int64_t>>{{1, 4, 5}}));
}

}  // namespace
}  // namespace enxerto
