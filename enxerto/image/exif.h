/// EXIF: what a camera writes into a picture's file, a block of TIFF. The bytes are taken for hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace enxerto {

/// The block in a JPEG, PNG, WebP or TIFF file (the whole of which is one); empty where there is none, or no
/// sound one. Never throws. Not in HEIF and AVIF.
std::span<const std::uint8_t> find_exif(std::span<const std::uint8_t> file);

/// Directories of entries, with numbers in either order of bytes. Whatever the bytes are, no call throws or
/// reads beyond them. They have to outlive it.
class Exif {
 public:
  /// "II*\0..." or "MM\0*...", behind "Exif\0\0" or not.
  explicit Exif(std::span<const std::uint8_t> block);
  bool is_sound() const { return sound_; }  ///< else there is nothing in it

  /// Where the first directory and, in its entry of this tag, another one lie. 0 where there is none.
  std::size_t first_directory() const;
  std::size_t directory(std::size_t parent, std::uint32_t tag) const;
  /// An entry of one 16-bit number; empty where the directory has none.
  std::optional<std::uint32_t> number(std::size_t directory, std::uint32_t tag) const;
  /// An entry's text up to its zero; empty where there is none, or more than 64 characters.
  std::string text(std::size_t directory, std::uint32_t tag) const;
  /// How the stored picture is to be turned, 1 to 8; 1, upright, where nothing sensible is said.
  int orientation() const;

 private:
  std::uint32_t read(std::size_t at, std::size_t size) const;
  /// Where the entry with this tag and type lies.
  std::optional<std::size_t> find(std::size_t directory, std::uint32_t tag, std::uint32_t type) const;
  std::span<const std::uint8_t> bytes_;
  bool little_ = false, sound_ = false;
};

}  // namespace enxerto
