#include "enxerto/data/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numbers>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/image/encode.h"

namespace enxerto {
namespace {

/// How far (x, y) lies from the line between (-half, 0) and (half, 0).
float distance_to_bar(float x, float y, float half) {
  return std::hypot(std::max(std::abs(x) - half, 0.0f), y);
}

void draw(bool cross, int size, int channels, Rng& rng, std::uint8_t* pixels) {
  const auto side = static_cast<float>(size);
  const float radius = side * rng.uniform(0.18f, 0.38f);
  const float half_thickness = std::max(0.6f, side * rng.uniform(0.02f, 0.05f));
  const float room = side / 2 - radius - half_thickness;
  const float centre_x = side / 2 + room * rng.uniform(-1, 1),
              centre_y = side / 2 + room * rng.uniform(-1, 1);
  const float turn = rng.uniform(0, std::numbers::pi_v<float> / 2);
  const float stretch = rng.uniform(0.75f, 1.0f);
  const bool light_on_dark = rng.uniform() < 0.5f;
  std::array<float, 3> ink{}, paper{};
  for (int c = 0; c < channels; ++c) {
    ink[static_cast<std::size_t>(c)] = rng.uniform(0, 90);
    paper[static_cast<std::size_t>(c)] = rng.uniform(150, 255);
  }
  if (light_on_dark) std::swap(ink, paper);
  const float noise = rng.uniform(2, 14);
  const float cosine = std::cos(turn), sine = std::sin(turn);
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x) {
      const float dx = static_cast<float>(x) + 0.5f - centre_x, dy = static_cast<float>(y) + 0.5f - centre_y;
      const float u = cosine * dx + sine * dy, v = (cosine * dy - sine * dx) / stretch;
      const float distance = cross ? std::min(distance_to_bar(u, v, radius), distance_to_bar(v, u, radius))
                                   : std::abs(std::hypot(u, v) - radius);
      const float cover = std::clamp(half_thickness - distance + 0.5f, 0.0f, 1.0f);
      for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c)
        *pixels++ = static_cast<std::uint8_t>(
            std::clamp(std::lround(paper[c] + cover * (ink[c] - paper[c]) + noise * rng.normal()), 0L, 255L));
    }
}

}  // namespace

std::shared_ptr<const Dataset> make_crosses_and_circles(std::int64_t count, int size, std::uint64_t seed,
                                                        int channels) {
  ensure(count >= 0 && size >= 8 && (channels == 1 || channels == 3),
         "crosses and circles have 8 pixels a side");
  PictureBlock block{size, size, channels, {}, {{0, "crosses and circles"}}};
  block.pixels.resize(static_cast<std::size_t>(count) * block.picture_bytes());
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng = Rng(seed).child(static_cast<std::uint64_t>(i));
    const bool cross = i % 2 == 1;
    labels.push_back(cross);
    draw(cross, size, channels, rng,
         block.pixels.data() + static_cast<std::size_t>(i) * block.picture_bytes());
  }
  return std::make_shared<const MemoryDataset>(std::move(block), std::move(labels),
                                               std::vector<std::string>{"circle", "cross"});
}

void write_dataset_as_folder(const Dataset& data, const std::filesystem::path& folder) {
  for (const std::string& name : data.classes()) {
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
      throw Error(ErrorKind::usage, text("a folder cannot have the name of the class \"", name, "\""));
    make_folder(folder / name);
  }
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const Sample sample = data.get(i);
    ensure(sample.label != unlabelled, "a dataset that is written as folders has labels");
    std::array<char, 32> file{};
    std::snprintf(file.data(), file.size(), "%06lld.png", static_cast<long long>(i));
    const auto bytes = encode_png(sample.image);
    const auto path = folder / data.classes()[static_cast<std::size_t>(sample.label)] / file.data();
    // Not by write_file(): flushing each of thousands of small files to the disk takes minutes.
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) throw Error(ErrorKind::io, text(path.string(), ": cannot be written; is the disk full?"));
  }
}

}  // namespace enxerto
