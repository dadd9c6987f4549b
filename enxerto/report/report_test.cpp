#include "enxerto/report/report.h"

#include <gtest/gtest.h>

#include <chrono>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/report/runs_for_tests.h"
#include "enxerto/report/summary.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> shapes = {"circle", "cross", "square"};

std::size_t count(std::string_view page, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = page.find(what); at != std::string_view::npos; at = page.find(what, at + 1)) ++found;
  return found;
}

void expect_has(std::string_view page, std::string_view what) {
  EXPECT_NE(page.find(what), std::string_view::npos) << "missing: " << what;
}
void expect_has_not(std::string_view page, std::string_view what) {
  EXPECT_EQ(page.find(what), std::string_view::npos) << "there: " << what;
}

std::string page_of(const RunForTests& run) {
  EXPECT_EQ(write_report(run.folder(), "en"), run.folder() / "report.html");
  return run.read("report.html");
}

TEST(Report, TheSummaryOfAFinishedRunSaysWhatMatters) {
  const RunForTests run;
  write_finished(run, shapes);
  run.write("model.safetensors", "");
  const std::string wanted = text(
      "lecture3 on shapes\n"
      "  outcome     Finished: 3 of 3 epochs are done.\n"
      "  data        3 classes; 60 pictures to train on, 60 for validation, 0 for the test\n"
      "  best epoch  3, by val_top1\n"
      "  validation  80.0 % top-1 (95 %: 70.0 to 90.0 %), 30 pictures, loss 0.5\n"
      "  weakest     circle: 80.0 % of 10 recognised, most often taken for cross\n"
      "              cross: 80.0 % of 10 recognised, most often taken for square\n"
      "              square: 80.0 % of 10 recognised, most often taken for circle\n"
      "  time        13s, 123 images/s, A Chip, threads: 2\n"
      "  memory      2.0 MiB at most\n"
      "  files       ",
      (run.folder() / "model.safetensors").string(), "  best weights\n");
  EXPECT_EQ(text_summary(run.folder()), wanted);
}

TEST(Report, OfSeveralLabelsHasAveragePrecisionsAndNoConfusionMatrix) {
  const RunForTests run;
  nlohmann::json config = config_for_tests(shapes), result = result_for_tests(shapes, 3);
  config["multi_label"] = true;
  config["training"]["augment"] = {{"mixup_alpha", 0.2}};
  nlohmann::json& val = result["val"];
  val.erase("confusion");
  val.update({{"multi_label", true},
              {"mean_average_precision", 0.625},
              {"micro_f1", 0.5},
              {"macro_f1", 0.45},
              {"exact_match", 0.375}});
  double precision = 0.9;
  for (auto& row : val["per_class"]) row["average_precision"] = precision, precision -= 0.25;
  run.write("config.json", config.dump());
  run.write(
      "log.jsonl",
      R"({"kind":"epoch","epoch":1,"train_loss":1,"val_loss":1,"val_top1":0.5,"val_map":0.6,"best":true})"
      "\n");
  run.write("result.json", result.dump());
  const std::string summary = text_summary(run.folder());
  expect_has(
      summary,
      "  validation  mAP 62.5 %, micro F1 50.0 %, macro F1 45.0 %, all labels right in 37.5 %, 30 pictures, "
      "loss 0.5\n");
  expect_has(summary, "circle: 80.0 % of 10 recognised, average precision 90.0 %\n");
  const std::string page = page_of(run);
  for (const char* there :
       {"<dt>Validation mAP<dd><b>62.5 %</b>", "Mean average precision", "<th scope=col>Average precision",
        "62.5 %; where a class counts", "whose share in the mixture is one half", "may have several labels"})
    expect_has(page, there);
  for (const char* not_there : {"Confusion matrix", "largest class", "Most frequent confusions"})
    expect_has_not(page, not_there);
  // The weakest class comes first.
  EXPECT_LT(page.find("<th scope=row>square"), page.find("<th scope=row>circle"));
}

TEST(Report, ThePageOfAFinishedRunHasAllItsParts) {
  const RunForTests run;
  write_finished(run, shapes);
  const std::string page = page_of(run);
  EXPECT_EQ(page.rfind("<!doctype html>", 0), 0u);
  expect_has(page, "<h1>lecture3 on shapes</h1>");
  expect_has(page, "class=\"outcome finished\"");
  EXPECT_EQ(count(page, "<figure class=chart>"), 5u);
  EXPECT_EQ(count(page, "role=img aria-label="), 5u);
  EXPECT_EQ(count(page, "class=band d="), 1u);
  EXPECT_EQ(count(page, "<table"), count(page, "<caption>"));
  EXPECT_EQ(count(page, "<table"), count(page, "</table>"));
  EXPECT_EQ(count(page, "<section"), count(page, "</section>"));
  expect_has(page, "<tr><th scope=row>circle<td class=r8>8<td class=w2>2<td>0");
  expect_has(page, "adam: beta1 0.5");
  expect_has(page, "0123456789abcdef");
}

TEST(Report, AProbeHasNoCurvesAndARunOfFitIsCalledSo) {
  const RunForTests run;
  write_finished(run, shapes);
  auto config = nlohmann::json::parse(run.read("config.json"));
  config["net"] = "";
  config["weights"] = "/somewhere/mobile.onnx";
  config["transfer"] = {{"recipe", "probe"}, {"cut", "pool"}};
  run.write("config.json", config.dump());
  const std::string probe = page_of(run);
  expect_has(probe, "<h1>mobile on shapes</h1>");
  expect_has(probe, "recipe probe");
  expect_has_not(probe, "adam");
  expect_has_not(probe, "<div class=charts>");
  config["transfer"]["phases"] = nlohmann::json::array();
  run.write("config.json", config.dump());
  expect_has(page_of(run), "<div class=charts>");
}

TEST(Report, AStudentOfFeaturesHasLossesAndNothingOfClasses) {
  const RunForTests run;
  nlohmann::json config = config_for_tests({"feature_0", "feature_1"});
  config["training"]["metric"] = "val_loss";
  config["distill"] = {{"teacher", "/somewhere/large.onnx"}, {"cut", "pool"}, {"match", "features"}};
  run.write("config.json", config.dump());
  run.write("log.jsonl", R"({"kind":"epoch","epoch":1,"train_loss":0.75,"val_loss":0.625,"best":true})"
                         "\n");
  run.write("model.safetensors", "");
  expect_has(text_summary(run.folder()), "  validation  loss 0.625\n");
  fs::last_write_time(run.folder() / "log.jsonl", fs::file_time_type::clock::now() - std::chrono::hours(2));
  expect_has(text_summary(run.folder()), "enxerto distill --resume " + run.folder().string());
  nlohmann::json result = result_for_tests({}, 3);
  result["val"] = {{"n", 60}, {"loss", 0.5}};
  run.write("result.json", result.dump());
  const std::string summary = text_summary(run.folder());
  for (const char* there :
       {"  teacher     /somewhere/large.onnx\n", "  data        2 features; 60 pictures to train on",
        "  validation  loss 0.5, 60 pictures\n"})
    expect_has(summary, there);
  const std::string page = page_of(run);
  for (const char* there : {"<dt>Validation loss<dd><b>0.5</b>", "<p>The loss is 0.5.</p>",
                            "Distillation<td>cut pool, match features"})
    expect_has(page, there);
  for (const char* not_there : {"top-1", "Top-1", "feature_0", "enxerto predict", "95 %", "recall"})
    expect_has_not(page, not_there);
  expect_has(page, "enxerto fit PHOTOS --weights " + run.folder().string());
  config["distill"]["match"] = "classes";
  config["classes"] = shapes;
  run.write("config.json", config.dump());
  expect_has(page_of(run), "<b>3</b>: circle, cross, square");
  expect_has(page_of(run), "enxerto predict");
}

TEST(Report, ThePageTellsWhatTheGraftDid) {
  const RunForTests run;
  write_finished(run, shapes);
  expect_has_not(page_of(run), "The graft");
  auto result = nlohmann::json::parse(run.read("result.json"));
  result["transfer"] = nlohmann::json::parse(R"({"recipe": "warmup+finetune",
    "layers": {"frozen": 40, "frozen_same": 40, "frozen_hash": "0123456789abcdef0123",
               "trained": [{"layer": "<b>", "moved": 0.25}, {"layer": "head", "moved": null}]},
    "calibration": {"temperature": 1.5, "ece_before": 0.08, "ece_after": 0.02, "on": "val"},
    "unknown": {"threshold": 1.25, "answered": 0.95,
                "val": {"n": 100, "coverage": 0.95, "risk": 0.1,
                        "by_distance": {"aurc": 0.1, "curve": [[0.5, 0.05], [1.0, 0.1]]},
                        "by_confidence": {"aurc": 0.05, "curve": [[0.5, 0.0], [1.0, 0.1]]}}},
    "auto": {"chosen": "advised", "probe": {"recipe": "probe", "val_top1": 0.8},
             "advised": {"recipe": "warmup+finetune", "val_top1": 0.9}},
    "lr_range": {"suggested": 0.001, "points": [{"lr": 1e-5, "loss": 2, "smoothed": 2}, {"lr": 1e-3, "loss": 1, "smoothed": 1}]}})");
  run.write("result.json", result.dump());
  const std::string page = page_of(run);
  expect_has(page, "Of 40 frozen layers 40 are bit for bit as they were (<code>0123456789abcdef</code>).");
  expect_has(page, "calibrated at temperature 1.50: the expected calibration error was 8.0 % and is 2.0 %");
  expect_has(page, "95.0 % of the 100 pictures are answered, 10.0 % of those wrongly");
  expect_has(page,
             "a probe had 80.0 % of the validation pictures right, warmup+finetune 90.0 %; kept was "
             "warmup+finetune");
  expect_has(page, "<tr><th scope=row>&lt;b&gt;<td>0.25");
  expect_has(page, "<tr><th scope=row>head<td>new");
  expect_has(page, "Errors by the share that is answered");
  expect_has(page, "Range test");
  EXPECT_EQ(count(page, "<section"), count(page, "</section>"));
  // Whatever is in it, the page is made.
  for (const char* broken :
       {R"({"layers": 3})", R"({"unknown": {"val": {"by_distance": {"curve": [[1], "x", [null, 2]]}}}})",
        R"({"lr_range": {"points": [{"lr": -1, "smoothed": 2}, 7]}})", R"({"auto": {"chosen": 7}})", "[]"}) {
    result["transfer"] = nlohmann::json::parse(broken);
    run.write("result.json", result.dump());
    EXPECT_NO_THROW(page_of(run)) << broken;
  }
}

TEST(Report, ThePageTellsWhatWasFoundInThePictures) {
  const RunForTests run;
  write_finished(run, shapes);
  expect_has_not(page_of(run), "were looked at before training");
  run.write("doctor.json",
            R"({"pictures": 1200, "unreadable": 0, "left_out": [], "shared": [], "seconds": 13})");
  expect_has(page_of(run), "1,200 pictures were looked at before training, in 13s. All could be read");
  nlohmann::json doctor{{"pictures", 1200}, {"unreadable", 1}, {"seconds", 2}};
  doctor["left_out"] = nlohmann::json::array();
  for (int i = 0; i < 300; ++i)
    doctor["left_out"].push_back({{"file", text("<b>", i)}, {"split", "train"}, {"reason", "is cut short"}});
  doctor["shared"] = {{"train/a.png", "test/<i>.png"}, 7, {8}};
  run.write("doctor.json", doctor.dump());
  const std::string page = page_of(run);
  expect_has(page, "Left out were 300, of which 1 could not be read.");
  expect_has(page, "Pictures that are in more than one split: 3.");
  expect_has_not(page, "never saw");
  expect_has(page, "<td class=name>&lt;b&gt;0<td class=name>train<td class=name>is cut short");
  expect_has(page, "The first 200 of 300.");
  expect_has(page, "train/a.png = test/&lt;i&gt;.png");
  for (const char* odd :
       {"{}", R"({"left_out": 3, "shared": {}, "seconds": "x"})", R"({"left_out": [1, null]})"}) {
    run.write("doctor.json", odd);
    EXPECT_NO_THROW(page_of(run)) << odd;
  }
  run.write("doctor.json", "{\"left");
  EXPECT_THROW(page_of(run), Error);
}

TEST(Report, ThePageFetchesNothing) {
  const RunForTests run;
  write_finished(run, shapes);
  std::string page = page_of(run);
  expect_has(page, "default-src 'none'");
  expect_has(page, "Permission is hereby granted, free of charge");  // uPlot's licence goes with it
  const std::string origin = "/*! https://github.com/leeoniya/uPlot (v1.6.32) */";
  expect_has(page, origin);
  page.erase(page.find(origin), origin.size());
  for (const char* what : {"http://", "https://", " src=", "@import", "url("}) expect_has_not(page, what);
}

TEST(Report, ThePageHasBothLanguagesOrTheOneThatIsAskedFor) {
  const RunForTests run;
  write_finished(run, shapes);
  write_report(run.folder());
  const std::string both = run.read("report.html");
  expect_has(
      both,
      "<div class=language lang=en><button type=button class=switch hidden lang=pt data-to=pt>Em português");
  expect_has(both, "<div class=language lang=pt hidden><button");
  expect_has(both, "Terminado: 3 de 3 épocas feitas.");
  EXPECT_EQ(count(both, "role=img aria-label="), 10u);
  write_report(run.folder(), "pt");
  const std::string one = run.read("report.html");
  expect_has(one, "<html lang=pt>");
  expect_has(one, "Terminado: 3 de 3 épocas feitas.");
  expect_has_not(one, "Finished:");
  expect_has_not(one, "<button type=button class=switch");
  EXPECT_THROW(write_report(run.folder(), "fr"), Error);
  expect_has(text_summary(run.folder(), "pt"), "  validação");
}

TEST(Report, ThePageSaysWhatWasDecidedAndWhatItTookAgainstTheEstimate) {
  const RunForTests run;
  write_finished(run, shapes);
  auto config = config_for_tests(shapes);
  config["command"] = "enxerto fit '<photos>'";
  config["transfer"] = {{"recipe", "warmup+finetune"}, {"cut", "pool5"}, {"head", "logistic"}};
  config["transfer"]["phases"] = {{{"first_epoch", 1}, {"frozen_through", "pool5"}},
                                  {{"first_epoch", 4}, {"frozen_through", "fire8"}},
                                  {{"first_epoch", 7}, {"frozen_through", ""}}};
  run.write("config.json", config.dump());
  auto result = result_for_tests(shapes, 3);
  result["transfer"]["auto"] = {{"chosen", "advised"}, {"expected_seconds", 60}};
  result["transfer"]["auto"]["advice"]["choices"] = {
      {{"recipe", "probe"}, {"cut", "<i>"}, {"top1", 0.5}, {"gain", 0}, {"gain_error", 0}, {"minutes", 2.5}}};
  run.write("result.json", result.dump());
  // The largest of its phases counts.
  run.write("log.jsonl", R"({"kind":"start","planned_bytes":524288})"
                         "\n"
                         R"({"kind":"start","planned_bytes":1048576})"
                         "\n" +
                             log_for_tests(3));
  const std::string page = page_of(run);
  for (const char* there :
       {"<pre><code>enxerto fit &#39;&lt;photos&gt;&#39;</code></pre>", "first the new head alone (logistic)",
        "The features come from the layer <code>pool5</code>",
        "From epoch 4 on, what follows <code>fire8</code> learns. From epoch 7 on, all layers learn.",
        "<tr><th scope=row>probe<td class=name>&lt;i&gt;<td>50.0 %<td>0.0 % ± 0.0 %<td>2.5",
        "It took 13s; 1m 00s were expected."})
    expect_has(page, there);
  expect_has(page, "2.0 MiB of memory at most for the whole process; 1.0 MiB were planned");
}

TEST(Report, TheGradientsOfEachLayerAreATableAndItsFaultsHaveACure) {
  const RunForTests run;
  write_finished(run, shapes);
  expect_has_not(page_of(run), "Gradients by layer");
  const auto layers = [](double first) {
    return nlohmann::json{
        {{"name", "<b>"}, {"grad_norm", first}, {"norm", 1}, {"filters", 8}, {"equal", 7}, {"still", 0}},
        {{"name", "fc"}, {"grad_norm", 2000}, {"norm", 1}}};
  };
  std::string log;
  for (int epoch = 1; epoch <= 100; ++epoch) {
    nlohmann::json line{
        {"kind", "epoch"}, {"epoch", epoch}, {"train_loss", 1}, {"layers", layers(epoch < 100 ? 0.5 : 3e-7)}};
    if (epoch > 1)
      line["faults"] = {{{"kind", "equal"}, {"layer", "<b>"}, {"layers", 1}},
                        {{"kind", "no such"}, {"layer", "x"}}};
    log += line.dump() + "\n";
  }
  run.write("log.jsonl", log);
  const std::string page = page_of(run);
  expect_has(page, "<strong>Symmetric</strong>: in <code>&lt;b&gt;</code> (and 0 more)");
  expect_has(page, "First seen in epoch 2.");
  expect_has(page, "<td class=l3>2e+03");
  expect_has(page, "<td class=some>7 of 8<td>0 of 8");
  EXPECT_EQ(count(page, "class=fault role=note"), 1u);
  EXPECT_LT(count(page, "<td class=l3>"), 25u) << "epochs are left out";
  // Whatever is in it, the page is made.
  for (
      const char* odd :
      {R"({"kind":"epoch","epoch":1,"layers":3,"faults":{}})",
       R"({"kind":"epoch","epoch":1,"layers":[1,{"name":4,"grad_norm":"x"},{"grad_norm":-1}],"faults":[7]})"}) {
    run.write("log.jsonl", text(odd, "\n"));
    EXPECT_NO_THROW(page_of(run)) << odd;
  }
}

TEST(Report, ThePicturesOfPredictionsAreShown) {
  const RunForTests run;
  write_finished(run, shapes);
  expect_has_not(page_of(run), "Largest losses");
  std::string lines;
  for (int i = 0; i < 30; ++i) {
    nlohmann::json line{{"split", "val"},
                        {"index", i},
                        {"file", text("/data/circle/", i, "</script>.jpg")},
                        {"label", i % 3},
                        {"predicted", i < 6 ? (i + 1) % 3 : i % 3},
                        {"loss", 3 - 0.1 * i},
                        {"probability", 0.9}};
    if (i == 2) line["thumbnail"] = "/9j/AAAA";
    if (i == 3) line["thumbnail"] = "/9j/\"onload=alert(1)";
    if (i == 4) line["thumbnail"] = "PHN2Zz4=";
    lines += line.dump() + "\n";
  }
  run.write("predictions.jsonl", lines);
  const std::string page = page_of(run);
  expect_has(page, "<ol class=cards data-split=val>");
  expect_has(page, "<b>circle taken for cross</b><span>90.0 %, loss 3</span>");
  expect_has(page, "data-split=\"val\" data-pictures=");
  expect_has(page, "the expected calibration error (ten bins of equal width) is 10.0 %");
  EXPECT_EQ(count(page, "<li data-at="), 1u) << "what is no JPEG is not shown";
  EXPECT_EQ(count(page, "onload="), count(page, "image.onload="));
  EXPECT_EQ(count(page, "</script>.jpg"), 0u);
  // Labels that are no classes, and other damage, are passed over.
  run.write("predictions.jsonl", R"({"split":"val","label":7,"predicted":0,"loss":1})"
                                 "\n"
                                 R"({"split":"val","label":-1,"predicted":0,"loss":1})"
                                 "\n"
                                 R"({"split":"val","label":0,"predicted":0})"
                                 "\n[[[\n{\"split\"");
  expect_has_not(page_of(run), "Largest losses");
  expect_has(page_of(run), "damaged and were passed over: 4");
}

TEST(Report, WithTwentyPicturesAndBothLanguagesThePageStaysBelowThreeMegabytes) {
  const RunForTests run;
  write_finished(run, shapes);
  const std::string thumbnail = "/9j/" + std::string(47u << 10, 'A');
  std::string lines;
  for (int i = 0; i < 5000; ++i)
    for (const char* split : {"val", "test"})
      lines += nlohmann::json{{"split", split},
                              {"index", i},
                              {"file", std::string(300, 'x')},
                              {"label", 0},
                              {"predicted", 1},
                              {"loss", 5000 - i},
                              {"probability", 0.5},
                              {"thumbnail", i < 30 ? thumbnail : ""}}
                   .dump() +
               "\n";
  run.write("predictions.jsonl", lines);
  write_report(run.folder());
  EXPECT_LT(run.read("report.html").size(), 3000000u);
}

TEST(Report, TheSameFolderGivesTheSamePage) {
  const RunForTests run;
  write_finished(run, shapes);
  EXPECT_EQ(page_of(run), page_of(run));
}

TEST(Report, NoNameFromAFileBecomesMarkup) {
  const std::string script = "<script>alert(1)</script>", quotes = "\" onfocus='alert(2)' x=\"";
  const RunForTests run;
  write_finished(run, {script, quotes, "&amp;"});
  nlohmann::json config = config_for_tests({script, quotes, "&amp;"});
  for (const char* key : {"net", "data", "chip", "version", "weights", "command"})
    config[key] = script + quotes;
  config["splits"]["train"]["digest"] = script;
  config["training"]["metric"] = script;
  config["training"]["optimizer"] = {{"kind", script}, {script, {script, {{script, quotes}}}}};
  run.write("config.json", config.dump());
  nlohmann::json result = result_for_tests(shapes, 3);
  result["metric"] = script;
  run.write("result.json", result.dump());
  const std::string page = page_of(run);
  EXPECT_EQ(count(page, "<script>"), 2u);  // the library of the charts and ours
  expect_has_not(page, "\" onfocus=");
  expect_has_not(page, "onfocus='");
  expect_has(page, "<th scope=row>&lt;script&gt;alert(1)&lt;/script&gt;");
  expect_has(page, "<th scope=row>&amp;amp;");
}

TEST(Report, ARunThatIsNotFinishedSaysSoAndHowToGoOn) {
  const RunForTests run;
  run.write("config.json", config_for_tests(shapes).dump());
  run.write("log.jsonl", log_for_tests(2) + "{\"kind\":\"ep");
  expect_has(page_of(run), "Still running: 2 of 3 epochs are done.");
  expect_has_not(page_of(run), "--resume");
  fs::last_write_time(run.folder() / "log.jsonl", fs::file_time_type::clock::now() - std::chrono::hours(2));
  expect_has(page_of(run), "class=\"outcome interrupted\"");
  expect_has(page_of(run), "Not finished: 2 of 3 epochs are done");
  expect_has(page_of(run), "enxerto train --resume " + run.folder().string());
  expect_has(text_summary(run.folder()), "enxerto train --resume " + run.folder().string());
  expect_has(text_summary(run.folder()), "validation  40.0 % top-1 (95 %: 20.0 to 50.0 %)");
}

TEST(Report, ADivergedRunSaysSoAndIsNotToBeResumed) {
  const RunForTests run;
  run.write("config.json", config_for_tests(shapes).dump());
  run.write("log.jsonl", log_for_tests(1) + R"({"kind":"diverged","message":"step 3: <b>"})" + "\n");
  expect_has(page_of(run), "Diverged after epoch 1 of 3");
  expect_has(page_of(run), "step 3: &lt;b&gt;");
  expect_has_not(page_of(run), "--resume");
}

TEST(Report, ARunWithoutALogOrWithAnEmptyConfigurationStillGivesAPage) {
  const RunForTests run;
  run.write("config.json", "{}");
  expect_has(page_of(run), "unknown on unknown");
  expect_has(page_of(run), "No epoch is done yet");
  expect_has(text_summary(run.folder()), "unknown on unknown");
}

TEST(Report, FlippedBitsAnywhereGiveAPageOrAnError) {
  const RunForTests run;
  write_finished(run, shapes);
  for (const char* name : {"config.json", "result.json"}) {
    const std::string content = run.read(name);
    for (std::size_t at = 0; at < content.size(); at += 3) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      run.write(name, damaged);
      try {
        EXPECT_FALSE(text_summary(run.folder()).empty());
      } catch (const Error& error) {
        expect_has(std::string(error.what()), name);
      }
    }
    run.write(name, content);
  }
}

TEST(Report, FiftyClassesFitAndAThousandShowTheWorstPairs) {
  for (const std::size_t c : {std::size_t{50}, std::size_t{1000}}) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < c; ++i) names.push_back(text("\"\"\"\"\"\"\"\"\"\" class & number ", i));
    const RunForTests run;
    write_finished(run, names);
    const std::string page = page_of(run);
    EXPECT_LT(page.size(), 300000u) << c;
    EXPECT_EQ(count(page, "class=\"matrix"), c == 50 ? 1u : 0u);
    EXPECT_EQ(count(page, "<table class=pairs>"), 1u);
    if (c == 1000) expect_has(page, "The 400 weakest of 1,000.");
  }
}

TEST(Report, AFolderThatCannotBeWrittenIsAnErrorThatNamesThePage) {
  const RunForTests run;
  write_finished(run, shapes);
  fs::create_directories(run.folder() / "report.html" / "in the way");
  try {
    write_report(run.folder());
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    expect_has(std::string(error.what()), (run.folder() / "report.html").string());
  }
}

TEST(Report, ControlCharactersDoNotReachTheTerminal) {
  const RunForTests run;
  write_finished(run, {"\x1b[2Jred", "b\nc", "d"});
  const std::string summary = text_summary(run.folder());
  expect_has_not(summary, "\x1b");
  expect_has(summary, "b\uFFFDc");
}

TEST(Report, WordsForTheShellAreQuotedWhereTheyHaveToBe) {
  EXPECT_EQ(shell_word("runs/a-1"), "runs/a-1");
  EXPECT_EQ(shell_word("my run's"), "'my run'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace enxerto
