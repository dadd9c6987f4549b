/// Where the official weights of the zoo's nets are, and what those who made them say of them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "enxerto/data/preprocess.h"

namespace enxerto {

/// A file of weights. The figures are those of its makers, and so are the hashes; nothing here is measured.
struct Source {
  std::string_view net;      ///< in the zoo
  std::string_view version;  ///< tells the files of one net apart: "v2", "keras"
  std::string_view origin;   ///< who publishes it: "torchvision"
  std::string_view folder;   ///< URL, with the slash at the end
  std::string_view file;
  std::string_view sha256, md5;  ///< as far as published, in lower case: the first 8 digits of torchvision's
  double top1 = 0, top5 = 0;     ///< proportions; 0: not published
  std::string_view figures_data, figures_page;  ///< what the figures are of, and where they stand
  std::string_view license, license_note;       ///< "MIT"; what the makers say, in a sentence
  Normalization normalization = Normalization::imagenet;
  int resize_px = 0;  ///< the short side before the crop; 0: the picture is squashed to crop_px
  int crop_px = 224;

  std::string url() const { return std::string(folder) + std::string(file); }
  std::string name() const;  ///< "resnet50:v1"; the net alone where it is the default
};

/// All of them; a net's default comes first.
std::span<const Source> sources();
/// Of one net, the default first; may be empty.
std::span<const Source> sources_of(std::string_view net);
/// "resnet50" is the default, "resnet50:v1" another. Throws Error{usage} that lists what there is, or says
/// that nobody publishes weights for that net.
const Source& find_source(std::string_view name);

/// The one whose file is called so, or null.
const Source* find_source_of_file(std::string_view file_name);

/// How a picture becomes the input that these weights were made for.
Preprocess preprocess_of(const Source& source);

}  // namespace enxerto
