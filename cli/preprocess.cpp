// enxerto preprocess: exactly what the network is given.
#include "enxerto/data/preprocess.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <system_error>

#include "cli/commands.h"
#include "cli/model.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/preprocess_view.h"
#include "enxerto/image/encode.h"
#include "enxerto/weights/npy.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

struct PreprocessFlags {
  Common common;
  ModelFlags model;
  std::string out, png;
  std::vector<std::string> paths;
};

/// What the network sees of each picture, as FOLDER/NAME.png; of pictures of one name the later ones get a
/// number.
std::vector<std::string> write_pictures(const fs::path& folder, const std::vector<std::string>& files,
                                        const Preprocess& preprocess, std::span<const float> rows) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw Error(ErrorKind::io, text(folder.string(), ": ", code.message()));
  const auto row = static_cast<std::size_t>(preprocess.shape().size());
  std::set<std::string> taken;
  std::vector<std::string> written;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string stem = fs::path(files[i]).stem().string();
    std::string name = stem;
    for (int number = 2; !taken.insert(name).second; ++number) name = text(stem, "_", number);
    written.push_back((folder / (name + ".png")).string());
    save_png(written.back(), unnormalized(preprocess, rows.subspan(i * row, row)));
  }
  return written;
}

int run_preprocess(const PreprocessFlags& flags) {
  if (flags.out.empty() && flags.png.empty())
    throw Error(ErrorKind::usage, "--out is missing, or --png; see `enxerto preprocess --help`");
  const Classifier model = load_classifier(flags.model);
  std::vector<std::string> files;
  for (const std::string& path : flags.paths)
    for (std::string& file : list_pictures(path)) files.push_back(std::move(file));
  for (const std::string& file : files) {
    if (!flags.out.empty()) check_another_file("--out", flags.out, file);
    if (!flags.png.empty() && is_same_file(flags.png, fs::absolute(file).parent_path()))
      throw Error(ErrorKind::usage,
                  text("--png: ", flags.png, " is where ", file,
                       " lies, and pictures there could be overwritten; name another folder"));
  }
  Shape shape = model.preprocess.shape();
  shape.n = static_cast<std::int64_t>(files.size());
  const auto row = static_cast<std::size_t>(model.preprocess.shape().size());
  Tensor images(shape);
  for (std::size_t i = 0; i < files.size(); ++i)
    model.preprocess.apply(source_of(files[i]), images.data().subspan(i * row, row));
  nlohmann::json json = {{"shape", {shape.n, shape.c, shape.h, shape.w}},
                         {"files", files},
                         {"preprocess", model.preprocess.to_json()}};
  if (!flags.out.empty()) {
    save_npy(flags.out, {shape.n, shape.c, shape.h, shape.w}, images.data());
    json["out"] = flags.out;
  }
  if (!flags.png.empty()) json["png"] = write_pictures(flags.png, files, model.preprocess, images.data());
  if (flags.common.json) {
    print_json(json);
    return 0;
  }
  std::cout << "Each picture is\n";
  const std::vector<std::string> steps = preprocess_steps(model.preprocess);
  for (std::size_t i = 0; i < steps.size(); ++i) std::cout << "  " << i + 1 << ". " << steps[i] << '\n';
  if (!flags.out.empty())
    std::cout << flags.out << ": float32 " << format_shape(shape) << ", each picture as "
              << format_preprocess(model.preprocess) << '\n';
  if (!flags.png.empty())
    std::cout << flags.png << ": " << files.size() << (files.size() == 1 ? " picture" : " pictures")
              << " as the network sees " << (files.size() == 1 ? "it" : "them") << '\n';
  return 0;
}

}  // namespace

void add_preprocess(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<PreprocessFlags>();
  CLI::App* verb = app.add_subcommand("preprocess", "Write what a network is given for pictures");
  add_model(*verb, flags->model);
  verb->add_option("files", flags->paths, "Pictures, or folders of them")->required()->type_name("FILE");
  verb->add_option("--out", flags->out, "NumPy file, float32 {n,c,h,w}")->type_name("TENSOR.npy");
  verb->add_option("--png", flags->png, "Folder for what the network sees, as pictures")->type_name("FOLDER");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto preprocess run holiday.jpg --out holiday.npy\n"
      "  enxerto preprocess run photos --png seen");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_preprocess(*flags); }; });
}

}  // namespace enxerto::cli
