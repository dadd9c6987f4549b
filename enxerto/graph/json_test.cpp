#include "enxerto/graph/json.h"

#include <gtest/gtest.h>

#include <functional>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

Graph varied_graph() {
  Graph graph;
  const NodeId image = graph.input({.c = 3, .h = 16, .w = 12});
  const NodeId conv = graph.add(
      "conv",
      Conv2d{.out = 6, .kernel = {3, 5}, .stride = {2, 1}, .pad = {1, 2, 0, 2}, .groups = 3, .bias = false},
      {image});
  const NodeId same =
      graph.add("same", Conv2d{.out = 6, .kernel = 3, .pad = Padding::same_as_tensorflow()}, {conv});
  const NodeId bn = graph.add("bn", BatchNorm{.eps = 1e-3f, .momentum = 0.01f}, {same});
  const NodeId act = graph.add("act", Activate{.function = Activation::leaky_relu, .alpha = 0.1f}, {bn});
  const NodeId both = graph.add("both", Concat{}, {conv, act});
  const NodeId pool = graph.add("pool", MaxPool2d{.kernel = 3, .stride = 2, .ceil_mode = true}, {both});
  const NodeId flat = graph.add("flat", Flatten{}, {pool});
  const NodeId drop = graph.add("drop", Dropout{.p = 0.25f}, {flat});
  graph.add("fc", Linear{.out = 5}, {drop});
  graph.freeze("bn");
  return graph;
}

/// What reading throws; "" where nothing.
std::string refusal(const Json& json, std::int64_t most_parameters = std::int64_t{1} << 31) {
  try {
    graph_from_json(json, most_parameters);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.what();
    return error.what();
  }
  return "";
}

std::string refusal_after(const std::function<void(Json&)>& change) {
  Json json = graph_to_json(varied_graph());
  change(json);
  return refusal(json);
}

TEST(GraphJson, LayersWithOthersInsideAreForProgramsNotForFiles) {
  for (const auto& [layer, inputs] :
       {std::pair<AnyLayer, int>{Linear{.out = 5, .activation = Activation::relu}, 1},
        {Conv2d{.out = 5, .activation = Activation::relu}, 1},
        {Conv2d{.out = 3}, 2}}) {
    Graph graph;
    const NodeId image = graph.input({.c = 3});
    graph.add("inside", layer, std::vector<NodeId>(static_cast<std::size_t>(inputs), image));
    EXPECT_NE(refusal(graph_to_json(graph)).find("inside"), std::string::npos);
  }
}

TEST(GraphJson, EverythingGoesRound) {
  const Graph graph = varied_graph();
  const Json json = graph_to_json(graph);
  const Graph back = graph_from_json(Json::parse(json.dump()));
  ASSERT_EQ(back.nodes().size(), graph.nodes().size());
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    EXPECT_EQ(back.nodes()[i].name, graph.nodes()[i].name);
    EXPECT_TRUE(back.nodes()[i].layer == graph.nodes()[i].layer) << graph.nodes()[i].name;
    EXPECT_EQ(back.nodes()[i].inputs, graph.nodes()[i].inputs);
    EXPECT_EQ(back.nodes()[i].frozen, graph.nodes()[i].frozen);
    EXPECT_EQ(back.nodes()[i].out, graph.nodes()[i].out);
  }
  EXPECT_EQ(graph_to_json(back), json);
}

TEST(GraphJson, ReadsAsPeopleWouldWriteIt) {
  const Json json = graph_to_json(varied_graph());
  EXPECT_EQ(json["nodes"][1]["options"]["kernel"], Json::parse("[3, 5]"));
  EXPECT_EQ(json["nodes"][1]["options"]["pad"], Json::parse("[1, 2, 0, 2]"));
  EXPECT_EQ(json["nodes"][2]["options"]["pad"], "same");
  EXPECT_EQ(json["nodes"][3]["options"]["eps"].dump(), "0.001");
  EXPECT_EQ(json["nodes"][3]["frozen"], true);
  EXPECT_FALSE(json["nodes"][4].contains("frozen"));
  EXPECT_EQ(json["nodes"][4]["options"]["function"], "leaky_relu");
}

TEST(GraphJson, AnOptionThatIsMissingHasItsDefault) {
  Json json = graph_to_json(varied_graph());
  json["nodes"][8]["options"].erase("p");
  json["nodes"][5].erase("options");
  const Graph graph = graph_from_json(json);
  EXPECT_TRUE(graph.nodes()[8].layer == AnyLayer{Dropout{}});
}

TEST(GraphJson, ANewerFormatIsUnsupportedNotCorrupt) {
  Json json = graph_to_json(varied_graph());
  json["version"] = 2;
  try {
    graph_from_json(json);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  }
}

TEST(GraphJson, WhatIsNotKnownIsRefusedAndNamed) {
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][1]["kind"] = "conv3d"; }).find("conv3d"),
            std::string::npos);
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][1]["options"]["kernle"] = 3; }).find("kernle"),
            std::string::npos);
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][1]["colour"] = 3; }).find("node 1: \"colour\""),
            std::string::npos);
  EXPECT_NE(refusal_after([](Json& j) { j["more"] = 3; }), "");
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][4]["options"]["function"] = "relu7"; }), "");
}

TEST(GraphJson, WrongTypesAndSizesAreRefused) {
  const std::vector<const char*> wrong_ints = {"-1",   "1.5",   "\"3\"",      "null",
                                               "true", "[3]",   "{}",         "1e9",
                                               "0",    "1e300", "9999999999", "18446744073709551615"};
  for (const char* value : wrong_ints)
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1]["options"]["out"] = Json::parse(value); }), "")
        << value;
  for (const char* value : {"3", "[3]", "[3,3,3]", "[0,0]", "[3,-3]", "\"same\"", "[3,3.5]", "null"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1]["options"]["kernel"] = Json::parse(value); }), "")
        << value;
  for (const char* value : {"1", "[1,1]", "\"valid\"", "[-1,0,0,0]", "{}", "null"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1]["options"]["pad"] = Json::parse(value); }), "")
        << value;
  for (const char* value : {"1e39", "\"0.1\"", "null", "true", "[0.1]"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][3]["options"]["eps"] = Json::parse(value); }), "")
        << value;
  for (const char* value : {"1", "\"true\"", "null"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1]["options"]["bias"] = Json::parse(value); }), "")
        << value;
  for (const char* value : {"0", "1", "[-1]", "[1]", "[99]", "[0.0]", "[\"conv\"]", "[]", "[0,0,0]", "null"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1]["inputs"] = Json::parse(value); }), "") << value;
  for (const char* value : {"1", "\"input\"", "\"\"", "\"a\\nb\"", "null"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1]["name"] = Json::parse(value); }), "") << value;
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][1]["name"] = std::string(256, 'x'); }), "");
  for (const char* key : {"name", "kind", "inputs"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"][1].erase(key); }), "") << key;
  for (const char* value : {"1", "{}", "[]", "[1]", "null", "[[]]"})
    EXPECT_NE(refusal_after([&](Json& j) { j["nodes"] = Json::parse(value); }), "") << value;
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][1]["options"]["groups"] = 0; }), "");
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"][0]["options"]["height"] = 0; }), "");
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"].erase(0); }), "");
  EXPECT_NE(refusal_after([](Json& j) { j["nodes"].push_back(j["nodes"][0]); }), "");
  for (const char* value :
       {"1", "null", "[]", "\"network\"", "{}", "{\"version\": 1}", "{\"version\": \"1\"}"})
    EXPECT_NE(refusal(Json::parse(value)), "") << value;
}

TEST(GraphJson, SizesThatFitNoMachineAreRefusedBeforeTheyAreAllocated) {
  // 10^12 in one tensor; 2.5 * 10^9 in three; pictures of 2^48 pixels.
  EXPECT_NE(refusal_after([](Json& j) {
              j["nodes"][0]["options"] = {{"channels", 3}, {"height", 1000}, {"width", 1000}};
              j["nodes"][9]["options"]["out"] = 1000000;
            }),
            "");
  const Json chain = Json::parse(R"({"version": 1, "nodes": [
    {"name": "input", "kind": "input", "inputs": [], "options": {"channels": 28000, "height": 1, "width": 1}},
    {"name": "a", "kind": "linear", "inputs": [0], "options": {"out": 28000}},
    {"name": "b", "kind": "linear", "inputs": [1], "options": {"out": 28000}},
    {"name": "c", "kind": "linear", "inputs": [2], "options": {"out": 28000}}]})");
  EXPECT_NE(refusal(chain, 1000), "");
  EXPECT_NE(refusal(chain, 28000LL * 28000).find("\"a\""), std::string::npos);
  EXPECT_NE(refusal_after([](Json& j) {
              j["nodes"][0]["options"] = {{"channels", 3}, {"height", 1 << 24}, {"width", 1 << 24}};
            }),
            "");
  Json many = chain;
  many["nodes"] = Json::array();
  for (int i = 0; i < 10001; ++i) many["nodes"].push_back(chain["nodes"][0]);
  EXPECT_NE(refusal(many).find("10000"), std::string::npos);
}

TEST(GraphJson, DamagedTextIsRefusedOrIsAnotherGraphButNeverMore) {
  const std::string whole = graph_to_json(varied_graph()).dump();
  Rng rng(5);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string damaged = whole;
    damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(7));
    const Json json = Json::parse(damaged, nullptr, false);
    if (json.is_discarded()) continue;
    try {
      graph_from_json(json, 1 << 24);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(GraphJson, SideOutputsGoRoundAndAreChecked) {
  Graph graph;
  const NodeId pool = graph.add("pool", GlobalAvgPool{}, {graph.input({1, 3, 4, 4})});
  graph.add("fc", Linear{.out = 2}, {pool});
  graph.set_side_outputs({pool});
  nlohmann::json json = graph_to_json(graph);
  EXPECT_EQ(graph_to_json(graph_from_json(json)), json);
  for (const char* wrong : {"[0]", "[2]", "[3]", "[1,1]", "[-1]", "[\"pool\"]", "1", "{}", "[1.5]"}) {
    json["side_outputs"] = nlohmann::json::parse(wrong);
    EXPECT_THROW(graph_from_json(json), Error) << wrong;
  }
}

TEST(GraphJson, ListsOfNumbersAreBounded) {
  Graph graph;
  graph.add("turn", Rearrange{.c = 2, .h = 3, .w = 1, .sizes = {2, 3}, .strides = {1, 2}},
            {graph.input({1, 3, 2, 1})});
  nlohmann::json json = graph_to_json(graph);
  EXPECT_EQ(graph_to_json(graph_from_json(json)), json);
  json["nodes"][1]["options"]["sizes"] = std::vector<int>(17, 1);
  EXPECT_THROW(graph_from_json(json), Error);
}

}  // namespace
}  // namespace enxerto
