#include "enxerto/zoo/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/json.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/weights/safetensors.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class ModelFiles : public testing::Test {
 protected:
  ModelFiles() { fs::create_directories(folder); }
  ~ModelFiles() override { fs::remove_all(folder); }

  static ModelFile small_model() {
    ModelFile model;
    const NodeId image = model.graph.input({.c = 1, .h = 6, .w = 6});
    const NodeId conv = model.graph.add("conv", Conv2d{.out = 2, .kernel = 3}, {image});
    const NodeId bn = model.graph.add("bn", BatchNorm{}, {conv});
    model.graph.add("fc", Linear{.out = 3}, {model.graph.add("pool", GlobalAvgPool{}, {bn})});
    model.graph.init({}, Rng(1));
    model.graph.freeze("conv");
    model.preprocess = {{"size", 6}, {"mean", {0.5}}};
    model.classes = {"árvore", "casa", "rio"};
    model.training = {{"epochs", 3}};
    return model;
  }

  /// Rows {n,2} of 3 classes.
  static Tensor rows(std::int64_t n) {
    Tensor made({.n = n, .c = 2});
    Rng rng(4);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < 2; ++j)
        made.data()[static_cast<std::size_t>(2 * i + j)] =
            2 * static_cast<float>(i % 3 * (1 - j)) + rng.normal();
    return made;
  }

  /// The same with a head that is no layer, on the 2 features, and an unknown answer.
  static ModelFile model_with(const std::string& kind, int pca = 0) {
    ModelFile model = small_model();
    model.graph.cut_after("pool");
    const Tensor x = rows(30);
    std::vector<std::int32_t> y;
    for (int i = 0; i < 30; ++i) y.push_back(i % 3);
    HeadConfig config;
    config.kind = kind;
    config.trees = 3;
    config.pca = pca;
    const Rows both{x.view(), y, 3};
    HeadFit fit = fit_head(both, model.classes, config);
    fit.head.temperature = 1.5;
    model.head = std::make_shared<FittedHead>(std::move(fit.head));
    Novelty novelty = *fit_novelty(both, {.components = 1});
    novelty.threshold = 1.25;
    model.novelty = std::make_shared<Novelty>(std::move(novelty));
    return model;
  }

  /// What loading throws of a small model that was saved with these changes.
  Error refusal(const std::function<void(SafetensorsFile&)>& change) const {
    return refusal(small_model(), change);
  }
  Error refusal(const ModelFile& model, const std::function<void(SafetensorsFile&)>& change) const {
    save_model(folder / "whole.safetensors", model);
    SafetensorsFile stored = load_safetensors(folder / "whole.safetensors");
    change(stored);
    save_safetensors(folder / "changed.safetensors", stored.tensors, stored.metadata);
    return error_of(folder / "changed.safetensors");
  }
  /// Without write_file()'s flush to the disk, which takes its time.
  void write(const char* name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }
  static Error error_of(const fs::path& path) {
    try {
      load_model(path);
    } catch (const Error& error) {
      return error;
    }
    return {ErrorKind::interrupted, "nothing was thrown"};
  }

  const fs::path folder = fs::temp_directory_path() / text("enxerto_model_", ::getpid());
};

TEST_F(ModelFiles, GoRoundWhole) {
  const ModelFile model = small_model();
  save_model(folder / "model.safetensors", model);
  for (const fs::path& path : {folder / "model.safetensors", folder}) {  // the file, or the run folder
    const ModelFile back = load_model(path);
    EXPECT_EQ(graph_to_json(back.graph), graph_to_json(model.graph));
    EXPECT_TRUE(back.graph.nodes()[1].frozen);
    EXPECT_FALSE(back.graph.find_param("conv.weight")->trainable());
    EXPECT_EQ(back.preprocess, model.preprocess);
    EXPECT_EQ(back.classes, model.classes);
    EXPECT_EQ(back.training, model.training);
    for (const Param& param : model.graph.params()) {
      const auto data = back.graph.find_param(param.name)->value.data();
      EXPECT_TRUE(std::ranges::equal(data, param.value.data())) << param.name;
    }
  }
}

TEST_F(ModelFiles, EveryNetOfTheZooGoesRound) {
  for (const NetInfo& info : nets()) {
    if (info.classes == 1000) continue;  // the same layers, and hundreds of megabytes
    ModelFile model;
    model.graph = make_net(info.name);
    model.graph.init({}, Rng(2));
    save_model(folder / "net.safetensors", model);
    EXPECT_EQ(graph_to_json(load_model(folder / "net.safetensors").graph), graph_to_json(model.graph));
  }
}

TEST_F(ModelFiles, TheSameModelGivesTheSameBytes) {
  save_model(folder / "a", small_model());
  save_model(folder / "b", small_model());
  EXPECT_EQ(read_file(folder / "a"), read_file(folder / "b"));
}

TEST_F(ModelFiles, WhatCannotBeLoadedIsNotSaved) {
  ModelFile model = small_model();
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"a", "b"}, {"a", "b", "b"}, {"a", "b", ""}, {"a", "b", "\xE9t\xE9"}}) {
    model.classes = wrong;
    try {
      save_model(folder / "model.safetensors", model);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    }
  }
  EXPECT_FALSE(fs::exists(folder / "model.safetensors"));
}

TEST_F(ModelFiles, AMissingFileIsNotFoundInAFolderToo) {
  EXPECT_EQ(error_of(folder).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of(folder / "none").kind(), ErrorKind::not_found);
}

TEST_F(ModelFiles, AllMissingTensorsAreListedAtOnce) {
  const Error error = refusal([](SafetensorsFile& stored) {
    std::erase_if(stored.tensors, [](const NamedTensor& each) { return each.name.starts_with("bn."); });
    stored.tensors.push_back({"other", {100}, Tensor({.n = 100})});
  });
  EXPECT_EQ(error.kind(), ErrorKind::corrupt);
  for (const char* part : {"changed.safetensors", "bn.weight is missing", "bn.bias is missing",
                           "bn.running_mean is missing", "bn.running_var is missing", "other"})
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << part;
}

TEST_F(ModelFiles, WeightsAloneAndNewerFormatsAreUnsupported) {
  EXPECT_EQ(refusal([](SafetensorsFile& stored) { stored.metadata.clear(); }).kind(), ErrorKind::unsupported);
  EXPECT_EQ(refusal([](SafetensorsFile& stored) { stored.metadata["enxerto.format"] = "4"; }).kind(),
            ErrorKind::unsupported);
}

TEST_F(ModelFiles, OfSeveralLabelsSayItAndAreRefusedByReadersThatKnowNothingOfThat) {
  ModelFile model = small_model();
  const fs::path path = folder / "several.safetensors";
  save_model(path, model);
  EXPECT_EQ(load_safetensors(path).metadata.at("enxerto.format"), "1");
  EXPECT_FALSE(load_model(path).multi_label);
  model.multi_label = true;
  save_model(path, model);
  EXPECT_EQ(load_safetensors(path).metadata.at("enxerto.format"), "2");
  EXPECT_TRUE(load_model(path).multi_label);
  for (const char* wrong : {"1", "\"true\"", "[", ""}) {
    SafetensorsFile stored = load_safetensors(path);
    stored.metadata["enxerto.multi_label"] = wrong;
    save_safetensors(path, stored.tensors, stored.metadata);
    try {
      load_model(path);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt) << wrong;
    }
  }
}

TEST_F(ModelFiles, HeadsThatAreNoLayersAndUnknownAnswersGoRound) {
  const Tensor x = rows(12);
  for (const char* kind : {"knn", "tree", "forest", "ridge"})
    for (const int pca : {0, 2}) {
      const ModelFile model = model_with(kind, pca);
      save_model(folder / "head", model);
      EXPECT_EQ(load_safetensors(folder / "head").metadata.at("enxerto.format"), "3");
      const ModelFile back = load_model(folder / "head");
      EXPECT_TRUE(
          std::ranges::equal(back.head->outputs(x.view()).data(), model.head->outputs(x.view()).data()));
      EXPECT_EQ(back.head->temperature, 1.5);
      EXPECT_EQ(back.novelty->distances(x.view()), model.novelty->distances(x.view()));
      EXPECT_EQ(back.novelty->threshold, 1.25);
      EXPECT_EQ(back.classes, model.classes);
      EXPECT_EQ(graph_to_json(with_linear_head(back)).at("nodes").size(), 5u);
    }
  ModelFile with_layer = small_model();
  with_layer.novelty = model_with("tree").novelty;
  save_model(folder / "layer", with_layer);
  const ModelFile back = load_model(folder / "layer");
  EXPECT_FALSE(back.head);
  EXPECT_EQ(back.novelty->distances(x.view()), with_layer.novelty->distances(x.view()));
}

TEST_F(ModelFiles, TrunksStayTrunks) {
  ModelFile model = small_model();
  model.graph.cut_after("bn");
  model.classes.clear();
  model.trunk = true;
  save_model(folder / "trunk", model);
  const ModelFile back = load_model(folder / "trunk");
  EXPECT_TRUE(back.trunk);
  const Graph with_head = with_linear_head(back);
  // What it ends with is features, be it the last layer that has parameters.
  EXPECT_EQ(with_head.node(head_of(with_head).inputs.front()).name, "pool");
  EXPECT_EQ(with_head.node(with_head.node(head_of(with_head).inputs.front()).inputs.front()).name, "bn");
  model.classes = {"a", "b"};
  EXPECT_THROW(save_model(folder / "trunk", model), Error);
}

TEST_F(ModelFiles, HeadsAndUnknownAnswersThatDoNotFitAreNotSaved) {
  const auto refused = [&](const std::function<void(ModelFile&)>& change) {
    ModelFile model = model_with("tree");
    change(model);
    try {
      save_model(folder / "unfit", model);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
    return false;
  };
  EXPECT_FALSE(refused([](ModelFile&) {}));
  EXPECT_TRUE(refused([](ModelFile& model) { model.classes = {"a", "b", "c"}; }));
  EXPECT_TRUE(refused([](ModelFile& model) { model.multi_label = true; }));
  EXPECT_TRUE(refused([](ModelFile& model) { model.graph = small_model().graph; }));
  EXPECT_TRUE(refused([](ModelFile& model) { model.head = nullptr; }));
  EXPECT_TRUE(refused([](ModelFile& model) { model.graph.cut_after("bn"); }));
  EXPECT_TRUE(refused([](ModelFile& model) { model.classes.clear(); }));
}

TEST_F(ModelFiles, WhatLiesAboutHeadOrUnknownAnswerIsRefused) {
  for (const char* kind : {"knn", "forest"}) {
    const ModelFile model = model_with(kind, 2);
    const auto kind_of = [&](const std::function<void(SafetensorsFile&)>& change) {
      return refusal(model, change).kind();
    };
    EXPECT_EQ(kind_of([](SafetensorsFile&) {}), ErrorKind::interrupted);
    // Each tensor that is no layer's: gone, or of another name.
    const NamedTensors tensors = [&] {
      save_model(folder / "head", model);
      return load_safetensors(folder / "head").tensors;
    }();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].name.starts_with("enxerto.")) continue;
      EXPECT_EQ(kind_of([&](SafetensorsFile& stored) {
                  std::erase_if(stored.tensors,
                                [&](const NamedTensor& each) { return each.name == tensors[i].name; });
                }),
                ErrorKind::corrupt)
          << tensors[i].name;
      EXPECT_EQ(kind_of([&](SafetensorsFile& stored) {
                  for (NamedTensor& each : stored.tensors)
                    if (each.name == tensors[i].name) each.name += "_";
                }),
                ErrorKind::corrupt)
          << tensors[i].name;
    }
    for (const char* key : {"enxerto.head", "enxerto.unknown"}) {
      EXPECT_EQ(kind_of([&](SafetensorsFile& stored) { stored.metadata.erase(key); }), ErrorKind::corrupt);
      for (const std::string& damage :
           {std::string(), std::string("{"), std::string("{}"), std::string("[1]"), std::string(100000, '['),
            std::string(100000, '[') + std::string(100000, ']')})
        EXPECT_EQ(kind_of([&](SafetensorsFile& stored) { stored.metadata[key] = damage; }),
                  ErrorKind::corrupt)
            << key << " " << damage.substr(0, 5);
    }
    EXPECT_EQ(kind_of([](SafetensorsFile& stored) {
                stored.metadata.erase("enxerto.head");
                stored.metadata.erase("enxerto.unknown");
              }),
              ErrorKind::corrupt);
    EXPECT_EQ(kind_of([](SafetensorsFile& stored) { stored.metadata["enxerto.format"] = "1"; }),
              ErrorKind::corrupt);
    EXPECT_EQ(
        kind_of([](SafetensorsFile& stored) { stored.metadata["enxerto.classes"] = R"(["a","b","c"])"; }),
        ErrorKind::corrupt);
    EXPECT_EQ(kind_of([](SafetensorsFile& stored) {
                Json head = Json::parse(stored.metadata["enxerto.head"]);
                head["version"] = 2;
                stored.metadata["enxerto.head"] = head.dump();
              }),
              ErrorKind::unsupported);
  }
}

TEST_F(ModelFiles, EachTextThatIsWrongIsRefused) {
  const auto with = [&](const char* key, const std::string& value) {
    return refusal([&](SafetensorsFile& stored) { stored.metadata[key] = value; });
  };
  for (const char* key : {"enxerto.graph", "enxerto.preprocess", "enxerto.classes", "enxerto.training"}) {
    const Error missing = refusal([&](SafetensorsFile& stored) { stored.metadata.erase(key); });
    EXPECT_EQ(missing.kind(), ErrorKind::corrupt) << key;
    EXPECT_NE(std::string_view(missing.what()).find(key), std::string_view::npos);
    for (const std::string& damage :
         {std::string(), std::string("{"), std::string("nul"), std::string(100000, '[')})
      EXPECT_EQ(with(key, damage).kind(), ErrorKind::corrupt) << key << " " << damage.substr(0, 5);
    const std::string deep = std::string(100000, '[') + std::string(100000, ']');
    EXPECT_EQ(with(key, deep).kind(), ErrorKind::corrupt) << key;
  }
  for (const char* classes : {R"(["a","b"])", R"(["a","b","c","d"])", R"(["a","b","b"])", R"(["a","b",3])",
                              R"(["a","b",""])", R"({"a":1})", "3", "null"})
    EXPECT_EQ(with("enxerto.classes", classes).kind(), ErrorKind::corrupt) << classes;
}

TEST_F(ModelFiles, ANetworkLargerThanItsFileCostsNoMemory) {
  const Error error = refusal([](SafetensorsFile& stored) {
    Json graph = Json::parse(stored.metadata["enxerto.graph"]);
    graph["nodes"].back()["options"]["out"] = 1 << 24;
    stored.metadata["enxerto.graph"] = graph.dump();
  });
  EXPECT_EQ(error.kind(), ErrorKind::corrupt);
  EXPECT_NE(std::string_view(error.what()).find("\"fc\""), std::string_view::npos) << error.what();
}

TEST_F(ModelFiles, TruncationAtEveryByteIsRefused) {
  for (const char* kind : {"", "knn", "tree"}) {
    save_model(folder / "whole", *kind ? model_with(kind) : small_model());
    const auto bytes = read_file(folder / "whole");
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      write("cut", {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
      EXPECT_EQ(error_of(folder / "cut").kind(), ErrorKind::corrupt) << kind << ", " << size;
    }
  }
}

TEST_F(ModelFiles, AFlippedBitInTheHeaderIsRefusedOrChangesOnlyAValue) {
  save_model(folder / "whole", small_model());
  const auto bytes = read_file(folder / "whole");
  const std::size_t header = 8 + bytes[0] + 256u * bytes[1];
  Rng rng(3);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string damaged(bytes.begin(), bytes.end());
    damaged[rng.below(header)] ^= static_cast<char>(1 << rng.below(8));
    write("damaged", damaged);
    try {
      const ModelFile model = load_model(folder / "damaged");
      EXPECT_EQ(model.graph.params().size(), 8u);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST_F(ModelFiles, AFlippedBitOfAHeadIsRefusedOrAnswersWithoutACrash) {
  const Tensor x = rows(5);
  for (const char* kind : {"knn", "tree", "forest"}) {
    save_model(folder / "whole", model_with(kind, 2));
    const auto bytes = read_file(folder / "whole");
    Rng rng(5);
    int refused = 0;
    for (int i = 0; i < 500; ++i) {
      std::string damaged(bytes.begin(), bytes.end());
      damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
      write("damaged", damaged);
      try {
        const ModelFile model = load_model(folder / "damaged");
        if (model.head) {
          EXPECT_EQ(model.head->outputs(x.view()).shape(), (Shape{.n = 5, .c = 3}));
        }
        if (model.novelty) {
          EXPECT_EQ(model.novelty->distances(x.view()).size(), 5u);
        }
      } catch (const Error&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 100) << kind;
  }
}

}  // namespace
}  // namespace enxerto
