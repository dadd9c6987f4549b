#include "enxerto/report/explanation.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/report/explanation_assets.h"
#include "enxerto/report/markup.h"
#include "enxerto/report/page.h"
#include "enxerto/report/texts.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

constexpr std::ptrdiff_t many_points = 1500;  // that are drawn smaller
constexpr std::size_t most_path = 300, most_name = 40;
constexpr double width = 480, height = 430, margin = 32;  // of a map

/// The symbol of each class; map_symbols is the one that the rest shares, and pictures without a label.
std::vector<int> symbols_of(const MapOfPictures& map) {
  std::vector<std::int64_t> counts(map.classes.size());
  for (const PlacedPicture& each : map.pictures)
    if (each.label >= 0) ++counts[static_cast<std::size_t>(each.label)];
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (order.size() > map_symbols) {
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return counts[i]; });
    order.resize(map_symbols);
    std::ranges::sort(order);
  }
  std::vector<int> symbols(counts.size(), map_symbols);
  int next = 0;
  for (const std::size_t each : order) symbols[each] = next++;
  return symbols;
}

std::string style_of(int symbol) {
  if (symbol >= map_symbols) return text("dot k", map_colours);
  return text("dot k", symbol % map_colours, symbol >= map_colours ? " square" : "");
}

/// Places on the page.
struct Drawn {
  std::vector<double> x, y;
  std::vector<int> symbol;  ///< of each picture
};

Drawn drawn(const MapOfPictures& map) {
  const auto range = [&](float PlacedPicture::*of) {
    const auto [low, high] = std::ranges::minmax(map.pictures, {}, of);
    return std::pair{static_cast<double>(low.*of), static_cast<double>(high.*of)};
  };
  const auto [left, right] = range(&PlacedPicture::x);
  const auto [bottom, top] = range(&PlacedPicture::y);
  // Both axes to one scale: what is nearer on the page is nearer along the components.
  const auto fit = [](double side, double low, double high) {
    return high > low ? (side - 2 * margin) / (high - low) : side;
  };
  const double scale = std::min(fit(width, left, right), fit(height, bottom, top));
  const auto tenth = [](double value) { return std::round(10 * value) / 10; };
  const std::vector<int> symbols = symbols_of(map);
  Drawn made;
  for (const PlacedPicture& each : map.pictures) {
    made.x.push_back(tenth(width / 2 + (static_cast<double>(each.x) - (left + right) / 2) * scale));
    made.y.push_back(tenth(height / 2 - (static_cast<double>(each.y) - (bottom + top) / 2) * scale));
    made.symbol.push_back(each.label < 0 ? map_symbols : symbols[static_cast<std::size_t>(each.label)]);
  }
  return made;
}

/// The points, those that are wrong above the others and with a ring.
std::string draw_points(const MapOfPictures& map, const Drawn& places) {
  std::string out;
  for (const bool wrong : {false, true})
    for (int symbol = 0; symbol <= map_symbols; ++symbol) {
      std::string path;
      for (std::size_t i = 0; i < map.pictures.size(); ++i)
        if (places.symbol[i] == symbol && map.is_wrong(map.pictures[i]) == wrong)
          path += text("M", places.x[i], " ", places.y[i], "h0");
      if (path.empty()) continue;
      out += text("<g class=", wrong ? "wrong" : "right", " data-symbol=", symbol, ">");
      if (wrong) out += text("<path class=rim d=\"", path, "\"/><path class=gap d=\"", path, "\"/>");
      out += text("<path class=\"", style_of(symbol), "\" d=\"", path, "\"/></g>");
    }
  return out;
}

std::string legend_entry(int symbol, const std::string& name, std::int64_t count, const Texts& t) {
  return text("<li data-symbol=", symbol,
              "><svg viewBox=\"0 0 16 16\" width=16 height=16 aria-hidden=true><path class=\"",
              style_of(symbol), "\" d=\"M8 8h0\"/></svg>", name, " <small>", grouped(count, t), "</small>\n");
}

std::string legend(const MapOfPictures& map, const Drawn& places, const Texts& t) {
  std::vector<std::int64_t> counts(map_symbols + 1);
  for (const int each : places.symbol) ++counts[static_cast<std::size_t>(each)];
  const std::vector<int> symbols = symbols_of(map);
  std::string out = text("<ul class=legend aria-label=\"", t.map_legend, "\">");
  for (std::size_t i = 0; i < symbols.size(); ++i)
    if (symbols[i] < map_symbols && counts[static_cast<std::size_t>(symbols[i])] > 0)
      out += legend_entry(symbols[i], escape(map.classes[i], most_name),
                          counts[static_cast<std::size_t>(symbols[i])], t);
  if (counts.back() > 0) {
    const auto others = std::ranges::count(symbols, map_symbols);
    out += legend_entry(map_symbols, others > 0 ? fill(t.map_other, {grouped(others, t)}) : t.no_label,
                        counts.back(), t);
  }
  const auto wrong =
      std::ranges::count_if(map.pictures, [&](const auto& each) { return map.is_wrong(each); });
  if (wrong > 0)
    out += text(
        "<li data-wrong><svg viewBox=\"0 0 16 16\" width=16 height=16 aria-hidden=true><path class=rim "
        "d=\"M8 8h0\"/><path class=gap d=\"M8 8h0\"/><path class=\"dot k7\" d=\"M8 8h0\"/></svg>",
        t.map_wrong, " <small>", grouped(wrong, t), "</small>");
  return out + "</ul>\n";
}

std::string axis(const MapOfPictures& map, std::size_t which, const Texts& t) {
  return fill(t.map_axis, {text(which + 1), percent(map.explained[which], t)});
}

std::string split_name(const std::string& split, const Texts& t) {
  return split == "train" ? t.line_train : split == "val" ? t.val : split == "test" ? t.test : t.map_all;
}

std::string map_section(const MapOfPictures& map, const FeatureSource& features, const Texts& t) {
  const Drawn places = drawn(map);
  const std::string columns = grouped(features.columns, t);
  const auto n = std::ssize(map.pictures);
  const auto k = std::ssize(map.pictures.front().neighbours);
  const std::string kept =
      fill(t.map_kept, {text(k), percent(map.kept, t), text(k),
                        percent(static_cast<double>(k) / static_cast<double>(n - 1), t)});
  const std::string explained = fill(t.map_explained, {percent(map.explained[0] + map.explained[1], t)});
  return text("<section class=pictures-map data-kept=\"", t.map_kept, "\" data-note=\"", t.map_umap_note,
              "\" data-working=\"", t.map_working, "\" data-failed=\"", t.map_failed, "\" data-label=\"",
              t.map_label, "\" data-answer=\"", t.map_answer, "\" data-nearest=\"", t.map_nearest,
              "\" data-none=\"", t.no_label, "\"><h2>", t.map_heading, "</h2><p>",
              fill(t.map_caption,
                   {escape(map.data, most_path), split_name(map.split, t), columns, escape(features.layer)}),
              n < map.all ? fill(t.map_sampled, {grouped(n, t), grouped(map.all, t)}) : "",
              "<span class=screen>", t.map_use, "</span></p>\n<p>", fill(t.map_deceives, {columns}), "</p>\n",
              map.same_classes ? "" : text("<p>", t.map_other_classes, "</p>\n"), legend(map, places, t),
              "<div class=\"maps", n > many_points ? " dense" : "", "\"><figure class=map><figcaption><b>",
              t.map_components, "</b></figcaption><svg class=components viewBox=\"0 0 ", width, " ", height,
              "\" role=img aria-label=\"", t.map_components, ". ", explained, kept, "\">",
              draw_points(map, places), "<text x=", width / 2, " y=", height - 6, " text-anchor=middle>",
              axis(map, 0, t), "</text><text transform=\"translate(14 ", height / 2,
              ")rotate(-90)\" text-anchor=middle>", axis(map, 1, t), "</text></svg><p>", explained, kept,
              "</p></figure>\n<figure class=\"map umap\" hidden><figcaption><b>", t.map_umap,
              "</b></figcaption><svg viewBox=\"0 0 ", width, " ", height, "\" role=img aria-label=\"",
              t.map_umap, "\"></svg><p class=state>", fill(t.map_working, {"0"}),
              "</p></figure></div>\n<div class=picked aria-live=polite></div></section>\n");
}

/// What the script needs, once for all languages.
std::string data_of(const MapOfPictures& map) {
  const Drawn places = drawn(map);
  const auto names = [](const std::vector<std::string>& from) {
    Json list = Json::array();
    for (const std::string& each : from) list.push_back(clean(each, most_name));
    return list;
  };
  Json data{{"x", places.x},
            {"y", places.y},
            {"symbol", places.symbol},
            {"classes", names(map.classes)},
            {"answers", names(map.answers)},
            {"size", {width, height}},
            {"margin", margin},
            {"columns", map.columns},
            {"tile", {map.tile_width, map.tile_height}},
            {"sheet", map.sheet}};
  for (int symbol = 0; symbol <= map_symbols; ++symbol) data["symbols"].push_back(style_of(symbol));
  for (const PlacedPicture& each : map.pictures) {
    data["file"].push_back(clean(each.file, most_path));
    data["label"].push_back(each.label);
    data["predicted"].push_back(each.predicted);
    data["probability"].push_back(std::round(1e4 * each.probability) / 1e4);
    data["wrong"].push_back(map.is_wrong(each) ? 1 : 0);
    data["near"].push_back(each.neighbours);
    Json far = Json::array();
    for (const double distance : each.distances) far.push_back(std::round(1e6 * distance) / 1e6);
    data["far"].push_back(std::move(far));
  }
  return json_in_page(data);
}

std::string file_name(const std::string& file) {
  return text("<small class=file data-path=\"", escape(file, most_path), "\">", escape(short_path(file)),
              "</small>");
}

std::string distance_line(const NearPicture& near, const Texts& t) {
  const std::string distance = fill(t.near_distance, {localized(fixed(near.distance, 4), t)});
  if (near.is_same) return fill(t.near_same, {distance});
  if (!near.agrees) return distance;
  return fill(*near.agrees ? t.near_agrees : t.near_disagrees, {distance});
}

std::string asked_section(const AskedPicture& asked, bool as_trained, std::size_t& thumbnail,
                          const Texts& t) {
  const auto card = [&](const std::string& what, const std::string& told, const std::string& file) {
    return text("<li data-at=", thumbnail++, "><b>", what, "</b><span>", told, "</span>", file_name(file),
                "\n");
  };
  const std::string answer = text(escape(asked.answer, most_name), " ", percent(asked.probability, t));
  std::string out = text("<h3>", escape(short_path(asked.file)), ": ", answer, "</h3>");
  if (as_trained && std::ranges::any_of(asked.nearest, &NearPicture::is_same))
    out += text("<p class=fault role=note>", t.near_leak, "</p>\n");
  const auto judged =
      std::ranges::count_if(asked.nearest, [](const auto& each) { return each.agrees.has_value(); });
  const auto agreeing = std::ranges::count(asked.nearest, std::optional(true), &NearPicture::agrees);
  if (judged > 0) out += text("<p>", fill(t.near_agreeing, {text(agreeing), text(judged)}), "</p>");
  out += "<ol class=cards data-split=nearest>\n" + card(answer, t.near_asked, asked.file);
  for (const NearPicture& each : asked.nearest)
    out += card(each.label.empty() ? t.no_label : escape(each.label, most_name), distance_line(each, t),
                each.file);
  return out + "</ol>\n";
}

std::string nearest_section(const NearestPictures& nearest, const FeatureSource& features, const Texts& t) {
  const std::size_t shown = std::min(nearest.asked.size(), most_asked);
  std::string out = text("<section><h2>", t.near_heading, "</h2><p>",
                         fill(t.near_caption, {grouped(nearest.pictures, t), escape(nearest.data, most_path),
                                               grouped(features.columns, t), escape(features.layer)}),
                         shown < nearest.asked.size()
                             ? fill(t.near_cut, {text(shown), grouped(std::ssize(nearest.asked), t)})
                             : "",
                         "</p>\n");
  if (!nearest.as_trained) out += text("<p class=fault role=note>", t.near_other_pictures, "</p>\n");
  std::size_t thumbnail = 0;
  for (std::size_t i = 0; i < shown; ++i)
    out += asked_section(nearest.asked[i], nearest.as_trained, thumbnail, t);
  return out + "</section>\n";
}

/// The thumbnails of nearest_section(), in its order.
Json thumbnails_of(const NearestPictures& nearest) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(nearest.asked.size(), most_asked); ++i) {
    list.push_back({{"s", nearest.asked[i].thumbnail}});
    for (const NearPicture& each : nearest.asked[i].nearest) list.push_back({{"s", each.thumbnail}});
  }
  return list;
}

}  // namespace

void write_explanation(const std::filesystem::path& page, const Explanation& explanation,
                       std::string_view language) {
  const std::vector<Texts> languages = languages_of(language);
  std::vector<Body> bodies;
  for (const Texts& t : languages) {
    const std::string title = fill(t.explained_title, {escape(explanation.model, 200)});
    bodies.push_back(
        {t, title,
         text("<header><h1>", title, "</h1></header>\n<main>",
              explanation.nearest ? nearest_section(*explanation.nearest, explanation.features, t) : "",
              explanation.map ? map_section(*explanation.map, explanation.features, t) : "",
              "</main>\n<footer><p>", t.explained_by, "</p></footer>")});
  }
  const Json pictures{{"nearest", explanation.nearest ? thumbnails_of(*explanation.nearest) : Json::array()}};
  PageParts more{.style = std::string(explanation_style), .end = ""};
  if (explanation.map)
    more.end = text("<script type=application/json id=map>", data_of(*explanation.map), "</script>\n<script>",
                    umap_script, "</script>\n<script>", map_script, "</script>");
  write_file(page, frame_page(bodies, json_in_page(pictures), more));
}

}  // namespace enxerto
