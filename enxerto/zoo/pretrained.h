/// A network with its weights from whatever file holds them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "enxerto/weights/conventions.h"
#include "enxerto/zoo/model_file.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {

/// What a file does not say itself.
struct PretrainedOptions {
  std::string net = "";  ///< of the zoo; empty: told by the tensors
  std::optional<Normalization> normalization =
      {};              ///< how its pictures are prepared; else that of its family
  int size = 0;        ///< sides of the input; 0: the file's or the net's own. A model file is rebuilt for it
  bool strict = true;  ///< every tensor has to be there, to fit and to be used
};

struct Pretrained {
  ModelFile model;  ///< preprocess is null where nobody knows it; classes are empty where it is no classifier
  std::string net;  ///< of the zoo, where it is one
  std::vector<std::string> notes;  ///< for people: what was recognised, assumed and left out
};

/// The file, told by its content: a model file or run folder; bare weights as safetensors, PyTorch or Keras
/// files, whose network and preprocessing are recognised (recognize.h) or named in the options; a whole
/// network as Keras or ONNX file. Classes: those of the file; the lines of FILE.labels.txt beside it (names,
/// or ImageNet's wnids); of a network with 1,000 outputs ImageNet's; CIFAR-10's of a net that is made for it;
/// else "class 0" and so on.Throws Error that names the file: usage where an option contradicts the file;
/// unsupported where the net has to be named, with the nearest ones; corrupt that lists all tensors which do
/// not fit; and what the readers throw.
Pretrained load_pretrained(const std::filesystem::path& path, const PretrainedOptions& options = {});

/// The file that MODEL means: itself where it exists, or the checked file in the cache for the name of a net,
/// such as "resnet50" or "resnet50:v1", or that of the backbone in the box for "builtin" (builtin.h). Throws
/// Error{not_found} that says how to get it.
std::filesystem::path find_model(const std::string& model);

/// The weights of any file, with everything of the program that made it turned into our conventions; the
/// structure that Keras models have beside them is not looked at. Throws what the readers throw.
ConventionalWeights load_weights(const std::filesystem::path& path);

/// Whether the file is nothing without its network: a run folder, our own model files, ONNX. Throws what the
/// readers throw.
bool holds_network(const std::filesystem::path& path);

/// The preprocessing that the net's weights want. `size` 0: the net's own.
Preprocess preprocess_of(const NetInfo& net, Normalization normalization, int size = 0);

}  // namespace enxerto
