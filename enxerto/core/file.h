/// Files: read whole within a bound, written beside their target and renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto {

/// The whole file. Throws Error: not_found where it is missing, a folder or closed to us, io where reading
/// fails, unsupported where it is larger than `limit` bytes, or a pipe or a device.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path,
                                    std::uint64_t limit = std::uint64_t{8} << 30);
std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit = 256u << 20);

/// Writes the parts into a temporary file beside `path`, or where its links lead, flushes it to the disk and
/// renames it: a failed save leaves the old file whole. Straight into a pipe or device. Throws Error{io}.
void write_file(const std::filesystem::path& path, std::span<const std::span<const std::uint8_t>> parts);
void write_file(const std::filesystem::path& path, std::string_view content);

/// Whether a file has the name of such a temporary one, which a process that was killed leaves.
bool is_partial(std::string_view name);

/// Throws as make_folder() would and as writing into the folder would, as far as names and permissions tell,
/// and makes nothing: for before the work whose outcome is to go there.
void check_folder(const std::filesystem::path& path, std::string_view advice = "choose another --out");
/// Makes the folder and its parents. Throws Error{io} naming it where that fails, with what to do about it.
void make_folder(const std::filesystem::path& path, std::string_view advice = "choose another --out");

}  // namespace enxerto
