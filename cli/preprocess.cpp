// enxerto preprocess: exactly what the network is given.
#include "enxerto/data/preprocess.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/weights/npy.h"

namespace enxerto::cli {
namespace {

struct PreprocessFlags {
  Common common;
  ModelFlags model;
  std::string out;
  std::vector<std::string> paths;
};

int run_preprocess(const PreprocessFlags& flags) {
  const Classifier model = load_classifier(flags.model);
  std::vector<std::string> files;
  for (const std::string& path : flags.paths)
    for (std::string& file : list_pictures(path)) files.push_back(std::move(file));
  Shape shape = model.preprocess.shape();
  shape.n = static_cast<std::int64_t>(files.size());
  const auto row = static_cast<std::size_t>(model.preprocess.shape().size());
  Tensor images(shape);
  for (std::size_t i = 0; i < files.size(); ++i)
    model.preprocess.apply(source_of(files[i]), images.data().subspan(i * row, row));
  save_npy(flags.out, {shape.n, shape.c, shape.h, shape.w}, images.data());
  if (flags.common.json)
    print_json({{"out", flags.out}, {"shape", {shape.n, shape.c, shape.h, shape.w}}, {"files", files}});
  else
    std::cout << flags.out << ": float32 " << format_shape(shape) << ", each picture as "
              << format_preprocess(model.preprocess) << '\n';
  return 0;
}

}  // namespace

void add_preprocess(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<PreprocessFlags>();
  CLI::App* verb = app.add_subcommand("preprocess", "Write what a network is given for pictures");
  add_model(*verb, flags->model);
  verb->add_option("files", flags->paths, "Pictures, or folders of them")->required()->type_name("FILE");
  verb->add_option("--out", flags->out, "NumPy file, float32 {n,c,h,w}")->required()->type_name("TENSOR.npy");
  add_json(*verb, flags->common);
  verb->footer(
      "Example:\n"
      "  enxerto preprocess run holiday.jpg --out holiday.npy");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_preprocess(*flags); }; });
}

}  // namespace enxerto::cli
