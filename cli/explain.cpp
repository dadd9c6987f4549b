// enxerto explain: why a network answers as it does, as pictures.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/likeness.h"
#include "cli/model.h"
#include "cli/numbers.h"
#include "cli/printable.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/preprocess_view.h"
#include "enxerto/explain/evaluation.h"
#include "enxerto/explain/feature_maps.h"
#include "enxerto/explain/grad_cam.h"
#include "enxerto/explain/occlusion.h"
#include "enxerto/explain/visualize.h"
#include "enxerto/image/encode.h"
#include "enxerto/report/explanation.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::vector<std::string> things = {"gradcam",   "occlusion", "maps",     "filters",
                                         "visualize", "nearest",   "embedding"};
constexpr int most_channels = 4096, most_painted = 64, depths = 5;

struct ExplainFlags {
  Common common;
  ModelFlags model;
  std::vector<std::string> paths, show, layers;
  std::string out, class_name, language;
  LikenessFlags likeness;
  OcclusionConfig occlusion;
  VisualizeConfig visualize;
  std::optional<int> channels;

  bool shows(std::string_view thing) const { return std::ranges::find(show, thing) != show.end(); }
  bool needs_pictures() const { return needs_answers() || shows("maps"); }
  bool needs_answers() const { return shows("gradcam") || shows("occlusion") || shows("nearest"); }
};

/// Names for files that no two pictures and layers share.
class FileNames {
 public:
  explicit FileNames(fs::path folder) : folder_(std::move(folder)) {}
  /// What the files of this picture begin with.
  std::string stem_of(const fs::path& picture) {
    const std::string stem = picture.stem().string();
    std::string unique = stem;
    for (int number = 2; !stems_.insert(unique).second; ++number) unique = text(stem, "-", number);
    return unique;
  }
  /// "out/ant-gradcam-layer4.0.conv1.png".
  fs::path path(const std::vector<std::string>& parts) const {
    std::string name = join(parts, "-");
    // Names of layers come from files.
    std::ranges::replace_if(
        name, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }, '_');
    return folder_ / (name + ".png");
  }

 private:
  fs::path folder_;
  std::set<std::string> stems_;
};

/// A number as a float has it, without digits that mean nothing; null where it is none.
Json number(float value) { return std::isfinite(value) ? Json::parse(text(value)) : Json(); }

Json json_of(const Heatmap& map) {
  Json rows = Json::array();
  for (int y = 0; y < map.height; ++y) {
    rows.push_back(Json::array());
    for (int x = 0; x < map.width; ++x) rows.back().push_back(number(map.at(y, x)));
  }
  return {{"height", map.height}, {"width", map.width}, {"values", std::move(rows)}};
}

/// What is asked of one model, ready for picture after picture.
class Explainer {
 public:
  Explainer(const ExplainFlags& flags, Classifier model)
      : flags_(flags),
        model_(std::move(model)),
        names_(flags.out),
        console_(flags.common.json ? stderr : stdout) {
    if (model_.head && (flags.shows("gradcam") || flags.shows("occlusion")))
      throw Error(
          ErrorKind::unsupported,
          text(flags.model.path, ": its head is a ", format_fitted_head(*model_.head),
               ", which these maps are not made for; --show maps,filters,nearest explains the network"));
    if (!model_.head) {
      model_.graph = as_evaluated(model_.graph);
      model_.gives_probabilities = false;
    }
    if (!flags.class_name.empty()) asked_class_ = class_called(flags.class_name);
    if (flags.shows("occlusion")) {
      occlusion_ = filled_in(flags.occlusion, model_.preprocess.shape());
      occlusion_.multi_label = model_.multi_label;
    }
    if (flags.shows("gradcam")) {
      gradcam_layers_ = flags.layers.empty() ? std::vector{last_map(model_.graph)} : flags.layers;
      for (const std::string& layer : gradcam_layers_) gradcams_.emplace_back(model_.graph, layer);
    }
    if (flags.shows("maps")) {
      map_layers_ = flags.layers.empty() ? layers_over_depth(model_.graph, depths) : flags.layers;
      for (const std::string& layer : map_layers_) model_.graph.id_of(layer);
    }
    if (flags.shows("visualize")) {
      painted_layers_ = flags.layers;
      if (flags.layers.empty()) {
        painted_layers_ = layers_over_depth(model_.graph, depths);
        // Maps of the outputs themselves are what the outputs are.
        const auto outputs = model_.graph.output_shape().c;
        std::erase_if(painted_layers_, [&](const std::string& layer) {
          return model_.graph.node(model_.graph.id_of(layer)).out.c == outputs;
        });
        painted_layers_.push_back(model_.graph.node(model_.graph.last()).name);
      }
      for (const std::string& layer : painted_layers_) model_.graph.id_of(layer);
    }
    if (flags.needs_answers()) answer_.emplace(model_.graph.clone(), 1, model_.head);
    if (flags.shows("nearest") || flags.shows("embedding"))
      likeness_.emplace(flags.model.path, model_, flags.likeness, console_);
  }
  Explainer(const Explainer&) = delete;
  Explainer& operator=(const Explainer&) = delete;

  /// The first layer's filters, which no picture changes.
  Json filters() {
    const Filters found = first_filters(model_.graph, model_.preprocess.order);
    const fs::path path = names_.path({"filters"});
    save_png(path, filter_sheet(found));
    say(text(path.string(), ": the ", found.pictures.size(), " filters of \"", found.layer, "\""));
    return {{"layer", found.layer}, {"file", path.string()}, {"filters", found.pictures.size()}};
  }

  /// Paintings, a row for each layer: what excites its channels.
  Json visualize() {
    const int count = flags_.channels.value_or(6);
    std::vector<Labelled> tiles;
    Json rows = Json::array();
    Console console(stderr, flags_.common.json);
    for (const std::string& layer : painted_layers_) {
      const std::vector<int> channels = channels_of(layer, count);
      VisualizeConfig config = flags_.visualize;
      config.on_progress = [&](int done, int all) {
        console.draw(text(layer, ": step ", done, " of ", all));
      };
      const std::vector<Image> made =
          enxerto::visualize(model_.graph, layer, channels, model_.preprocess, config);
      console.clear();
      for (std::size_t i = 0; i < made.size(); ++i) {
        if (!tiles.empty() &&
            (made[i].width != tiles[0].picture.width || made[i].height != tiles[0].picture.height))
          tiles.push_back({resize(made[i], tiles[0].picture.width, tiles[0].picture.height), ""});
        else
          tiles.push_back({made[i], ""});
        tiles.back().label = label_of(layer, channels[i]);
      }
      // A layer of few channels leaves the end of its row empty.
      while (tiles.size() % static_cast<std::size_t>(count) != 0)
        tiles.push_back({blank_like(tiles[0].picture), ""});
      rows.push_back({{"layer", layer}, {"channels", channels}});
    }
    const fs::path path = names_.path({"visualize"});
    save_png(path, labelled_sheet(tiles, count));
    say(text(path.string(), ": what excites channels of ", join(painted_layers_, ", ")));
    return {{"file", path.string()},
            {"steps", flags_.visualize.steps},
            {"seed", flags_.visualize.seed},
            {"layers", std::move(rows)}};
  }

  /// Before any picture is explained, where the nearest are asked for.
  Json open_training() {
    nearest_ = likeness_->open_training();
    Json told = likeness_->to_json();
    told.update({{"data", nearest_->data},
                 {"pictures", nearest_->pictures},
                 {"as_trained", nearest_->as_trained},
                 {"computed", likeness_->computed()}});
    say(text(with_commas(nearest_->pictures), " training pictures in ", nearest_->data, ", by ",
             with_commas(likeness_->source().columns), " features after \"", likeness_->source().layer, "\"",
             nearest_->as_trained ? "" : "; they may not be those that the model learnt from"));
    return told;
  }

  Json embedding() {
    map_ = likeness_->map();
    Json told = likeness_->to_json(), points = Json::array();
    std::int64_t wrong = 0;
    const auto name = [](const std::vector<std::string>& names, std::int32_t i) {
      return i < 0 ? Json() : Json(names[static_cast<std::size_t>(i)]);
    };
    for (const PlacedPicture& each : map_->pictures) {
      wrong += map_->is_wrong(each);
      points.push_back({{"file", each.file},
                        {"x", number(each.x)},
                        {"y", number(each.y)},
                        {"label", name(map_->classes, each.label)},
                        {"class", name(map_->answers, each.predicted)},
                        {"probability", each.probability}});
    }
    const auto n = std::ssize(map_->pictures);
    const auto k = std::ssize(map_->pictures.front().neighbours);
    const double by_chance = static_cast<double>(k) / static_cast<double>(n - 1);
    told.update({{"data", map_->data},
                 {"split", map_->split},
                 {"pictures", map_->all},
                 {"explained", map_->explained},
                 {"neighbours", k},
                 {"kept", map_->kept},
                 {"kept_by_chance", by_chance},
                 {"wrong", map_->same_classes ? Json(wrong) : Json()},
                 {"points", std::move(points)}});
    say(text("map of ", n < map_->all ? text(with_commas(n), " of ") : "", with_commas(map_->all),
             " pictures of ", map_->data, map_->split == "all" ? "" : text(" (", map_->split, ")"), ", by ",
             with_commas(likeness_->source().columns), " features after \"", likeness_->source().layer,
             "\": two principal components keep ", percent(map_->explained[0] + map_->explained[1]),
             " of the variance and ", percent(map_->kept), " of the ", k, " nearest (by chance ",
             percent(by_chance), ")",
             map_->same_classes
                 ? text(", ", with_commas(wrong), wrong == 1 ? " answer is" : " answers are", " wrong")
                 : ""));
    return told;
  }

  /// The page of what open_training() and embedding() found; its name.
  std::string save_page() {
    const fs::path page = fs::path(flags_.out) / "explain.html";
    Explanation found;
    found.model = flags_.model.path;
    found.features = likeness_->source();
    found.nearest = std::move(nearest_);
    found.map = std::move(map_);
    write_explanation(page, found, flags_.language);
    say(text("Page: ", page.string()));
    return page.string();
  }

  /// Throws Error where the picture cannot be read.
  Json explain(const std::string& file) {
    Tensor image(model_.preprocess.shape());
    model_.preprocess.apply(source_of(file), image.data());
    const Image seen = unnormalized(model_.preprocess, image.data());
    const std::string stem = names_.stem_of(file);
    Json told = {{"file", file}};
    if (flags_.needs_answers()) {
      const std::vector<Ranked> ranked =
          rank(model_, answer_->run(image.view(), 1).data, static_cast<int>(model_.classes.size()));
      const int wanted = asked_class_.value_or(ranked.front().index);
      const Ranked& asked = *std::ranges::find(ranked, wanted, &Ranked::index);
      told.update({{"class", ranked.front().name},
                   {"probability", ranked.front().probability},
                   {"explained", asked.name},
                   {"explained_probability", asked.probability}});
      say(text(file, ": ", asked.name, " ", percent(asked.probability),
               wanted == ranked.front().index ? "" : text(", the likeliest is ", ranked.front().name)));
      if (flags_.shows("gradcam")) told["gradcam"] = gradcam(image, seen, stem, asked);
      if (flags_.shows("occlusion")) told["occlusion"] = occlusion(image, seen, stem, asked);
      if (flags_.shows("nearest")) told["nearest"] = nearest(file, image, seen, ranked.front());
    } else {
      say(file);
    }
    if (flags_.shows("maps")) told["maps"] = maps(image, seen, stem);
    return told;
  }

 private:
  bool is_output(const std::string& layer) const {
    return layer == model_.graph.node(model_.graph.last()).name && !model_.head;
  }
  /// Which channels of a layer are painted: evenly chosen ones, of the outputs the class asked for first.
  std::vector<int> channels_of(const std::string& layer, int count) const {
    const auto all = model_.graph.node(model_.graph.id_of(layer)).out.c;
    std::vector<int> channels;
    if (is_output(layer) && asked_class_) channels.push_back(*asked_class_);
    for (int i = 0; i < count && std::ssize(channels) < std::min<std::int64_t>(all, count); ++i) {
      const int channel = static_cast<int>(all <= count ? i : i * all / count);
      if (channels.empty() || channel != channels[0]) channels.push_back(channel);
    }
    return channels;
  }
  std::string label_of(const std::string& layer, int channel) const {
    // Of ImageNet's names the first of several; of a layer's the end, which tells layers apart.
    constexpr std::size_t most = 14;
    if (is_output(layer)) return split(model_.classes[static_cast<std::size_t>(channel)], ',')[0];
    return text("#", channel, " ", layer.size() > most ? ".." + layer.substr(layer.size() - most) : layer);
  }
  static Image blank_like(const Image& picture) {
    Image made(picture.height, picture.width, picture.channels);
    std::ranges::fill(made.pixels, std::uint8_t{255});
    return made;
  }

  void say(const std::string& line) const {
    if (!flags_.common.json) std::cout << printable(line) << std::endl;
  }

  int class_called(const std::string& name) const {
    for (const std::vector<std::string>* names : {&model_.classes, &model_.wnids})
      if (const auto found = std::ranges::find(*names, name); found != names->end())
        return static_cast<int>(found - names->begin());
    std::vector<std::string> some(
        model_.classes.begin(),
        model_.classes.begin() + std::min<std::ptrdiff_t>(std::ssize(model_.classes), 5));
    if (some.size() < model_.classes.size()) some.emplace_back("...");
    throw Error(ErrorKind::not_found, text("--class: ", flags_.model.path, " knows no \"", name, "\"; its ",
                                           model_.classes.size(), " classes are ", join(some, ", ")));
  }

  /// The picture beside what lies over it, large enough to be looked at.
  void save_overlay(const fs::path& path, const Image& seen, const Heatmap& map, const std::string& left,
                    const std::string& right) const {
    constexpr int side = 320, letter_scale = 2;
    const int shorter = std::min(seen.height, seen.width), times = (side + shorter - 1) / shorter;
    const Image large = resize(with_channels(seen, 3), seen.width * times, seen.height * times);
    const std::array tiles = {Labelled{large, left}, Labelled{heat_overlay(large, map), right}};
    save_png(path, labelled_sheet(tiles, 2, letter_scale));
  }

  Json gradcam(const Tensor& image, const Image& seen, const std::string& stem, const Ranked& asked) {
    Json list = Json::array();
    for (std::size_t i = 0; i < gradcams_.size(); ++i) {
      const std::string& layer = gradcam_layers_[i];
      const Heatmap map = gradcams_[i].map(image.view(), asked.index);
      const fs::path path = names_.path({stem, "gradcam", layer});
      save_overlay(path, seen, map, text(asked.name, " ", percent(asked.probability)),
                   text("Grad-CAM at ", layer));
      const bool empty = std::ranges::max(map.values) <= 0;
      say(text("  ", path.string(), ": Grad-CAM at \"", layer, "\"",
               empty ? ", empty: nothing there speaks for the class" : ""));
      Json told = json_of(map);
      told.update({{"layer", layer}, {"file", path.string()}});
      list.push_back(std::move(told));
    }
    return list;
  }

  Json occlusion(const Tensor& image, const Image& seen, const std::string& stem, const Ranked& asked) {
    const Heatmap map = occlusion_map(model_.graph, image.view(), asked.index, occlusion_);
    const fs::path path = names_.path({stem, "occlusion"});
    const double most = std::ranges::max(map.values);
    save_overlay(path, seen, map, text(asked.name, " ", percent(asked.probability)),
                 text("covered: ", points(-most), " points"));
    say(text("  ", path.string(), ": covered by ", occlusion_.patch, "x", occlusion_.patch,
             " pixels the probability falls by at most ", fixed(100 * most, 1), " points"));
    Json told = json_of(map);
    told.update({{"patch", occlusion_.patch}, {"stride", occlusion_.stride}, {"file", path.string()}});
    return told;
  }

  Json nearest(const std::string& file, const Tensor& image, const Image& seen, const Ranked& answer) {
    AskedPicture asked;
    asked.file = fs::absolute(file).lexically_normal().string();
    asked.answer = answer.name;
    asked.probability = answer.probability;
    const bool shown = nearest_->asked.size() < most_asked;
    asked.nearest = likeness_->nearest(image.view(), answer, shown);
    if (shown) asked.thumbnail = thumbnail_of(seen);
    const char* const same =
        nearest_->as_trained ? ": the same picture, so the model was trained with it" : ": the same picture";
    Json list = Json::array();
    for (const NearPicture& each : asked.nearest) {
      list.push_back({{"file", each.file},
                      {"label", each.label.empty() ? Json() : Json(each.label)},
                      {"distance", each.distance},
                      {"agrees", each.agrees ? Json(*each.agrees) : Json()},
                      {"same", each.is_same}});
      const std::string label = each.label.empty() ? "no label" : each.label;
      say(text("  ", fixed(each.distance, 4), "  ", label,
               !each.agrees || *each.agrees ? "" : ", does not agree", "  ", each.file,
               each.is_same ? same : ""));
    }
    nearest_->asked.push_back(std::move(asked));
    return list;
  }

  Json maps(const Tensor& image, const Image& seen, const std::string& stem) {
    Json list = Json::array();
    for (const std::string& layer : map_layers_) {
      const std::vector<Heatmap> found = feature_maps(model_.graph, image.view(), layer);
      const std::vector<int> shown = most_active(found, flags_.channels.value_or(63));
      const fs::path path = names_.path({stem, "maps", layer});
      save_png(path, map_sheet(seen, found, shown));
      say(text("  ", path.string(), ": ", shown.size(), " of ", found.size(), " channels of \"", layer,
               "\", ", found[0].width, "x", found[0].height, ", the most active first"));
      Json channels = Json::array();
      for (const int k : shown) {
        const auto [low, high] = std::ranges::minmax(found[static_cast<std::size_t>(k)].values);
        channels.push_back({{"channel", k}, {"min", number(low)}, {"max", number(high)}});
      }
      list.push_back({{"layer", layer},
                      {"file", path.string()},
                      {"height", found[0].height},
                      {"width", found[0].width},
                      {"of", found.size()},
                      {"channels", std::move(channels)}});
    }
    return list;
  }

  const ExplainFlags& flags_;
  Classifier model_;
  FileNames names_;
  std::optional<int> asked_class_;
  OcclusionConfig occlusion_;
  std::vector<std::string> gradcam_layers_, map_layers_, painted_layers_;
  std::vector<GradCam> gradcams_;
  std::optional<ModelRunner> answer_;
  Console console_;
  std::optional<Likeness> likeness_;
  std::optional<NearestPictures> nearest_;
  std::optional<MapOfPictures> map_;
};

void check_flags(const ExplainFlags& flags) {
  if (flags.needs_pictures() && flags.paths.empty())
    throw Error(ErrorKind::usage,
                "no pictures were given; only --show filters, visualize and embedding do without them");
  const int most = flags.shows("visualize") ? most_painted : most_channels;
  if (flags.channels) check_at_least("--channels", *flags.channels, 1);
  if (flags.channels && *flags.channels > most)
    throw Error(ErrorKind::usage, text("--channels: at most ", most, ", not ", *flags.channels));
  if (flags.occlusion.patch != 0) check_at_least("--patch", flags.occlusion.patch, 1);
  check(flags.likeness);
  if (flags.occlusion.stride != 0) check_at_least("--stride", flags.occlusion.stride, 1);
}

/// Throws CLI::ValidationError that names a flag of something that is not shown.
void check_flags_are_shown(const CLI::App& verb, const ExplainFlags& flags) {
  struct Of {
    std::vector<std::string> things;
    std::set<std::string> flags;
  };
  const Of all[] = {{{"occlusion"}, {"--patch", "--stride"}},
                    {{"maps", "visualize"}, {"--channels"}},
                    {{"visualize"}, {"--steps", "--painting", "--seed"}},
                    {{"gradcam", "maps", "visualize"}, {"--layer"}},
                    {{"nearest"}, {"--k"}},
                    {{"embedding"}, {"--split", "--points"}},
                    {{"nearest", "embedding"}, {"--data", "--feature-cache", "--no-feature-cache"}}};
  for (const Of& of : all)
    if (std::ranges::none_of(of.things, [&](const std::string& thing) { return flags.shows(thing); }))
      refuse_flags(verb, of.flags, text("is for --show ", join(of.things, " or ")));
}

int run_explain(const ExplainFlags& flags) {
  check_flags(flags);
  set_threads(flags.common.threads);
  Explainer explainer(flags, load_classifier(flags.model));
  make_folder(flags.out);
  Json told = {{"out", flags.out}, {"pictures", Json::array()}};
  if (flags.shows("filters")) told["filters"] = explainer.filters();
  if (flags.shows("visualize")) told["visualize"] = explainer.visualize();
  if (flags.shows("nearest")) told["nearest"] = explainer.open_training();
  bool all_read = true;
  const auto cannot = [&](const std::string& file, const Error& error) {
    if (error.kind() == ErrorKind::io || error.kind() == ErrorKind::diverged) throw error;
    all_read = false;
    told["pictures"].push_back({{"file", file}, {"error", error.what()}});
    std::cerr << "enxerto: " << printable(error.what()) << '\n';
  };
  for (const std::string& path : flags.paths) {
    if (!flags.needs_pictures()) break;
    std::vector<std::string> files;
    try {
      files = list_pictures(path);
    } catch (const Error& error) {
      cannot(path, error);
    }
    for (const std::string& file : files) {
      try {
        told["pictures"].push_back(explainer.explain(file));
      } catch (const Error& error) {
        cannot(file, error);
      }
    }
  }
  if (flags.shows("embedding")) told["embedding"] = explainer.embedding();
  if (flags.shows("nearest") || flags.shows("embedding")) told["page"] = explainer.save_page();
  if (flags.common.json) print_json(told);
  return all_read ? 0 : 3;
}

}  // namespace

void add_explain(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* verb = app.add_subcommand("explain", "Show why a network answers as it does");
  add_model(*verb, flags->model);
  verb->add_option("files", flags->paths, "Pictures, or folders of them")->type_name("FILE_OR_FOLDER");
  verb->add_option("--out", flags->out, "Where the pictures go that explain")
      ->required()
      ->type_name("FOLDER");
  verb->add_option("--show", flags->show, "What to make, of " + join(things, ", ") + " (gradcam)")
      ->delimiter(',')
      ->allow_extra_args(false)  // pictures may follow
      ->check(CLI::IsMember(things))
      ->type_name("NAMES");
  verb->add_option("--class", flags->class_name, "The class that is explained (the likeliest)")
      ->type_name("NAME");
  verb->add_option(
          "--layer", flags->layers,
          "Layers, for gradcam (the last map), maps and visualize (one of each size); `enxerto summary` "
          "lists them")
      ->delimiter(',')
      ->allow_extra_args(false)  // pictures may follow
      ->type_name("NAMES");
  verb->add_option("--patch", flags->occlusion.patch,
                   "Sides of what covers, for occlusion, in pixels of the network's input (a seventh)")
      ->type_name("PIXELS");
  verb->add_option("--stride", flags->occlusion.stride, "Pixels between its places (half of it)")
      ->type_name("PIXELS");
  verb->add_option(
          "--channels", flags->channels,
          "Channels of a layer, for maps the most active ones (63), for visualize evenly chosen ones (6)")
      ->type_name("N");
  verb->add_option("--steps", flags->visualize.steps, "Steps of visualize")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--painting", flags->visualize.size,
                   "Sides of what visualize paints, where layers take any size")
      ->capture_default_str()
      ->type_name("PIXELS");
  verb->add_option("--seed", flags->visualize.seed, "Of visualize")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  add_likeness_flags(*verb, flags->likeness);
  verb->add_option("--lang", flags->language, "Language of the page: en or pt (it has both)")
      ->check(CLI::IsMember({"en", "pt"}))
      ->type_name("L");
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto explain run holiday.jpg --out why\n"
      "  enxerto explain run holiday.jpg --class cat --show gradcam,occlusion --out why\n"
      "  enxerto explain squeezenet.onnx holiday.jpg --show maps --layer conv1,fire2 --out why\n"
      "  enxerto explain run --show filters,visualize --out why\n"
      "  enxerto explain run holiday.jpg --show nearest,embedding --out why");
  verb->callback([flags, verb, &chosen] {
    if (flags->show.empty()) flags->show = {"gradcam"};
    check_flags_are_shown(*verb, *flags);
    chosen = [flags] { return run_explain(*flags); };
  });
}

}  // namespace enxerto::cli
