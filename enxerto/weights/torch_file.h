/// PyTorch's files (.pth, .pt, .bin): what torch.save() makes of a state_dict, a checkpoint, or any nest of
/// dictionaries and lists that has tensors in it. Nothing of the file is ever run.
/// Two layouts: a zip archive, and the one of before PyTorch 1.6, which begins with a pickled magic number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

/// All tensors in the order of the file. A name joins the keys that lead to the tensor by ".", an index for
/// lists: "state_dict.layer1.0.conv1.weight", "optimizer.state.3.exp_avg"; a file that is one tensor calls it
/// "tensor". What is not a tensor is dropped. Tensors that share memory in Python become copies, and views of
/// any strides become dense; together all tensors may hold twice as many numbers as the storages have bytes
/// and a million more, so that a small file cannot ask for much memory. Formats become float as widen() says.
/// Throws Error naming the file: unsupported where it holds a pickled module, asks for anything but tensors
/// and containers (the opcode, the name and the byte are given), or has tensors of another kind (sparse,
/// quantised, complex); corrupt where it is damaged, holds no tensors, or two have one name; and what
/// read_file() throws.
NamedTensors load_torch(const std::filesystem::path& path);

/// The same from memory; `file` stands for it in errors.
NamedTensors parse_torch(std::span<const std::uint8_t> bytes, const std::string& file);

/// Whether the content is that of a PyTorch file, whatever its name is.
bool looks_like_torch(std::span<const std::uint8_t> bytes);

}  // namespace enxerto
