/// What `enxerto explain` found of pictures, as a page: the training pictures nearest to each, and a map of a
/// set of pictures.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto {

/// The features that pictures are compared by.
struct FeatureSource {
  std::string layer;         ///< that makes them
  std::int64_t columns = 0;  ///< how many there are
};

/// Of a picture that was asked about, one of the nearest training pictures.
struct NearPicture {
  std::string file, label;  ///< label: empty where it has none
  double distance = 0;
  std::optional<bool> agrees;  ///< whether the label is the answer; empty where the classes are others
  bool is_same = false;        ///< the network is given the same numbers for both
  std::string thumbnail;       ///< a JPEG in base64
};
struct AskedPicture {
  std::string file, answer, thumbnail;
  double probability = 0;
  std::vector<NearPicture> nearest;  ///< nearest first
};
struct NearestPictures {
  std::string data;           ///< where the training pictures are
  std::int64_t pictures = 0;  ///< of training
  bool as_trained = false;    ///< these are the very ones that the model learnt from
  std::vector<AskedPicture> asked;
};

/// A picture's place on the map.
struct PlacedPicture {
  std::string file;
  float x = 0, y = 0;
  std::int32_t label = -1;     ///< of MapOfPictures::classes; below zero where it has none
  std::int32_t predicted = 0;  ///< of MapOfPictures::answers
  double probability = 0;      ///< of the predicted
  std::vector<std::int32_t> neighbours =
      {};  ///< the nearest others by all features, nearest first: places in the list
  std::vector<double> distances = {};  ///< of these
};
struct MapOfPictures {
  std::string data, split;                           ///< split: "train", "val", "test" or "all"
  std::int64_t all = 0;                              ///< pictures there are, of which `pictures` are some
  std::vector<std::string> classes, answers;         ///< of the labels, of the model
  bool same_classes = false;                         ///< these two are one list: an answer can be wrong
  std::vector<PlacedPicture> pictures;               ///< each with as many neighbours
  std::array<double, 2> explained{};                 ///< of the variance, along each axis
  double kept = 0;                                   ///< of the neighbours, the share that the map keeps
  std::string sheet;                                 ///< their thumbnails row by row, a JPEG in base64
  int columns = 1, tile_width = 0, tile_height = 0;  ///< of the sheet; tiles without gaps

  bool is_wrong(const PlacedPicture& each) const {
    return same_classes && each.label >= 0 && each.label != each.predicted;
  }
};

struct Explanation {
  std::string model;
  FeatureSource features;
  std::optional<NearestPictures> nearest;
  std::optional<MapOfPictures> map;
};

/// Of the pictures that were asked about, the page has so many, the first.
inline constexpr std::size_t most_asked = 40;

/// Writes the page, one file that needs nothing else. `language` is "en", "pt", or "" for both. Throws
/// Error{io} that names it.
void write_explanation(const std::filesystem::path& page, const Explanation& explanation,
                       std::string_view language = "");

}  // namespace enxerto
