/// ONNX files as messages, within bounds. For the sources of this folder only.
#pragma once

#include <onnx.pb.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace enxerto::onnx {

/// The message of a file. The bytes are walked before protobuf sees them: at most a million messages and
/// texts, at most 256 MiB of numbers of variable length, so that memory stays within four times the file and
/// 3 GiB. Throws Error{corrupt} that opens with `file`, {unsupported} where a bound is passed.
ModelProto parse_model(std::span<const std::uint8_t> bytes, const std::string& file);

/// The same from a file; what read_file() throws too.
ModelProto load_model(const std::filesystem::path& path);

/// A text from a file, fit for one line of an error: what does not print as "?", and not too long.
std::string shown(const std::string& text);

}  // namespace enxerto::onnx
