/// Python's pickles as PyTorch writes them, read without running anything.
/// The language: https://docs.python.org/3/library/pickletools.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "enxerto/weights/torch_objects.h"

namespace enxerto {

/// Reads pickles of protocols 1 to 5 into `objects`. Bytes and objects are borrowed and must outlive it, and
/// the values refer to the bytes.
class PickleReader {
 public:
  /// Reads from byte `begin` on. `file` stands for the bytes in errors.
  PickleReader(std::span<const std::uint8_t> bytes, std::size_t begin, std::string file,
               TorchObjects& objects)
      : bytes_(bytes), file_(std::move(file)), objects_(objects), at_(begin) {}

  /// The pickle that begins where the last one ended. Throws Error naming the opcode and its byte:
  /// unsupported for an opcode or a name that is not on the list, corrupt for a pickle that is damaged.
  PickleValue read();

  std::size_t position() const { return at_; }

 private:
  bool step(std::uint8_t opcode);  ///< false at the end of the pickle
  bool step_number(std::uint8_t opcode);
  bool step_text(std::uint8_t opcode);
  bool step_memo(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);

  std::string_view take_bytes(std::uint64_t size);
  std::uint64_t take_number(int bytes);
  std::string_view take_line();

  void push(const PickleValue& value);
  PickleValue pop();
  std::vector<PickleValue> pop_to_mark();
  PickleValue& top(PickleValue::Kind kind, const char* what);
  void put(std::uint64_t index);
  void get(std::uint64_t index);
  void push_integer(std::string_view little_endian);
  void push_decimal(std::string_view digits);
  void push_tuple(std::size_t size);
  void push_global(std::string_view module, std::string_view name);

  std::span<const std::uint8_t> bytes_;
  std::string file_;
  TorchObjects& objects_;
  std::size_t at_;
  std::vector<PickleValue> stack_, memo_;
  std::vector<std::size_t> marks_;
};

}  // namespace enxerto
