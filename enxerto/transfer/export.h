/// Features as files of other programs.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "enxerto/data/dataset.h"
#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// Writes rows {n,c} with the labels of `data`, in the format that the name ends in:
///   .npy          float32 {n, c}; labels go to a file of their own (save_label_file)
///   .csv          a header path,label,f0,f1,...; labels as the names of their classes, several with |
///   between .safetensors  "features" {n,c} and "labels" {n} as float, classes and paths as JSON texts beside
///   them .svm, .libsvm LIBSVM's lines: the label's number, then index:value from 1, zeros left out; of
///   several
///                 labels the numbers with commas between
/// Throws Error{usage} for another ending, with what there is, and Error{io}.
void save_features(const std::filesystem::path& path, ConstView rows, const Dataset& data);
/// Error{usage} where save_features() does not know the ending.
void check_feature_ending(const std::filesystem::path& path);

/// .npy, int64: {n} labels, or, with several labels a picture, {n, classes} zeros and ones.
void save_label_file(const std::filesystem::path& path, const Dataset& data);

}  // namespace enxerto
