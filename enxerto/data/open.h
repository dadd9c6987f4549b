/// Opening data: a folder, a manifest, or one of the well-known binary sets -> Splits.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "enxerto/data/dataset.h"

namespace enxerto {

/// `val` and `test` are null where the data has none of its own (see with_splits() in split.h). All
/// three number their labels alike.
struct Splits {
  std::shared_ptr<const Dataset> train, val, test;
  std::vector<std::string> notes;  ///< for people: what was passed over, what was split how
};

/// All pictures of train, val and test, in this order.
std::shared_ptr<const Dataset> joined(const Splits& splits);

struct OpenOptions {
  /// Empty: the data is for training, so it has a train split with two classes or more, and the others
  /// have no class besides these; some may lack there. Else a model's classes, which number the labels; any
  /// split may be missing, and any class, but there must be none that is not among these.
  std::vector<std::string> classes;
  /// False: any split and any class may be missing, as where data are only looked at. Not beside `classes`.
  bool for_training = true;
};

/// Recognises by content, in this order:
/// - a file ending in .csv with a header `path,label` and optionally `split` (train, val, validation,
///   test), or in .jsonl with an object of these keys a line; paths count from the manifest's folder.
///   Several labels a picture: a CSV column `labels` instead, with `|` between the names; in JSONL a list of
///   names under "labels" or "label" in any line (a line with one name has that one). A picture may then have
///   none: an empty field, an empty list. (docs/formats/manifest.md);
/// - a folder with MNIST's IDX files `*images-idx3-ubyte` and `*labels-idx1-ubyte`, .gz or not, where
///   names that start with t10k or test, or have the word test or val in them, are that split;
/// - a folder with CIFAR-10's data_batch_*.bin and test_batch.bin;
/// - a folder with train/ (and val/ or validation/, test/) that have a folder for each class;
/// - a folder with a folder for each class, which is all train.
/// Class names are sorted by name (binary sets keep their own numbers) and matched by name between
/// splits. With several labels a picture one class is enough for training.
/// Pictures are sorted by path; folders in a class folder count to it; hidden ones, Thumbs.db,
/// desktop.ini and __MACOSX do not. A file is a picture that has a picture's ending, whatever is in it, or
/// that starts as a picture does, whatever it is called. Links are followed, each folder being read once a
/// class; a link that leads nowhere is told in a note. So is a folder without pictures, which is no class.
/// Pictures are not decoded here: a bad one throws at get(). Throws Error: not_found, corrupt,
/// unsupported; the text names the folder, class or line.
Splits open_data(const std::filesystem::path& path, const OpenOptions& options = {});

/// A picture file, or all pictures under a folder by the rules of open_data(), sorted by path.
/// Error{not_found} where there is nothing.
std::vector<std::string> list_pictures(const std::filesystem::path& path);

}  // namespace enxerto
