/// Pictures and folders of them that tests look at. Not installed.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/image/encode.h"
#include "enxerto/image/resize.h"

namespace enxerto {

/// Soft spots of colour on a coloured ground: another picture for each number.
inline Image spots_for_tests(std::uint64_t number, int width = 96, int height = 72, bool grey = false) {
  Rng rng = Rng(number).child(77);
  Image image(height, width, grey ? 1 : 3);
  const auto channels = static_cast<std::size_t>(image.channels);
  struct Spot {
    float x, y, radius;
    float colour[3];
  };
  std::vector<Spot> spots(12);
  for (Spot& spot : spots)
    spot = {rng.uniform(),
            rng.uniform(),
            rng.uniform(0.05f, 0.25f),
            {rng.uniform(0, 255), rng.uniform(0, 255), rng.uniform(0, 255)}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + static_cast<std::size_t>(x) * channels;
      for (std::size_t c = 0; c < channels; ++c) {
        float value = 128;
        for (const Spot& spot : spots) {
          const float dx = static_cast<float>(x) / static_cast<float>(width) - spot.x;
          const float dy = static_cast<float>(y) / static_cast<float>(height) - spot.y;
          const float part = 1 - (dx * dx + dy * dy) / (spot.radius * spot.radius);
          if (part > 0) value += (spot.colour[c] - value) * part;
        }
        pixel[c] = static_cast<std::uint8_t>(value);
      }
    }
  return image;
}

/// A folder of its own, gone with the value.
class FolderForTests {
 public:
  FolderForTests() {
    static int made = 0;
    path_ = std::filesystem::temp_directory_path() / text("enxerto_doctor_", ::getpid(), "_", made++);
    std::filesystem::create_directories(path_);
  }
  ~FolderForTests() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  FolderForTests(const FolderForTests&) = delete;
  FolderForTests& operator=(const FolderForTests&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void put(const std::string& name, const std::vector<std::uint8_t>& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    write_file(path_ / name, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  void put(const std::string& name, const Image& image) const {
    put(name, name.ends_with(".png") ? encode_png(image) : encode_jpeg(image));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace enxerto
