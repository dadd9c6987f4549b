/// The labelled pictures that a model is looked at with: those of its run, or others.
#pragma once

#include <memory>
#include <string>

#include "cli/model.h"
#include "enxerto/data/open.h"

namespace enxerto::cli {

/// Where the pictures of a run are. Throws Error that says what to do (`flag` takes a folder): usage where
/// `model` is no run folder, not_found where the pictures are there no longer, and what load_run_config()
/// throws.
std::string data_of_run(const std::string& model, const char* flag);

/// The data with the model's classes, matched by name; ImageNet's may be called by their wnids too. Throws as
/// open_data().
Splits open_for(const Classifier& model, const std::string& data);

/// One split.
struct Chosen {
  std::string split;
  std::shared_ptr<const Dataset> data;
  bool of_run = false;    ///< by names and labels the very pictures that the run split off so
  std::string note = {};  ///< a warning, where there is one
};
/// `split`: "train", "val", "test", "all", or empty for the first of test, val, all that there is. Where
/// `model` is a run and these are its data, train is what it kept for training, and what it held back of data
/// that have no such split is found again; where it cannot be, as pictures have come or gone, the note says
/// so. Throws Error{not_found} that names `data`.
Chosen choose_split(const std::string& model, const std::string& data, const Splits& splits,
                    const std::string& split);

}  // namespace enxerto::cli
