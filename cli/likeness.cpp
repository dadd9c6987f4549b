#include "cli/likeness.h"

#include <algorithm>
#include <utility>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/model_data.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "enxerto/core/base64.h"
#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/place.h"
#include "enxerto/data/split.h"
#include "enxerto/explain/embedding.h"
#include "enxerto/graph/split.h"
#include "enxerto/image/contact_sheet.h"
#include "enxerto/image/encode.h"
#include "enxerto/image/thumbnail.h"

namespace enxerto::cli {
namespace {

constexpr int most_neighbours = 50, most_points = 5000;

/// A picture of a set as the network gets it, before its pixels become numbers.
Image fitted(const Preprocess& preprocess, const Dataset& pictures, std::int64_t index) {
  return preprocess.fitted([&](const DecodeOptions& options) { return pictures.get(index, options).image; });
}

/// So many of them, each class in its part, or all where there are no more.
std::shared_ptr<const Dataset> some_of(const std::shared_ptr<const Dataset>& pictures, int count) {
  if (pictures->size() <= count) return pictures;
  const double part = static_cast<double>(count) / static_cast<double>(pictures->size());
  return std::make_shared<const Subset>(pictures, split_stratified(labels_of(*pictures), part, Rng(0)).taken);
}

}  // namespace

void add_likeness_flags(CLI::App& verb, LikenessFlags& flags) {
  verb.add_option(
          "--data", flags.data,
          "For nearest and embedding: the labelled pictures, as `enxerto train` takes them (the run's own)")
      ->type_name("DATA");
  verb.add_option("--k", flags.k, "nearest: training pictures for each")
      ->capture_default_str()
      ->type_name("N");
  verb.add_option("--split", flags.split,
                  "embedding: test, val, train or all (the first of test, val, all that there is)")
      ->check(CLI::IsMember({"test", "val", "train", "all"}))
      ->type_name("NAME");
  verb.add_option("--points", flags.points,
                  "embedding: about so many pictures, drawn by lot where there are more")
      ->capture_default_str()
      ->type_name("N");
  add_cache_folder_flags(verb, flags.cache);
  add_workers(verb, flags.workers);
}

void check(const LikenessFlags& flags) {
  check_at_least("--k", flags.k, 1);
  check_at_least("--points", flags.points, 3);
  check_at_least("--workers", flags.workers, 0);
  for (const auto& [flag, value, most] :
       {std::tuple{"--k", flags.k, most_neighbours}, {"--points", flags.points, most_points}})
    if (value > most) throw Error(ErrorKind::usage, text(flag, ": at most ", most, ", not ", value));
}

std::string thumbnail_of(const Image& picture) {
  constexpr int longest = 160, quality = 82;
  return base64(encode_jpeg(with_channels(thumbnail(picture, longest), 3), quality));
}

Likeness::Likeness(const std::string& path, const Classifier& model, const LikenessFlags& flags,
                   Console& console)
    : path_(path), model_(model), flags_(flags), console_(console) {
  try {
    Graph graph = model.graph.clone();
    graph.set_side_outputs({});
    const Cut cut = model.head
                        ? Cut{.layer = graph.node(graph.last()).name, .pool = is_map(graph.output_shape())}
                        : usual_cut(graph);
    prefix_ = {.graph = features_of(graph, cut), .preprocess = model.preprocess};
    pooled_ = cut.pool;
    source_ = {.layer = cut.layer, .columns = prefix_.row_size()};
  } catch (const Error& error) {
    throw Error(error.kind(), text(path, ": ", error.what(), "; nearest and embedding compare these"));
  }
}

nlohmann::json Likeness::to_json() const {
  return {{"layer", source_.layer}, {"pooled", pooled_}, {"features", source_.columns}};
}

void Likeness::open_data() {
  if (opened_) return;
  Opened made;
  made.data = flags_.data.empty() ? data_of_run(path_, "--data") : flags_.data;
  try {
    made.splits = open_for(model_, made.data);
    made.same_classes = true;
  } catch (const Error& error) {
    made.splits = open_pictures(made.data);  // fails where more than the classes is wrong
    console_.line(text(error.what(), ": its labels are not compared with answers"));
  }
  for (const std::string& note : made.splits.notes) console_.line(note);
  opened_ = std::move(made);
}

Likeness::Pictures Likeness::open(const std::string& split) {
  open_data();
  Chosen chosen = choose_split(path_, opened_->data, opened_->splits, split);
  if (!chosen.note.empty()) console_.warn(chosen.note);
  if (chosen.data->size() == 0)
    throw Error(ErrorKind::not_found, text(opened_->data, ": there are no pictures in it"));
  // Those that can no longer be read are told of and left out.
  Splits part{.train = std::move(chosen.data), .val = nullptr, .test = nullptr, .notes = {}};
  check_data(opened_->data, {}, {.allow_leaks = true, .max_unreadable = 1}, part, console_);
  return {.split = chosen.split, .set = std::move(part.train), .of_run = chosen.of_run};
}

Tensor Likeness::rows_of(const Dataset& pictures, const std::string& what) {
  constexpr std::int64_t most_bytes = std::int64_t{4} << 30;
  if (feature_bytes(prefix_, pictures.size(), 1) > most_bytes)
    throw Error(ErrorKind::unsupported, text(path_, ": ", with_commas(source_.columns),
                                             " features of each of ", with_commas(pictures.size()),
                                             " pictures are more than 4 GiB; give some of them with --data"));
  const Features features = compute_features_in_memory(
      prefix_, pictures, feature_options(flags_.cache, flags_.workers, what, console_));
  if (const std::string note = features.note(); !note.empty()) console_.warn(note);
  computed_ += features.computed();
  Tensor room, rows({.n = pictures.size(), .c = source_.columns});
  std::ranges::copy(features.matrix(1, room).data, rows.data().begin());
  return rows;
}

std::string Likeness::label_of(std::int64_t index) const {
  std::vector<std::string> names;
  for (const std::int32_t label : training_.set->labels(index)) {
    const auto i = static_cast<std::size_t>(label);
    names.push_back(opened_->same_classes ? model_.classes[i] : training_.set->classes()[i]);
  }
  return join(names, ", ");
}

NearestPictures Likeness::open_training() {
  training_ = open("train");
  rows_ = by_distance(rows_of(*training_.set, "features of the training pictures"), flags_.k);
  Prefix one = {.graph = prefix_.graph.clone(), .preprocess = prefix_.preprocess, .batch = 1};
  one_.emplace(one);
  return {
      .data = opened_->data, .pictures = training_.set->size(), .as_trained = training_.of_run, .asked = {}};
}

std::vector<NearPicture> Likeness::nearest(ConstView image, const Ranked& answer, bool thumbnails) {
  ConstView row = one_->run(image, 1);
  row.shape = {.n = 1, .c = source_.columns};
  const Dataset& set = *training_.set;
  const std::vector<std::vector<Neighbour>> neighbours = rows_.neighbours(row);
  std::vector<NearPicture> found;
  for (const Neighbour& each : neighbours.front()) {
    NearPicture near;
    near.file = place_of(set, each.row);
    near.label = label_of(each.row);
    near.distance = each.distance;
    if (opened_->same_classes && (model_.multi_label || set.label(each.row) != unlabelled))
      near.agrees = std::ranges::count(set.labels(each.row), answer.index) > 0;
    // Features of one picture differ by rounding with how many are computed at once.
    constexpr double rounding = 1e-6;
    const bool may_be_same = each.distance < rounding;
    if (thumbnails || may_be_same) {
      const Image picture = fitted(model_.preprocess, set, each.row);
      if (thumbnails) near.thumbnail = thumbnail_of(picture);
      if (may_be_same) {
        std::vector<float> input(image.data.size());
        model_.preprocess.normalize(picture, input);
        near.is_same = std::ranges::equal(input, image.data);
      }
    }
    found.push_back(std::move(near));
  }
  return found;
}

void Likeness::add_answers(const Dataset& set, MapOfPictures& to) const {
  constexpr int batch = 32, tile_side = 80, quality = 80;
  Graph graph = model_.graph.clone();
  graph.set_side_outputs({});
  ModelRunner runner(std::move(graph), batch, model_.head);
  Shape shape = model_.preprocess.shape();
  const auto row = static_cast<std::size_t>(shape.size());
  shape.n = batch;
  Tensor images(shape);
  std::vector<Image> tiles(to.pictures.size());
  Pace pace(console_, "answers");
  const std::atomic<bool>& stop = catch_interrupts();
  for (std::int64_t begin = 0; begin < set.size(); begin += batch) {
    if (stop) throw Error(ErrorKind::interrupted, "interrupted before the map was done");
    const std::int64_t count = std::min<std::int64_t>(batch, set.size() - begin);
    parallel_for(count, threads(), [&](std::int64_t i) {
      const Image picture = fitted(model_.preprocess, set, begin + i);
      model_.preprocess.normalize(picture, images.data().subspan(static_cast<std::size_t>(i) * row, row));
      tiles[static_cast<std::size_t>(begin + i)] = with_channels(thumbnail(picture, tile_side), 3);
    });
    const ConstView outputs = runner.run(images.view(), static_cast<std::size_t>(count));
    const std::size_t classes = model_.classes.size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const Ranked answer = rank(model_, outputs.data.subspan(i * classes, classes), 1).front();
      PlacedPicture& picture = to.pictures[static_cast<std::size_t>(begin) + i];
      picture.predicted = answer.index;
      picture.probability = answer.probability;
    }
    pace.show(begin + count, set.size());
  }
  to.tile_width = tiles.front().width;
  to.tile_height = tiles.front().height;
  to.columns = sheet_columns(tiles.size(), to.tile_width, to.tile_height);
  to.sheet = base64(encode_jpeg(contact_sheet(tiles, to.columns, 0), quality));
}

MapOfPictures Likeness::map() {
  Pictures pictures = open(flags_.split);
  if (pictures.set->multi_label())
    throw Error(ErrorKind::unsupported, text(opened_->data,
                                             ": a picture may have several labels, and a point on the "
                                             "map has one colour; --show nearest tells all of them"));
  MapOfPictures made;
  made.data = opened_->data;
  made.split = pictures.split;
  made.same_classes = opened_->same_classes;
  made.all = pictures.set->size();
  made.answers = model_.classes;
  made.classes = opened_->same_classes ? model_.classes
                                       : std::vector<std::string>(pictures.set->classes().begin(),
                                                                  pictures.set->classes().end());
  pictures.set = some_of(pictures.set, flags_.points);
  const Dataset& set = *pictures.set;

  Embedding embedding;
  try {
    embedding = embed(rows_of(set, "features for the map").view());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    throw Error(error.kind(), text(opened_->data, ": ", error.what()));
  }
  made.explained = embedding.explained;
  made.kept = embedding.kept;
  for (std::size_t i = 0; i < embedding.neighbours.size(); ++i) {
    PlacedPicture each;
    each.file = place_of(set, static_cast<std::int64_t>(i));
    each.x = embedding.plane.data()[2 * i];
    each.y = embedding.plane.data()[2 * i + 1];
    each.label = set.label(static_cast<std::int64_t>(i));
    for (const Neighbour& near : embedding.neighbours[i]) {
      each.neighbours.push_back(static_cast<std::int32_t>(near.row));
      each.distances.push_back(near.distance);
    }
    made.pictures.push_back(std::move(each));
  }
  add_answers(set, made);
  return made;
}

}  // namespace enxerto::cli
