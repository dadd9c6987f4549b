#include "enxerto/report/pictures_section.h"

#include <gtest/gtest.h>

namespace enxerto {
namespace {

PictureRecord picture(bool is_right, float probability, float loss = 1) {
  return {.label = 0, .predicted = is_right ? 0 : 1, .probability = probability, .loss = loss};
}

TEST(Sureness, HasTheFiguresThatAreDoneByHand) {
  // Bins: [0.9, 1] with 2 of 2 right at 0.95, [0.6, 0.7) with 1 of 2 right at 0.65.
  const Sureness sure = measure_sureness(
      {picture(true, 0.65f), picture(true, 0.95f), picture(false, 0.65f), picture(true, 0.95f)});
  EXPECT_EQ(sure.n, 4);
  EXPECT_EQ(sure.right, 3);
  EXPECT_NEAR(sure.probability, 0.8, 1e-6);
  EXPECT_NEAR(sure.calibration_error, 0.5 * 0.05 + 0.5 * 0.15, 1e-6);
  EXPECT_EQ(sure.bins[9].n, 2);
  EXPECT_EQ(sure.bins[6].right, 1);
  EXPECT_EQ(sure.risk, (std::vector<double>{0, 0, 0, 0.25}));
  EXPECT_NEAR(sure.area, 0.0625, 1e-12);
  EXPECT_EQ(sure.risk_of_half, 0);
}

TEST(Sureness, WithoutProbabilitiesThereIsNothingToSay) {
  EXPECT_EQ(measure_sureness({picture(true, -1)}).n, 0);
  EXPECT_EQ(sureness({.pictures = {picture(true, -1)}, .shown = {}}, english), "");
  EXPECT_EQ(measure_sureness({picture(true, 1)}).bins[9].n, 1) << "certainty lies in the last bin";
}

TEST(WorstLosses, AreCardsWithEscapedNames) {
  Predictions predictions;
  predictions.shown.push_back({picture(false, 0.9f, 4.5f), "/data/<b>/\"x\".jpg", "/9j/AAAA"});
  predictions.shown.push_back({picture(true, -1, 0.5f), "set#3", ""});
  const std::string cards = worst_losses(predictions, "val", {"<i>", "bees"}, english);
  EXPECT_NE(cards.find(
                "<li data-at=0><b>&lt;i&gt; taken for bees</b><span>90.0 %, loss 4.5</span><small class=file "
                "data-path=\"/data/&lt;b&gt;/&quot;x&quot;.jpg\">&lt;b&gt;/&quot;x&quot;.jpg</small>"),
            std::string::npos)
      << cards;
  EXPECT_NE(cards.find("<li><b>&lt;i&gt;, recognised</b><span>loss 0.5</span>"), std::string::npos) << cards;
  EXPECT_EQ(worst_losses({}, "val", {"a"}, english), "");
}

TEST(PicturesData, IsJsonInWhichNoTagBegins) {
  RunRecord run;
  run.val_predictions.shown.push_back(
      {picture(false, 0.5f), "</script><script>alert(1)</script>\xff", "/9j/AAAA"});
  const std::string data = data_of_pictures(run);
  EXPECT_EQ(data.find('<'), std::string::npos) << data;
  const auto json = nlohmann::json::parse(data);
  EXPECT_EQ(json.at("val")[0].at("s"), "/9j/AAAA");
  EXPECT_EQ(json.at("val")[0].at("p"), 1);
  EXPECT_EQ(json.at("val")[0].at("q"), 0.5);
  EXPECT_TRUE(json.at("test").empty());
}

}  // namespace
}  // namespace enxerto
