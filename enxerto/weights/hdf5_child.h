/// The child's half of reading an HDF5 file; all that touches libhdf5.
#pragma once

#include <cstdint>
#include <span>

namespace enxerto::hdf5 {

/// Reads the file and sends its records (hdf5_stream.h) into the pipe. For a process that is made for this
/// and ends right after: libhdf5 may take the process with it, and leaves its own memory behind.
void send_content(std::span<const std::uint8_t> bytes, int pipe);

}  // namespace enxerto::hdf5
