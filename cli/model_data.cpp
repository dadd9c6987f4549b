#include "cli/model_data.h"

#include "cli/check.h"
#include "cli/commands.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/split.h"
#include "enxerto/train/run_folder.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

bool is_run(const fs::path& model) { return fs::is_regular_file(model / "config.json"); }

/// The run's split of data; null where the model is no run or the data are others.
std::shared_ptr<const Dataset> split_of_run(const fs::path& run, const Splits& splits,
                                            std::string_view split) {
  if (!is_run(run) || !splits.train) return nullptr;
  const RunConfig config = load_run_config(run);
  Splits again = config.val_as_test ? with_val_as_test(splits) : splits;
  again = with_splits(std::move(again), config.val_fraction, config.test_fraction, config.split_seed);
  again = leave_out_as_in(run, std::move(again));
  const auto& record = split == "val" ? config.val : split == "test" ? config.test : config.train;
  const auto& found = split == "val" ? again.val : split == "test" ? again.test : again.train;
  return found && record && *record == record_of(*found) ? found : nullptr;
}

/// Whether these are the run's data, and it held some of them back.
bool has_held_back(const fs::path& run, const std::string& data) {
  const RunConfig config = load_run_config(run);
  return (config.val || config.test) && is_same_file(config.data, data);
}

}  // namespace

std::string data_of_run(const std::string& model, const char* flag) {
  if (!is_run(model))
    throw Error(ErrorKind::usage,
                text(model,
                     ": is a model alone and no run folder, so it does not know its pictures; "
                     "say with ",
                     flag, " where they are"));
  std::string data = load_run_config(model).data;
  if (!fs::exists(data))
    throw Error(ErrorKind::not_found, text(model, ": its pictures were in ", data,
                                           ", which is not there; say with ", flag, " where they are now"));
  return data;
}

Splits open_for(const Classifier& model, const std::string& data) {
  try {
    return open_data(data, {.classes = model.classes});
  } catch (const Error&) {
    if (model.wnids.empty()) throw;
    try {
      return open_data(data, {.classes = model.wnids});
    } catch (const Error&) {
    }
    throw;
  }
}

Chosen choose_split(const std::string& model, const std::string& data, const Splits& splits,
                    const std::string& split) {
  const auto find = [&](const std::string& name) -> Chosen {
    if (name == "all") return {name, joined(splits)};
    const auto& own = name == "train" ? splits.train : name == "val" ? splits.val : splits.test;
    if (own && name != "train") return {name, own};
    if (auto of_run = split_of_run(model, splits, name)) return {name, std::move(of_run), true};
    return {name, own};
  };
  if (!split.empty()) {
    if (Chosen chosen = find(split); chosen.data) return chosen;
    throw Error(ErrorKind::not_found,
                text(data, ": has no ", split, " split; choose another --split, or all"));
  }
  for (const char* name : {"test", "val"})
    if (Chosen chosen = find(name); chosen.data) return chosen;
  Chosen all = find("all");
  if (is_run(model) && has_held_back(model, data))
    all.note =
        text(data, ": its pictures have changed since ", model,
             " was made, so that those held back cannot be told from those it learnt from: the figures "
             "are too good. --split all says that this is meant");
  return all;
}

}  // namespace enxerto::cli
