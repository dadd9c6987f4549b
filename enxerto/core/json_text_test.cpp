#include "enxerto/core/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace enxerto {
namespace {

using Json = nlohmann::json;

TEST(FormatJson, RowsOfNumbersStayOnALine) {
  const Json json{{"confusion", {{3, 1}, {0, 4}}},
                  {"empty", Json::object()},
                  {"names", {"a \"b\"", "c"}},
                  {"splits", {{{"n", 8}}, nullptr}}};
  EXPECT_EQ(format_json(json), R"({
  "confusion": [
    [3,1],
    [0,4]
  ],
  "empty": {},
  "names": ["a \"b\"","c"],
  "splits": [
    {
      "n": 8
    },
    null
  ]
}
)");
}

TEST(FormatJson, SaysWhatTheJsonSays) {
  const Json json{
      {"a\nb", {1.5, -2, nullptr, true}}, {"list", {Json::array(), {1}, {{"x", {}}}}}, {"é", "ç"}};
  EXPECT_EQ(Json::parse(format_json(json)), json);
  EXPECT_EQ(Json::parse(format_json(Json(3))), Json(3));
  EXPECT_THROW(format_json(Json{{"name", "\xff"}}), Json::type_error);
}

}  // namespace
}  // namespace enxerto
