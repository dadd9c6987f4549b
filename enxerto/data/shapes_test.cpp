#include "enxerto/data/shapes.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "enxerto/core/error.h"
#include "enxerto/data/open.h"

namespace enxerto {
namespace {

TEST(Shapes, APictureDependsOnSeedAndNumberAlone) {
  const auto few = make_crosses_and_circles(4, 32, 1), many = make_crosses_and_circles(9, 32, 1);
  for (std::int64_t i = 0; i < few->size(); ++i) EXPECT_EQ(few->get(i).image, many->get(i).image);
  EXPECT_NE(few->get(0).image, make_crosses_and_circles(1, 32, 2)->get(0).image);
  EXPECT_EQ(labels_of(*few), (std::vector<std::int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(few->name(3), "crosses and circles#3");
}

TEST(Shapes, WrittenAsFoldersTheyComeBackTheSame) {
  const auto folder = std::filesystem::temp_directory_path() / "enxerto_shapes_test";
  std::filesystem::remove_all(folder);
  const auto made = make_crosses_and_circles(10, 16, 4, 3);
  write_dataset_as_folder(*made, folder);
  const Splits back = open_data(folder);
  ASSERT_EQ(back.train->size(), 10);
  EXPECT_EQ(back.train->classes()[0], "circle");
  EXPECT_EQ(back.train->classes()[1], "cross");
  // Sorted by path, so the circles 0, 2, .. come first.
  for (std::int64_t i = 0; i < 10; ++i) {
    const Sample sample = back.train->get(i), wanted = made->get(i < 5 ? 2 * i : 2 * i - 9);
    EXPECT_EQ(sample.image, wanted.image) << i;
    EXPECT_EQ(sample.label, wanted.label) << i;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace enxerto
