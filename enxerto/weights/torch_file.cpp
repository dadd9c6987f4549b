#include "enxerto/weights/torch_file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/pickle_reader.h"
#include "enxerto/weights/torch_objects.h"
#include "enxerto/weights/zip.h"

namespace enxerto {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Kind = PickleValue::Kind;

constexpr std::uint64_t pickle_limit = 32u << 20;
constexpr std::string_view pickle_name = "/data.pkl";

[[noreturn]] void corrupt(const std::string& file, const std::string& what) {
  throw Error(ErrorKind::corrupt, text(file, ": ", what));
}
[[noreturn]] void unsupported(const std::string& file, const std::string& what) {
  throw Error(ErrorKind::unsupported, text(file, ": ", what));
}

// ---- From the pickled object to names.

struct Leaf {
  std::string name;
  const TorchTensor* tensor;
};

/// Walks through dictionaries and lists and collects the tensors.
class Collector {
 public:
  Collector(TorchObjects& objects, const std::string& file) : objects_(objects), file_(file) {}

  std::vector<Leaf> collect(const PickleValue& root) {
    visit(root, "", 0);
    if (leaves_.empty()) corrupt(file_, "holds no tensors");
    return std::move(leaves_);
  }

 private:
  static constexpr int depth_limit = 64;
  static constexpr std::size_t name_limit = 4096, visit_limit = 2'000'000, all_names_limit = 64u << 20;

  void visit(const PickleValue& value, const std::string& name, int depth) {
    if (depth > depth_limit)
      corrupt(file_,
              text("is nested more than ", depth_limit, " deep, or contains itself, at ", shown(name)));
    // A container may be mentioned many times, by containers that are mentioned many times.
    if (++visits_ > visit_limit)
      unsupported(file_, text("has more than ", visit_limit, " values, counting repetitions"));
    if (value.kind == Kind::tensor) {
      add(name.empty() ? "tensor" : name, objects_.tensors[static_cast<std::size_t>(value.number)]);
    } else if (value.kind == Kind::list || value.kind == Kind::tuple) {
      const auto& items = objects_.items(value);
      for (std::size_t i = 0; i < items.size(); ++i)
        if (leads_on(items[i])) visit(items[i], below(name, std::to_string(i)), depth + 1);
    } else if (value.kind == Kind::dict) {
      const auto& items = objects_.items(value);
      for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        if (leads_on(items[i + 1])) visit(items[i + 1], below(name, key_name(name, items[i])), depth + 1);
    }
  }

  bool leads_on(const PickleValue& value) {
    ++visits_;
    return value.kind == Kind::tensor ||
           ((value.kind == Kind::list || value.kind == Kind::tuple || value.kind == Kind::dict) &&
            !objects_.items(value).empty());
  }

  std::string key_name(const std::string& name, const PickleValue& key) const {
    switch (key.kind) {
      case Kind::text:
        return std::string(key.text.substr(0, name_limit + 1));
      case Kind::integer:
      case Kind::boolean:
        return std::to_string(key.number);
      case Kind::none:
        return "None";
      case Kind::tuple:
        return "tuple";  // nobody's weights; what it leads to is named all the same
      default:
        break;
    }
    unsupported(file_,
                text("has a dictionary at ", shown(name), " whose keys are neither texts nor numbers"));
  }

  std::string below(const std::string& name, const std::string& key) const {
    std::string made = name.empty() ? key : text(name, ".", key);
    if (made.size() > name_limit) corrupt(file_, text("has an absurdly long name, ", shown(made)));
    return made;
  }

  void add(const std::string& name, const TorchTensor& tensor) {
    if (!is_utf8(name)) corrupt(file_, text("tensor ", shown(name), " has a name that is not UTF-8"));
    if (!tensor.unread.empty())
      unsupported(file_, text("tensor ", shown(name), " ", tensor.unread,
                              ", which is not read; store it as dense float32, float16 or bfloat16"));
    all_names_ += name.size();
    if (all_names_ > all_names_limit) corrupt(file_, "has absurdly long names");
    if (!names_.insert(name).second) corrupt(file_, text("has two tensors called ", shown(name)));
    leaves_.push_back({name, &tensor});
  }

  TorchObjects& objects_;
  const std::string& file_;
  std::vector<Leaf> leaves_;
  std::unordered_set<std::string> names_;
  std::size_t visits_ = 0, all_names_ = 0;
};

// ---- From storages to tensors.

/// The number of elements, after a check that every one of them lies in the storage.
std::int64_t check_place(const Leaf& leaf, const TorchStorage& storage, const std::string& file) {
  const TorchTensor& tensor = *leaf.tensor;
  const std::int64_t size = count(tensor.dims);
  if (size < 0) corrupt(file, text("tensor ", shown(leaf.name), " is larger than any memory"));
  if (size == 0) return 0;
  bool fits = true;
  std::int64_t last = tensor.offset;
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) {
    std::int64_t step = 0;
    fits = fits && !__builtin_mul_overflow(tensor.dims[i] - 1, tensor.strides[i], &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  const std::int64_t present = storage.items * storage.item_bytes / bytes_of(*tensor.dtype);
  if (!fits || last >= present)
    corrupt(file, text("tensor ", shown(leaf.name), " reaches beyond its storage of ", present, " numbers"));
  return size;
}

bool is_dense(const TorchTensor& tensor) {
  std::int64_t stride = 1;
  for (std::size_t i = tensor.dims.size(); i-- > 0;) {
    if (tensor.dims[i] != 1 && tensor.strides[i] != stride) return false;
    stride *= tensor.dims[i];
  }
  return true;
}

/// The tensor's numbers out of its storage; check_place() has said that they are there.
void gather(const TorchTensor& tensor, Bytes storage, std::span<float> to) {
  if (to.empty()) return;
  const std::int64_t bytes = bytes_of(*tensor.dtype);
  if (is_dense(tensor)) return widen(*tensor.dtype, storage.data() + tensor.offset * bytes, to);
  const std::size_t rank = tensor.dims.size();
  const auto inner = static_cast<std::size_t>(tensor.dims[rank - 1]);
  const std::int64_t inner_stride = tensor.strides[rank - 1];
  std::vector<std::uint8_t> row(inner * static_cast<std::size_t>(bytes));
  std::vector<std::int64_t> at(rank, 0);
  for (std::size_t done = 0; done < to.size(); done += inner) {
    std::int64_t begin = tensor.offset;
    for (std::size_t i = 0; i + 1 < rank; ++i) begin += at[i] * tensor.strides[i];
    for (std::size_t i = 0; i < inner; ++i)
      std::memcpy(row.data() + i * static_cast<std::size_t>(bytes),
                  storage.data() + (begin + static_cast<std::int64_t>(i) * inner_stride) * bytes,
                  static_cast<std::size_t>(bytes));
    widen(*tensor.dtype, row.data(), to.subspan(done, inner));
    for (std::size_t i = rank - 1; i-- > 0;) {
      if (++at[i] < tensor.dims[i]) break;
      at[i] = 0;
    }
  }
}

/// Hands one storage's bytes, valid until the call returns, to a function.
using WithStorage = std::function<void(const TorchStorage&, const std::function<void(Bytes)>&)>;

NamedTensors make_tensors(const std::vector<Leaf>& leaves, const TorchObjects& objects,
                          std::uint64_t storage_bytes, const WithStorage& with_storage,
                          const std::string& file) {
  constexpr std::uint64_t spare = 1u << 20;
  std::uint64_t left = 2 * storage_bytes + spare;
  std::vector<std::vector<std::size_t>> of_storage(objects.storages.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const TorchTensor& tensor = *leaves[i].tensor;
    const auto size =
        static_cast<std::uint64_t>(check_place(leaves[i], objects.storages[tensor.storage], file));
    if (size > left)
      unsupported(file, text("tensor ", shown(leaves[i].name),
                             ": the tensors, copied out of the memory that they "
                             "share, are far larger than the file; save them with .contiguous()"));
    left -= size;
    of_storage[tensor.storage].push_back(i);
  }
  NamedTensors made;
  made.reserve(leaves.size());
  for (const Leaf& leaf : leaves)
    made.push_back({leaf.name, leaf.tensor->dims, Tensor(shape_of(leaf.tensor->dims))});
  // Storage by storage, so that one at a time is in memory beside the tensors.
  for (std::size_t i = 0; i < of_storage.size(); ++i) {
    if (of_storage[i].empty()) continue;
    with_storage(objects.storages[i], [&](Bytes bytes) {
      for (const std::size_t tensor : of_storage[i])
        gather(*leaves[tensor].tensor, bytes, made[tensor].value.data());
    });
  }
  return made;
}

// ---- The zip layout: NAME/data.pkl, NAME/byteorder, NAME/data/KEY.

bool is_zip(Bytes bytes) { return bytes.size() >= 4 && std::memcmp(bytes.data(), "PK\3\4", 4) == 0; }

/// The folder inside of the archive, or nothing where it is not PyTorch's.
std::optional<std::string> root_of(const ZipArchive& archive) {
  for (const std::string& name : archive.names())
    if (name.ends_with(pickle_name) && name.find('/') == name.size() - pickle_name.size())
      return name.substr(0, name.size() - pickle_name.size());
  return {};
}

NamedTensors parse_zip(Bytes bytes, const std::string& file) {
  const ZipArchive archive(bytes, file);
  const std::optional<std::string> root = root_of(archive);
  if (!root) corrupt(file, "is a zip archive without a data.pkl, not a PyTorch file");
  if (archive.has(*root + "/constants.pkl"))
    unsupported(file,
                "is a TorchScript program (torch.jit.save), which is code; save the weights alone in Python, "
                "torch.save(model.state_dict(), \"weights.pt\")");
  if (archive.has(*root + "/byteorder")) {
    const auto order = archive.read(*root + "/byteorder", 16);
    if (std::string(order.begin(), order.end()) != "little")
      unsupported(file,
                  "has the byte order of another kind of computer; save it again on a little-endian one");
  }
  const std::string name = *root + std::string(pickle_name);
  const auto pickle = archive.read(name, pickle_limit);
  TorchObjects objects;
  PickleReader reader(pickle, 0, text(file, ", ", name), objects);
  const auto leaves = Collector(objects, file).collect(reader.read());

  const auto entry_of = [&](const TorchStorage& storage) { return text(*root, "/data/", storage.key); };
  std::uint64_t all = 0;
  for (const TorchStorage& storage : objects.storages) {
    const auto declared = static_cast<std::uint64_t>(storage.items * storage.item_bytes);
    if (declared == 0 && !archive.has(entry_of(storage))) continue;
    if (!archive.has(entry_of(storage))) corrupt(file, text("lacks the storage ", shown(entry_of(storage))));
    if (archive.size_of(entry_of(storage)) != declared)
      corrupt(file, text("the storage ", shown(entry_of(storage)), " has ",
                         archive.size_of(entry_of(storage)), " bytes where ", declared, " are declared"));
    all += declared;
  }
  // PyTorch does not compress. Archives that were packed again are read, those that are mostly air are not.
  constexpr std::uint64_t air = 16, spare = 1u << 20;
  if (all / air > bytes.size() + spare)
    unsupported(file, text("unpacks to ", human_bytes(static_cast<double>(all)),
                           ", far more than the file has; save it again with PyTorch"));
  const auto with_storage = [&](const TorchStorage& storage, const std::function<void(Bytes)>& use) {
    const auto content =
        storage.items == 0 ? std::vector<std::uint8_t>() : archive.read(entry_of(storage), all);
    use(content);
  };
  return make_tensors(leaves, objects, all, with_storage, file);
}

// ---- The layout of before PyTorch 1.6: five pickles (magic number, protocol version, system, object, keys
// of the storages), then each storage: its number of elements in 8 bytes, and the elements.

/// Where the pickled magic number ends, or 0 where there is none. Protocol 4 puts a frame around it.
std::size_t magic_end(Bytes bytes) {
  constexpr std::string_view number = "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.";
  constexpr std::string_view old_number = "L119547037146038801333356L\n.";  // of protocol 1
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()),
                             std::min<std::size_t>(bytes.size(), 64));
  std::size_t at = 0;
  if (all.starts_with('\x80')) at += 2;
  if (all.size() > at && all[at] == '\x95') at += 9;
  if (at > all.size()) return 0;
  if (all.substr(at).starts_with(number)) return at + number.size();
  if (at == 0 && all.starts_with(old_number)) return old_number.size();
  return 0;
}

void check_system(PickleReader& reader, TorchObjects& objects, const std::string& file) {
  const PickleValue version = reader.read();
  if (version.kind != Kind::integer || version.number != 1001)
    unsupported(file,
                "is of another version of the old layout than 1001; load and save it with a newer PyTorch");
  const PickleValue system = reader.read();
  const PickleValue* little = objects.find(system, "little_endian");
  if (!little) corrupt(file, "does not say its byte order");
  if (little->number != 1)
    unsupported(file, "has the byte order of another kind of computer; save it again on a little-endian one");
}

NamedTensors parse_old(Bytes bytes, const std::string& file) {
  const std::size_t begin = magic_end(bytes);
  TorchObjects objects;
  PickleReader reader(bytes, begin, file, objects);
  check_system(reader, objects, file);
  const PickleValue root = reader.read();
  const PickleValue keys = reader.read();
  const auto leaves = Collector(objects, file).collect(root);
  if (keys.kind != Kind::list) corrupt(file, "the keys of its storages are not a list");

  std::unordered_map<std::string_view, const TorchStorage*> by_key;
  for (const TorchStorage& storage : objects.storages) by_key.emplace(storage.key, &storage);
  std::unordered_map<const TorchStorage*, Bytes> content;
  Bytes rest = bytes.subspan(reader.position());
  std::uint64_t all = 0;
  for (const PickleValue& key : objects.items(keys)) {
    const auto found = key.kind == Kind::text ? by_key.find(key.text) : by_key.end();
    if (found == by_key.end()) corrupt(file, "lists a storage that no tensor uses");
    const TorchStorage& storage = *found->second;
    const auto cut = [&] {
      corrupt(file, text("ends within the storage ", shown(storage.key),
                         "; the download or copy may have been cut off"));
    };
    std::int64_t items = 0;
    if (rest.size() < sizeof items) cut();
    std::memcpy(&items, rest.data(), sizeof items);
    if (items != storage.items)
      corrupt(file, text("the storage ", shown(storage.key), " has ", items, " elements where ",
                         storage.items, " are declared"));
    rest = rest.subspan(sizeof items);
    const auto size = static_cast<std::uint64_t>(items * storage.item_bytes);
    if (size > rest.size()) cut();
    if (!content.emplace(&storage, rest.first(size)).second)
      corrupt(file, text("has the storage ", shown(storage.key), " twice"));
    all += size;
    rest = rest.subspan(size);
  }
  const auto with_storage = [&](const TorchStorage& storage, const std::function<void(Bytes)>& use) {
    const auto found = content.find(&storage);
    if (found == content.end()) corrupt(file, text("lacks the storage ", shown(storage.key)));
    use(found->second);
  };
  return make_tensors(leaves, objects, all, with_storage, file);
}

}  // namespace

NamedTensors parse_torch(Bytes bytes, const std::string& file) {
  if (is_zip(bytes)) return parse_zip(bytes, file);
  if (magic_end(bytes) > 0) return parse_old(bytes, file);
  corrupt(file, "is not a PyTorch file: neither a zip archive nor the layout of before PyTorch 1.6");
}

NamedTensors load_torch(const std::filesystem::path& path) {
  return parse_torch(read_file(path), path.string());
}

bool looks_like_torch(Bytes bytes) {
  if (magic_end(bytes) > 0) return true;
  if (!is_zip(bytes)) return false;
  try {
    return root_of(ZipArchive(bytes, "")).has_value();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace enxerto
