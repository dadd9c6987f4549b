#include "examples/lab.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string_view>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/image/encode.h"

namespace enxerto::lab {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw Error(ErrorKind::io, text(path.string(), ": cannot be written"));
}

/// A text within double quotes of gnuplot.
std::string in_quotes(std::string_view words) {
  std::string out = "\"";
  for (const char letter : words) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + "\"";
}

/// Up to 18 digits, which fit into 64 bits.
bool is_number(std::string_view word) {
  return !word.empty() && word.size() <= 18 && word.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Lab::Lab(std::string name, const Text& title, const Text& question, int argc, char** argv)
    : name_(std::move(name)) {
  const std::string usage =
      text("usage: lab_", name_, " [--pt] [--real] [--data FOLDER] [--seed N] [--out FOLDER]\n\n", title.en,
           ": ", question.en, "\n");
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--pt") {
      portuguese_ = true;
    } else if (flag == "--real") {
      real_ = true;
    } else if (flag == "--seed" && i + 1 < argc && is_number(argv[i + 1])) {
      seed_ = std::stoull(argv[++i]);
    } else if ((flag == "--data" || flag == "--out") && i + 1 < argc) {
      (flag == "--data" ? data_ : out_) = argv[++i];
    } else {
      std::fputs(usage.c_str(), flag == "--help" ? stdout : stderr);
      std::exit(flag == "--help" ? 0 : 2);
    }
  }
  if (!out_.empty()) fs::create_directories(out_);
  print(text("# ", in_language(title), "\n\n> ", in_language(question), "\n\n"));
}

fs::path Lab::data(const std::string& path) const {
  const fs::path found = data_ / path;
  if (fs::exists(found)) return found;
  std::fprintf(stderr, "lab_%s: SKIPPED: %s is missing; --data names the folder that has it\n", name_.c_str(),
               found.c_str());
  std::exit(77);
}

std::string Lab::number(double value, int digits) const {
  std::string figure = fixed(value, digits);
  if (figure.front() == '-' && figure.find_first_of("123456789") == figure.npos) figure.erase(0, 1);
  if (portuguese_) std::replace(figure.begin(), figure.end(), '.', ',');
  return figure;
}

void Lab::section(const Text& title) { print(text("## ", in_language(title), "\n\n")); }

void Lab::say(const Text& paragraph) { print(text(in_language(paragraph), "\n\n")); }

void Lab::show(const Text& name, ConstView values, int digits) {
  const auto& [n, channels, height, width] = values.shape;
  std::vector<std::string> figures;
  std::size_t longest = 0;
  for (const float value : values.data.first(static_cast<std::size_t>(channels * height * width))) {
    figures.push_back(number(value, digits));
    longest = std::max(longest, figures.back().size());
  }
  std::string block = text(in_language(name), ":\n\n```\n");
  for (std::int64_t row = 0; row < channels * height; ++row) {
    if (row > 0 && row % height == 0) block += '\n';
    std::string line;
    for (std::int64_t x = 0; x < width; ++x) {
      const std::string& figure = figures[static_cast<std::size_t>(row * width + x)];
      line += std::string(longest - figure.size() + (x > 0 ? 1 : 0), ' ') + figure;
    }
    block += line + '\n';
  }
  print(block + "```\n\n");
}

void Lab::table(const std::vector<Text>& header, const std::vector<std::vector<std::string>>& rows) {
  std::string lines = "|", rule = "|";
  for (const Text& cell : header) {
    lines += text(" ", in_language(cell), " |");
    rule += "---|";
  }
  lines += '\n' + rule + '\n';
  for (const std::vector<std::string>& row : rows) {
    ensure(row.size() == header.size(), "a row has as many cells as the header");
    lines += text("| ", join(row, " | "), " |\n");
  }
  print(lines + '\n');
}

void Lab::check(const Text& claim, bool holds) {
  if (!holds) ++failed_;
  print(text(holds ? "- [x] " : "- [ ] **WRONG** ", in_language(claim), "\n\n"));
}

void Lab::picture(const std::string& file, const Text& description, const Image& image) {
  if (!out_.empty()) save_png(out_ / (file + ".png"), image);
  print(text("![", in_language(description), "](", file, ".png)\n\n"));
}

void Lab::plot(const std::string& file, const Text& description, const Plot& plot) {
  print(text("![", in_language(description), "](", file, portuguese_ ? ".pt" : "", ".svg)\n\n"));
  if (out_.empty()) return;
  const fs::path svg = out_ / text(file, portuguese_ ? ".pt" : "", ".svg"),
                 commands = out_ / text(file, ".gnuplot");
  std::string lines = text(
      "set terminal svg size 760,420 background rgb 'white' font 'sans-serif,13'\nset output ",
      in_quotes(svg.string()), "\nset encoding utf8\nset grid\nset key outside right\n", "set title ",
      in_quotes(in_language(plot.title)), " noenhanced\nset xlabel ", in_quotes(in_language(plot.x_name)),
      " noenhanced\nset ylabel ", in_quotes(in_language(plot.y_name)), " noenhanced\n");
  if (plot.log_x) lines += "set logscale x\nset format x '%g'\n";
  if (plot.log_y) lines += "set logscale y\nset format y '%g'\n";
  lines += "set linetype 5 lc rgb '#8c564b'\n";  // gnuplot's own is a yellow that is hardly seen on white
  lines += plot.commands + '\n';
  if (portuguese_) lines += "set decimalsign ','\n";  // of the picture, not of tables that the commands make
  std::vector<std::string> drawn;
  if (!plot.beneath.empty()) drawn.push_back(plot.beneath);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    ensure(series.x.size() == series.y.size(), "a series has a y for each x");
    lines += text("$series", i, " << end\n");
    for (std::size_t k = 0; k < series.x.size(); ++k) lines += text(series.x[k], ' ', series.y[k], '\n');
    lines += "end\n";
    drawn.push_back(text("$series", i, " with ", series.points ? "points pt 7 ps 0.6" : "lines lw 2", " lt ",
                         i + 1, " title ", in_quotes(in_language(series.name)), " noenhanced"));
  }
  write(commands, lines + "plot " + join(drawn, ", ") + '\n');
  const int code = std::system(text("gnuplot '", commands.string(), "'").c_str());
  fs::remove(commands);
  if (code != 0)
    std::fprintf(stderr, "lab_%s: %s was not drawn; gnuplot draws it: apt install gnuplot-nox\n",
                 name_.c_str(), svg.c_str());
}

int Lab::finish() {
  if (failed_ > 0) std::fprintf(stderr, "lab_%s: %d of the checks failed\n", name_.c_str(), failed_);
  // Each block ends with an empty line, the page does not.
  while (page_.ends_with("\n\n")) page_.pop_back();
  if (!out_.empty()) write(out_ / (portuguese_ ? "README.pt.md" : "README.md"), page_);
  return failed_ > 0 ? 1 : 0;
}

void Lab::print(const std::string& lines) {
  page_ += lines;
  std::cout << lines << std::flush;
}

int run(int (*lab)(int, char**), int argc, char** argv) {
  try {
    return lab(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", fs::path(argv[0]).filename().c_str(), error.what());
    return 1;
  }
}

Tensor answer(const Graph& graph, ConstView images) {
  Executor executor(graph, {.batch = static_cast<int>(images.shape.n)});
  const ConstView computed = executor.forward(images);
  Tensor copy(computed.shape);
  std::copy(computed.data.begin(), computed.data.end(), copy.data().begin());
  return copy;
}

Tensor matrix(const std::vector<std::vector<float>>& rows) {
  Tensor made({.h = std::ssize(rows), .w = std::ssize(rows.at(0))});
  auto to = made.data().begin();
  for (const std::vector<float>& row : rows) {
    ensure(row.size() == rows[0].size(), "rows are of one length");
    to = std::copy(row.begin(), row.end(), to);
  }
  return made;
}

Image as_picture(ConstView values, std::int64_t channel, float low, float high, int scale) {
  const auto height = static_cast<int>(values.shape.h), width = static_cast<int>(values.shape.w);
  const std::span<const float> from = values.data.subspan(static_cast<std::size_t>(channel * height * width),
                                                          static_cast<std::size_t>(height * width));
  Image image(height * scale, width * scale, 1);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const float value = from[static_cast<std::size_t>(y / scale * width + x / scale)];
      const float grey = std::clamp((value - low) / (high - low), 0.0f, 1.0f);
      image.row(y)[x] = static_cast<std::uint8_t>(std::lround(255 * grey));
    }
  return image;
}

Image side_by_side(const std::vector<Image>& images, int gap) {
  int height = 0, width = -gap, channels = 1;
  for (const Image& image : images) {
    height = std::max(height, image.height);
    width += image.width + gap;
    channels = std::max(channels, image.channels);
  }
  Image made(height, width, channels);
  std::fill(made.pixels.begin(), made.pixels.end(), std::uint8_t{255});
  std::size_t left = 0;
  for (const Image& image : images) {
    const Image part = with_channels(image, channels);
    for (int y = 0; y < part.height; ++y) std::copy_n(part.row(y), part.row_bytes(), made.row(y) + left);
    left += part.row_bytes() + static_cast<std::size_t>(gap * channels);
  }
  return made;
}

}  // namespace enxerto::lab
