#include "enxerto/zoo/builtin.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/graph/summary.h"
#include "enxerto/zoo/pretrained.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

class Builtin : public testing::Test {
 protected:
  ~Builtin() override { fs::remove_all(folder); }
  const fs::path folder = fs::temp_directory_path() / text("enxerto_builtin_", ::getpid());
};

TEST_F(Builtin, IsAModelThatKnowsItsPictures) {
  const Pretrained loaded = load_pretrained(builtin_file(folder));
  const Graph& graph = loaded.model.graph;
  const Preprocess preprocess = Preprocess::from_json(loaded.model.preprocess);
  EXPECT_EQ(preprocess.height, graph.input_shape().h);
  EXPECT_GE(preprocess.height, 96);
  EXPECT_LE(preprocess.height, 160);
  EXPECT_TRUE(loaded.model.classes.empty());
  const Shape features = graph.output_shape();
  EXPECT_EQ(features.h * features.w, 1);
  // What the project promises of it: it is small.
  EXPECT_LE(builtin_model().size(), 4'000'000u);
  EXPECT_LE(summarize(graph).parameters, 3'000'000);
}

TEST_F(Builtin, TakesPicturesOfAnotherSize) {
  const Pretrained whole = load_pretrained(builtin_file(folder));
  const Pretrained small = load_pretrained(builtin_file(folder), {.size = 80});
  EXPECT_EQ(small.model.graph.input_shape(), (Shape{.c = 3, .h = 80, .w = 80}));
  EXPECT_EQ(Preprocess::from_json(small.model.preprocess).width, 80);
  EXPECT_TRUE(small.model.trunk);
  const NamedTensors weights = whole.model.graph.state(), same = small.model.graph.state();
  ASSERT_EQ(weights.size(), same.size());
  for (std::size_t i = 0; i < same.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(weights[i].value.data(), same[i].value.data())) << same[i].name;
  EXPECT_THROW(load_pretrained(builtin_file(folder), {.net = "resnet18"}), Error);
}

TEST_F(Builtin, FileIsWrittenOnceAndMended) {
  const fs::path file = builtin_file(folder);
  const auto written = fs::last_write_time(file);
  EXPECT_EQ(builtin_file(folder), file);
  EXPECT_EQ(fs::last_write_time(file), written);
  std::vector<std::uint8_t> damaged = read_file(file);
  damaged[damaged.size() / 2] ^= 1;
  write_file(file, std::array{std::span<const std::uint8_t>(damaged)});
  EXPECT_TRUE(std::ranges::equal(read_file(builtin_file(folder)), builtin_model()));
}

TEST_F(Builtin, WithoutAPlaceItSaysWhich) {
  write_file(folder, "no folder");
  try {
    builtin_file(folder / "cache");
    FAIL() << "wrote into a file";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(std::string(error.what()).find(folder.string()), std::string::npos);
  }
}

}  // namespace
}  // namespace enxerto
