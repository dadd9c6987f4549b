#include "enxerto/weights/keras_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/keras_config.h"

namespace enxerto {
namespace {

const std::filesystem::path files = "tests/files/keras";

std::vector<std::string> names_of(const KerasFile& file) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : file.tensors) names.push_back(tensor.name);
  std::ranges::sort(names);
  return names;
}

void expect_same(const KerasFile& a, const KerasFile& b) {
  EXPECT_EQ(names_of(a), names_of(b));
  for (const NamedTensor& tensor : a.tensors) {
    const NamedTensor* other = find_tensor(b.tensors, tensor.name);
    if (other == nullptr) continue;
    EXPECT_EQ(tensor.dims, other->dims) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(tensor.value.data(), other->value.data())) << tensor.name;
  }
}

TEST(KerasFile, EveryLayoutGivesTheSameTensors) {
  const KerasFile whole = load_keras(files / "plain.h5");
  EXPECT_EQ(names_of(whole),
            (std::vector<std::string>{"conv/bias", "conv/kernel", "flat_norm/beta", "flat_norm/gamma",
                                      "flat_norm/moving_mean", "flat_norm/moving_variance", "hidden/bias",
                                      "hidden/kernel", "logits/bias", "logits/kernel", "norm/beta",
                                      "norm/gamma", "norm/moving_mean", "norm/moving_variance"}));
  EXPECT_EQ(find_tensor(whole.tensors, "conv/kernel")->dims, (std::vector<std::int64_t>{3, 3, 3, 6}));
  EXPECT_TRUE(whole.version.starts_with("3."));
  EXPECT_FALSE(whole.config.empty());
  for (const char* name : {"plain.keras", "plain_keras213.keras"}) {
    SCOPED_TRACE(name);
    const KerasFile archive = load_keras(files / name);
    expect_same(whole, archive);
    EXPECT_FALSE(archive.config.empty());
  }
  for (const char* name : {"plain.weights.h5", "plain_keras2_weights.h5"}) {
    SCOPED_TRACE(name);
    const KerasFile weights = load_keras(files / name);
    expect_same(whole, weights);
    EXPECT_TRUE(weights.config.empty());
  }
}

TEST(KerasFile, ModelsInsideModelsAreFlattened) {
  const KerasFile archive = load_keras(files / "nested.keras");
  expect_same(archive, load_keras(files / "nested.h5"));
  for (const char* name : {"base/conv2d/kernel", "outer/inner/conv2d/kernel", "outer/inner/second/bias",
                           "outer/norm/gamma", "head/kernel"})
    EXPECT_NE(find_tensor(archive.tensors, name), nullptr) << name;
}

TEST(KerasFile, GroupNamesAreMadeAsKerasMakesThem) {
  EXPECT_EQ(keras::snake_case("Conv2D"), "conv2d");
  EXPECT_EQ(keras::snake_case("DepthwiseConv2D"), "depthwise_conv2d");
  EXPECT_EQ(keras::snake_case("BatchNormalization"), "batch_normalization");
  EXPECT_EQ(keras::snake_case("ReLU"), "re_lu");
  EXPECT_EQ(keras::snake_case("PReLU"), "p_re_lu");
}

TEST(KerasFile, JsonNestedWithoutEndIsRefused) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  try {
    keras::parse_json(deep, "deep.keras");
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_NE(std::string_view(error.what()).find("nested"), std::string_view::npos) << error.what();
  }
  EXPECT_THROW(keras::parse_json(std::string(1'000'000, '['), "deep.keras"), Error);
  EXPECT_THROW(keras::parse_json("{\"a\": \"\xFF\"}", "bad.keras"), Error);
}

TEST(KerasFile, ModelsNestedWithoutEndAreRefused) {
  std::string config = R"({"class_name":"Sequential","config":{"layers":[]}})";
  for (int i = 0; i < 40; ++i)
    config = R"({"class_name":"Sequential","config":{"name":"m","layers":[)" + config + "]}}";
  const keras::Json model = keras::parse_json(config, "deep.keras");
  EXPECT_THROW(keras::all_layers(model, "deep.keras"), Error);
}

TEST(KerasFile, DamagedArchivesAreErrors) {
  for (const char* name : {"plain_keras213.keras", "plain.keras", "plain.h5"}) {
    const std::vector<std::uint8_t> whole = read_file(files / name);
    Rng rng(3);
    for (int round = 0; round < 60; ++round) {
      std::vector<std::uint8_t> damaged = whole;
      if (round % 3 == 0)
        damaged.resize(rng.below(whole.size()));
      else
        for (int i = 0; i < round % 4 + 1; ++i)
          damaged[rng.below(damaged.size())] ^= static_cast<std::uint8_t>(1u << rng.below(8));
      try {
        parse_keras(damaged, "hostile");
      } catch (const Error& error) {
        EXPECT_TRUE(std::string_view(error.what()).starts_with("hostile: ")) << error.what();
      }
    }
  }
}

TEST(KerasFile, ALayerListedAgainAndAgainIsRefusedAtOnce) {
  try {
    load_keras("tests/files/hdf5/layer_twice.h5");
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_NE(std::string_view(error.what()).find("the layer \"a\" twice"), std::string_view::npos)
        << error.what();
  }
}

TEST(KerasFile, OtherFilesAreSaidToBeOthers) {
  EXPECT_THROW(parse_keras({}, "empty"), Error);
  try {
    parse_keras(read_file("tests/files/hdf5/numbers.h5"), "numbers.h5");
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  }
}

}  // namespace
}  // namespace enxerto
