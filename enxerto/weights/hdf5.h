/// HDF5 files, as Keras writes them: groups, texts and arrays of numbers.
/// The file is read by libhdf5 in a process of its own, because that library crashes on hostile files
/// (docs/decisions/0004-hdf5-in-a-child.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

/// An attribute that is a text or a list of texts; others are left out, but for empty lists.
struct Hdf5Texts {
  std::string object;  ///< the path of what it hangs on: "" for the file, "model_weights/conv1"
  std::string name;
  std::vector<std::string> values;
};

struct Hdf5Content {
  std::vector<Hdf5Texts> texts;
  NamedTensors arrays;  ///< under their paths, "layers/conv2d/vars/0", rounded to float
};

/// The signature of HDF5 at the start of the bytes.
bool looks_like_hdf5(std::span<const std::uint8_t> bytes);

/// Reads integers and floats of up to 64 bits (bfloat16 as Keras marks it too), with the filters that libhdf5
/// has in itself (gzip, shuffle, Fletcher32). Takes the size of its arrays in memory, which is held below
/// the larger of 512 MiB and four times the file. Safe to call from several threads; while it runs, it holds
/// a child process that reads nothing but these bytes and writes no file.
/// Throws Error naming `file`: corrupt for what is damaged, and where the child crashed, sent nonsense or
/// said nothing for 10 seconds and one more for each 16 MB of the file; unsupported for links to other
/// places, data outside the file, and types that are not numbers; io where there is no process to be had.
Hdf5Content parse_hdf5(std::span<const std::uint8_t> bytes, const std::string& file);

/// For tests of what happens when libhdf5 goes wrong: does so in the child before it reads.
enum class Hdf5Fault { none, crash, hang, nonsense, silent_exit };
Hdf5Content parse_hdf5(std::span<const std::uint8_t> bytes, const std::string& file, Hdf5Fault fault,
                       int patience_ms);

}  // namespace enxerto
