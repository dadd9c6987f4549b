#include "enxerto/transfer/export.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/npy.h"
#include "enxerto/weights/safetensors.h"

namespace enxerto {
namespace {

class Export : public testing::Test {
 protected:
  Export() { make_folder(folder); }
  ~Export() override { std::filesystem::remove_all(folder); }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / text("enxerto_export_", ::getpid());
  const FileDataset data{{"a,b.jpg", "c.jpg"}, std::vector<std::int32_t>{1, 0}, {"ant", "bee"}};
  const std::vector<float> values{0, 0.1f, -2, 1e-20f, 0, 3};
  const ConstView rows{{.n = 2, .c = 3}, values};
};

TEST_F(Export, NpyHasRowsAndLabels) {
  save_features(folder / "x.npy", rows, data);
  save_label_file(folder / "y.npy", data);
  const auto x = load_npy_floats(folder / "x.npy");
  EXPECT_EQ(x.dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(x.values, values);
  EXPECT_EQ(load_npy_integers(folder / "y.npy").values, (std::vector<std::int64_t>{1, 0}));
}

TEST_F(Export, CsvQuotesPathsAndNamesClasses) {
  save_features(folder / "x.csv", rows, data);
  EXPECT_EQ(read_text_file(folder / "x.csv"),
            "path,label,f0,f1,f2\n\"a,b.jpg\",bee,0,0.1,-2\nc.jpg,ant,1e-20,0,3\n");
}

TEST_F(Export, LibsvmLeavesOutZeros) {
  save_features(folder / "x.svm", rows, data);
  EXPECT_EQ(read_text_file(folder / "x.svm"), "1 2:0.1 3:-2\n0 1:1e-20 3:3\n");
}

TEST_F(Export, SafetensorsHasClassesAndPathsBeside) {
  save_features(folder / "x.safetensors", rows, data);
  const SafetensorsFile file = load_safetensors(folder / "x.safetensors");
  EXPECT_EQ(find_tensor(file.tensors, "features")->dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(find_tensor(file.tensors, "labels")->value.data()[0], 1);
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("paths"))[0], "a,b.jpg");
}

TEST_F(Export, SeveralLabelsAreListedEverywhere) {
  LabelTable labels;
  labels.multi = true;
  labels.add(std::vector<std::int32_t>{0, 1});
  labels.add({});
  const FileDataset several({"a.jpg", "b.jpg"}, std::move(labels), {"ant", "bee"});
  save_features(folder / "x.csv", rows, several);
  EXPECT_NE(read_text_file(folder / "x.csv").find("a.jpg,ant|bee,0"), std::string::npos);
  save_features(folder / "x.svm", rows, several);
  EXPECT_EQ(read_text_file(folder / "x.svm"), "0,1 2:0.1 3:-2\n 1:1e-20 3:3\n");
  save_label_file(folder / "y.npy", several);
  EXPECT_EQ(load_npy_integers(folder / "y.npy").values, (std::vector<std::int64_t>{1, 1, 0, 0}));
}

TEST_F(Export, AnotherEndingIsRefused) { EXPECT_THROW(check_feature_ending("x.parquet"), Error); }

}  // namespace
}  // namespace enxerto
