#include "enxerto/report/compare_page.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/mcnemar.h"
#include "enxerto/report/report.h"
#include "enxerto/report/runs_for_tests.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> shapes = {"circle", "<b>cross", "square"};

void expect_has(std::string_view page, std::string_view what) {
  EXPECT_NE(page.find(what), std::string_view::npos) << "missing: " << what;
}

TEST(McNemar, HasTheBinomialsTails) {
  EXPECT_EQ(mcnemar(0, 0), 1);
  EXPECT_EQ(mcnemar(3, 3), 1);
  EXPECT_NEAR(mcnemar(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar(8, 2), 2.0 * (1 + 10 + 45) / 1024, 1e-12);
  EXPECT_NEAR(mcnemar(2, 8), mcnemar(8, 2), 1e-15);
  EXPECT_LT(mcnemar(100000, 50000), 1e-300);
}

TEST(Comparison, PutsFiguresCurvesAndSettingsSideBySide) {
  const RunForTests first, second;
  write_finished(first, shapes);
  write_finished(second, shapes);
  auto config = config_for_tests(shapes);
  config["training"]["batch"] = 64;
  config["training"]["<i>"] = "<u>";
  second.write("config.json", config.dump());
  auto result = result_for_tests(shapes, 3);
  result["seconds"] = 100;
  second.write("result.json", result.dump());
  std::string one, other;
  for (int i = 0; i < 6; ++i) {
    const auto line = [&](int predicted) {
      return nlohmann::json{
                 {"split", "val"}, {"index", i}, {"label", 0}, {"predicted", predicted}, {"loss", 1}}
                 .dump() +
             "\n";
    };
    one += line(0);
    other += line(i == 0 ? 0 : 1);
  }
  first.write("predictions.jsonl", one);
  second.write("predictions.jsonl", other);
  const fs::path out = first.folder() / "both.html";
  write_comparison({first.folder(), second.folder()}, out);
  const std::string page = read_text_file(out);
  expect_has(page, "<h1>2 runs side by side</h1>");
  expect_has(page, "<h1>2 treinos lado a lado</h1>");
  expect_has(page, "<tr><th scope=row>Validation top-1<td>80.0 %<td>80.0 %");
  expect_has(page, "<tr><th scope=row>Time<td>13s<td>1m 40s");
  expect_has(page, "class=\"line run0\"");
  expect_has(page, "class=\"line run1\"");
  expect_has(page, "<tr><th scope=row>training.batch<td class=name>16<td class=name>64");
  expect_has(page, "<tr><th scope=row>training.&lt;i&gt;<td class=name>–<td class=name>&lt;u&gt;");
  expect_has(page, "<tr><th scope=row>Run 1<td class=name>Run 2<td>5<td>0<td>0.0625");
  expect_has(page, "<tr><th scope=row>&lt;b&gt;cross<td>80.0 %<td>80.0 %");
  EXPECT_EQ(page.find("training.epochs"), std::string::npos) << "the same in both";
  EXPECT_EQ(page.find("class=fault role"), std::string::npos);
  EXPECT_EQ(page.find("<b>cross"), std::string::npos);

  config["splits"]["val"]["digest"] = "another";
  second.write("config.json", config.dump());
  write_comparison({first.folder(), second.folder()}, out, "pt");
  const std::string differs = read_text_file(out);
  expect_has(differs, "não são as mesmas");
  EXPECT_EQ(differs.find("McNemar)"), std::string::npos) << "no test across different pictures";
  EXPECT_EQ(differs.find("In English"), std::string::npos);
}

TEST(Comparison, TakesTwoToEightRunsAndTheLanguagesThatItKnows) {
  const RunForTests run;
  write_finished(run, shapes);
  const fs::path out = run.folder() / "both.html";
  EXPECT_THROW(write_comparison({run.folder()}, out), Error);
  EXPECT_THROW(write_comparison(std::vector<fs::path>(9, run.folder()), out), Error);
  EXPECT_THROW(write_comparison({run.folder(), run.folder()}, out, "fr"), Error);
  EXPECT_FALSE(fs::exists(out));
  EXPECT_NO_THROW(write_comparison(std::vector<fs::path>(8, run.folder()), out));
}

}  // namespace
}  // namespace enxerto
