/// Safetensors files: tensors with names, and texts beside them.
/// The format: 8 bytes with the length of a JSON header (little-endian), the header, then the data.
/// https://github.com/huggingface/safetensors#format
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

struct SafetensorsFile {
  NamedTensors tensors;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
};

/// Reads F32, F16, BF16, F64, integers of 8 to 64 bits and BOOL, and turns each into float: F64 is
/// rounded, and so are integers beyond 2^24. Needs memory for the file and for its tensors as float.
/// Throws Error naming the file and the tensor: corrupt where a rule of the format is broken,
/// unsupported for another dtype, and what read_file() throws.
SafetensorsFile load_safetensors(const std::filesystem::path& path);

/// The same from memory; `name_for_errors` stands for the file.
SafetensorsFile parse_safetensors(std::span<const std::uint8_t> bytes, const std::string& name_for_errors);

/// Writes all tensors as F32 or, where `half`, F16 (half_of() in tensor/half.h), in their order; the same
/// input gives the same bytes. The file is whole or is not there (write_file). Throws Error{usage} where two
/// tensors share a name, a text is not UTF-8 or a number is too large for half precision, and Error{io}.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {}, bool half = false);

}  // namespace enxerto
