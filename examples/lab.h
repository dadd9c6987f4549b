/// What the labs share: a question, its answer in English and in Portuguese, checks that can fail, pictures.
/// A lab prints a page of Markdown; with --out FOLDER the page and its pictures are written there too, and
/// that is how docs/labs came to be (examples/write_pages.sh).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"
#include "enxerto/image/image.h"

namespace enxerto::lab {

/// The same in both languages.
struct Text {
  std::string en, pt;
  Text(std::string english, std::string portuguese) : en(std::move(english)), pt(std::move(portuguese)) {}
  Text(const char* both) : en(both), pt(both) {}  ///< a name that needs no translation
  Text(std::string both) : en(both), pt(std::move(both)) {}
};

/// A line, or points, of a plot.
struct Series {
  Text name;
  std::vector<double> x, y;
  bool points = false;
};

struct Plot {
  Text title, x_name, y_name;
  std::vector<Series> series;
  bool log_x = false, log_y = false;
  std::string commands = "";  ///< of gnuplot, before it plots: ranges, contours
  std::string beneath = "";   ///< what gnuplot draws first, in its words
};

/// One lab. Its flags: --pt for Portuguese; --real for the real data or the full length where the usual run
/// takes something small; --data FOLDER where the real data lie (../shared/data); --seed N for other random
/// numbers; --out FOLDER for the page and the pictures.
class Lab {
 public:
  /// `name` as examples/NAME.cpp has it. Begins the page with the title and the question; ends the program
  /// with code 2 where the flags make no sense.
  Lab(std::string name, const Text& title, const Text& question, int argc, char** argv);

  bool real() const { return real_; }
  std::uint64_t seed() const { return seed_; }  ///< 1 where none is given
  /// A file or folder below --data. Where it is missing ends the program: loudly, by name, with code 77
  /// (skipped).
  std::filesystem::path data(const std::string& path) const;
  /// With a decimal point, or the comma of Portuguese.
  std::string number(double value, int digits) const;
  std::string percent(double share, int digits = 1) const { return number(100 * share, digits) + " %"; }
  /// In the language of the page: for cells of tables.
  std::string in_language(const Text& text) const { return portuguese_ ? text.pt : text.en; }

  void section(const Text& title);
  void say(const Text& paragraph);
  /// Numbers in rows and columns: each channel of the first picture of a view, `digits` after the point.
  void show(const Text& name, ConstView values, int digits = 0);
  void table(const std::vector<Text>& header, const std::vector<std::vector<std::string>>& rows);
  /// A claim that this run bears out, or not: then finish() answers 1.
  void check(const Text& claim, bool holds);
  void picture(const std::string& file, const Text& description, const Image& image);
  /// FILE.svg, by gnuplot; without gnuplot says how to get it.
  void plot(const std::string& file, const Text& description, const Plot& plot);

  /// Writes the page. What main() returns: 0, or 1 where a check failed.
  int finish();

 private:
  void print(const std::string& lines);

  std::string name_, page_;
  std::filesystem::path data_ = "../shared/data", out_;
  bool portuguese_ = false, real_ = false;
  std::uint64_t seed_ = 1;
  int failed_ = 0;
};

/// Runs a lab: what it throws is said on standard error, and the code is 1.
int run(int (*lab)(int, char**), int argc, char** argv);

/// What a graph answers to images {n, c, h, w}.
Tensor answer(const Graph& graph, ConstView images);

/// A tensor of these rows (of one channel).
Tensor matrix(const std::vector<std::vector<float>>& rows);

/// One channel as a picture, `scale` pixels to each value: `low` black, `high` white.
Image as_picture(ConstView values, std::int64_t channel, float low, float high, int scale = 1);
/// Pictures beside each other, of one height, with a white gap.
Image side_by_side(const std::vector<Image>& images, int gap = 8);

}  // namespace enxerto::lab
