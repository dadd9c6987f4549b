/// What PyTorch's pickles are made of, and what the few functions that they call make of it. Nothing here
/// runs anything of the file's: a function is a name in a table, and calling it fills a struct.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "enxerto/weights/dtype.h"

namespace enxerto {

struct TorchGlobal;

/// A value of a pickle. Texts and names are borrowed from the file's bytes.
struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    text,
    list,
    tuple,
    dict,    ///< `number` is the place among TorchObjects' containers
    global,  ///< a name that a pickle may mention
    storage,
    tensor,  ///< `number` is the place among TorchObjects' storages, tensors
    leaf,    ///< something that is there and of no interest: a float, bytes, a numpy scalar
    object,  ///< a leaf that may get attributes (BUILD), which are of no interest either
  };
  Kind kind = Kind::none;
  std::int64_t number = 0;
  std::string_view text{};
  const TorchGlobal* global = nullptr;
};

struct TorchStorage {
  std::string key;
  std::optional<Dtype> dtype;  ///< empty where the numbers are not read, or the tensor says what they are
  std::string_view type;       ///< its name in Python
  std::int64_t item_bytes = 1, items = 0;
};

struct TorchTensor {
  std::size_t storage = 0;
  std::int64_t offset = 0;  ///< in numbers, as the strides
  std::vector<std::int64_t> dims{}, strides{};
  std::optional<Dtype> dtype{};
  std::string unread{};  ///< why it cannot be read; empty where it can
};

/// All values of a file. What is made here is counted, and beyond a bound it throws.
class TorchObjects {
 public:
  struct Container {
    std::vector<PickleValue> items{};  ///< of a dict: key, value, key, value
    bool takes_attributes = false;     ///< an OrderedDict: BUILD gives it attributes, which are dropped
  };

  std::vector<Container> containers;
  std::vector<TorchStorage> storages;
  std::vector<TorchTensor> tensors;

  /// Counts `values` more values. Throws Error{unsupported} beyond two million.
  void take(std::size_t values);

  PickleValue make(PickleValue::Kind kind, std::vector<PickleValue> items = {});
  std::vector<PickleValue>& items(const PickleValue& container);

  /// The value of a dict under a text, or null.
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;

  // These throw Error without saying where: unsupported for what would run code or is not read, corrupt for
  // what makes no sense.

  /// A name of Python's, "os.system", that the pickle mentions.
  PickleValue global(const std::string& name);
  /// What a call gives (REDUCE, NEWOBJ).
  PickleValue call(const PickleValue& function, const PickleValue& arguments);
  /// The storage that a persistent id stands for (BINPERSID).
  PickleValue storage(const PickleValue& id);
  /// BUILD: the object gets attributes.
  void build(const PickleValue& object) const;

 private:
  PickleValue make_tensor(const PickleValue& storage, std::vector<PickleValue> arguments, bool typed);
  PickleValue make_unread(const std::string& why);
  PickleValue make_dict(const std::vector<PickleValue>& arguments);

  std::unordered_map<std::string, std::size_t> storage_of_key_;
  std::size_t values_ = 0;
};

}  // namespace enxerto
