#include "enxerto/report/explanation.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/report/runs_for_tests.h"

namespace enxerto {
namespace {

std::size_t count(std::string_view page, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = page.find(what); at != std::string_view::npos; at = page.find(what, at + 1)) ++found;
  return found;
}

std::string page_of(const Explanation& explanation) {
  const RunForTests folder;
  const auto page = folder.folder() / "explain.html";
  write_explanation(page, explanation, "en");
  return read_text_file(page);
}

/// The JSON that the page's script finds under this id.
nlohmann::json data_of(const std::string& page, const std::string& id) {
  const std::string begin = text("<script type=application/json id=", id, ">");
  const std::size_t at = page.find(begin);
  if (at == std::string::npos) return nullptr;
  const std::size_t from = at + begin.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

Explanation nearest_for_tests() {
  AskedPicture asked{
      .file = "/new/b.jpg", .answer = "bees", .thumbnail = "/9j/asked", .probability = 0.75, .nearest = {}};
  asked.nearest.push_back({"/old/bees/1.jpg", "bees", 0.0125, true, false, "/9j/first"});
  asked.nearest.push_back({"/old/ants/2.jpg", "ants", 0.25, false, false, "/9j/second"});
  asked.nearest.push_back({"/old/3.jpg", "", 0.5, std::nullopt, false, ""});
  NearestPictures nearest{.data = "/old", .pictures = 1234, .as_trained = true, .asked = {}};
  nearest.asked.push_back(std::move(asked));
  Explanation made{.model = "run", .features = {"pool", 1280}, .nearest = std::nullopt, .map = std::nullopt};
  made.nearest = std::move(nearest);
  return made;
}

/// Three pictures of each class in a row, the last of each taken for the next class.
Explanation map_for_tests(int classes) {
  MapOfPictures map;
  map.data = "/old";
  map.split = "val";
  map.same_classes = true;
  map.all = 3 * classes;
  map.explained = {0.5, 0.125};
  map.kept = 0.4;
  for (int i = 0; i < 3 * classes; ++i) {
    if (i % 3 == 0) map.classes.push_back(text("class", i / 3));
    PlacedPicture each;
    each.file = text("/old/", i, ".png");
    each.x = static_cast<float>(i);
    each.y = static_cast<float>(i % 3);
    each.label = i / 3;
    each.predicted = i % 3 == 2 ? (i / 3 + 1) % classes : i / 3;
    each.probability = 0.5;
    each.neighbours = {(i + 1) % (3 * classes)};
    each.distances = {0.125};
    map.pictures.push_back(std::move(each));
  }
  map.answers = map.classes;
  map.tile_width = map.tile_height = 8;
  map.sheet = "/9j/sheet";
  Explanation made{.model = "run", .features = {"pool", 1280}, .nearest = std::nullopt, .map = std::nullopt};
  made.map = std::move(map);
  return made;
}

void expect_has(std::string_view page, std::string_view what) {
  EXPECT_NE(page.find(what), std::string_view::npos) << "missing: " << what;
}
void expect_has_not(std::string_view page, std::string_view what) {
  EXPECT_EQ(page.find(what), std::string_view::npos) << "there: " << what;
}

TEST(ExplanationPage, ShowsTheNearestWithDistanceAndWhetherTheyAgree) {
  const std::string page = page_of(nearest_for_tests());
  expect_has(page, "Of the 1,234 training pictures in <code>/old</code>");
  expect_has(page, "the 1,280 numbers after <code>pool</code>");
  expect_has(page, "<h3>new/b.jpg: bees 75.0 %</h3>");
  expect_has(page, "1 of the 2 nearest have the label");
  expect_has(page, "<li data-at=1><b>bees</b><span>distance 0.0125, agrees</span>");
  expect_has(page, "<li data-at=2><b>ants</b><span>distance 0.2500, does not agree</span>");
  expect_has(page, "<li data-at=3><b>no label</b><span>distance 0.5000</span>");
  expect_has(page, "data-path=\"/old/bees/1.jpg\">bees/1.jpg</small>");
  const nlohmann::json shown = data_of(page, "pictures").at("nearest");
  ASSERT_EQ(shown.size(), 4u);
  EXPECT_EQ(shown[0].at("s"), "/9j/asked");
  EXPECT_EQ(shown[2].at("s"), "/9j/second");
  for (const char* none : {"tests nothing", "These may not be the pictures", "UMAP", "pictures-map"})
    expect_has_not(page, none);
}

TEST(ExplanationPage, SaysWhereThePictureWasTrainedOnAndWhereNobodyKnows) {
  Explanation found = nearest_for_tests();
  found.nearest->asked[0].nearest[0].is_same = true;
  const std::string page = page_of(found);
  expect_has(page, "distance 0.0125, the same picture");
  expect_has(page, "tests nothing");
  expect_has_not(page, "These may not be the pictures");
  found.nearest->as_trained = false;
  const std::string other = page_of(found);
  expect_has(other, "distance 0.0125, the same picture");
  expect_has_not(other, "tests nothing");
  expect_has(other, "These may not be the pictures");
}

TEST(ExplanationPage, OfManyPicturesHasTheFirst) {
  Explanation found = nearest_for_tests();
  found.nearest->asked.resize(100, found.nearest->asked[0]);
  const std::string page = page_of(found);
  expect_has(page, "Shown are the first 40 of 100 pictures");
  EXPECT_EQ(count(page, "<ol class=cards data-split=nearest>"), 40u);
  EXPECT_EQ(data_of(page, "pictures").at("nearest").size(), 160u);
}

TEST(ExplanationPage, TheMapSaysHowMuchItKeeps) {
  Explanation found = map_for_tests(2);
  const std::string page = page_of(found);
  expect_has(page, "The two axes keep 62.5 % of the variance.");
  expect_has(
      page,
      "Of each picture's 1 nearest by all features, 40.0 % are among its 1 nearest here; by chance it would "
      "be 20.0 %.");
  expect_has(page, "component 1: 50.0 % of the variance");
  expect_has(page, "component 2: 12.5 % of the variance");
  expect_has(page, "class0 <small>3</small>");
  expect_has(page, "ringed: taken for another class <small>2</small>");
  expect_has(page, "pictures in <code>/old</code> (validation)");
  expect_has_not(page, "drawn by lot");
  found.map->all = 5000;
  expect_has(page_of(found), "Shown are 6 of 5,000, drawn by lot");
}

TEST(ExplanationPage, PointsAreToScaleAndMarkedWhereTheyAreWrong) {
  const std::string page = page_of(map_for_tests(2));
  const nlohmann::json data = data_of(page, "map");
  const auto x = data.at("x").get<std::vector<double>>(), y = data.at("y").get<std::vector<double>>();
  EXPECT_NEAR(x[1] - x[0], y[0] - y[1], 0.15) << "upwards is less on the page";
  EXPECT_NEAR(x[5] - x[0], 480 - 2 * 32, 0.15) << "the wider axis fills the map";
  EXPECT_EQ(data.at("wrong"), nlohmann::json({0, 0, 1, 0, 0, 1}));
  EXPECT_EQ(data.at("symbol"), nlohmann::json({0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(data.at("near")[5], nlohmann::json({0}));
  EXPECT_EQ(count(page, "<g class=wrong"), 2u);
  Explanation others = map_for_tests(2);
  others.map->same_classes = false;
  const std::string other_page = page_of(others);
  EXPECT_EQ(count(other_page, "<g class=wrong"), 0u);
  expect_has(other_page, "The classes of these pictures are not the model's");
}

TEST(ExplanationPage, MoreClassesThanSymbolsShareOne) {
  Explanation found = map_for_tests(20);
  // Class 19 has the most pictures, so it keeps a symbol to itself.
  found.map->pictures.push_back(found.map->pictures.back());
  found.map->pictures[0].label = -1;
  const std::string page = page_of(found);
  expect_has(page, "6 other classes <small>18</small>");
  const auto symbol = data_of(page, "map").at("symbol");
  EXPECT_EQ(symbol[0], 14);
  EXPECT_EQ(symbol[57], 13);
  EXPECT_EQ(data_of(page, "map").at("symbols").size(), 15u);
}

TEST(ExplanationPage, NoNameBecomesMarkup) {
  const std::string hostile = "</script><img src=x onerror=alert(1)>\"'&\xff";
  Explanation found = map_for_tests(2);
  found.nearest = nearest_for_tests().nearest;
  found.model = found.features.layer = found.map->data = found.map->classes[0] = found.map->answers[1] =
      found.map->pictures[0].file = hostile;
  found.nearest->data = found.nearest->asked[0].file = found.nearest->asked[0].answer =
      found.nearest->asked[0].nearest[0].file = found.nearest->asked[0].nearest[0].label = hostile;
  const std::string page = page_of(found);
  EXPECT_EQ(count(page, "<img"), 0u);
  EXPECT_EQ(count(page, "</script>"), count(page, "<script"));
  EXPECT_EQ(data_of(page, "map").at("file")[0].get<std::string>().find("</script>"), 0u)
      << "as it is, for the script";
}

TEST(ExplanationPage, HasBothLanguagesUnlessTold) {
  const RunForTests folder;
  const auto page = folder.folder() / "explain.html";
  write_explanation(page, map_for_tests(2));
  const std::string both = read_text_file(page);
  expect_has(both, "<div class=language lang=en>");
  expect_has(both, "Um mapa plano engana.");
  EXPECT_EQ(count(both, "/9j/sheet"), 1u);
}

}  // namespace
}  // namespace enxerto
