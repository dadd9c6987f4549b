/// The last step of Preprocess as operators of an ONNX file, and a file of ours without them again. For this
/// folder only.
#pragma once

#include <onnx.pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "enxerto/data/preprocess.h"

namespace enxerto::onnx {

/// Inputs of the files that we write: pictures of the network's size with values in 0..255, RGB or grey; or
/// normalised ones.
constexpr std::string_view pixels_name = "pixels", input_name = "input";
/// Who made our files.
constexpr std::string_view producer_name = "enxerto";
/// Keys of our metadata.
constexpr std::string_view preprocess_key = "enxerto.preprocess", classes_key = "enxerto.classes";

/// From "pixels" to "input"; every name but those two opens with "preprocess/".
struct PreprocessNodes {
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> tensors;  ///< whole
};
PreprocessNodes preprocess_nodes(const Preprocess& preprocess);

/// Makes a file of ours begin behind its preprocessing: where the metadata has a Preprocess, the input is
/// "pixels" and the first nodes are those that this Preprocess gives, they go, and the input is called
/// "input". True then. Where the input is "pixels" and the nodes are others (some tool has changed the file),
/// they stay, and what the metadata says of channel order, scale, mean and deviation becomes that of plain
/// pixels, because the graph does it all: whoever prepares pictures as the metadata says is right in every
/// case. Error{corrupt} that opens with `file` where the metadata is damaged.
bool strip_own_preprocess(ModelProto& model, const std::string& file);

}  // namespace enxerto::onnx
