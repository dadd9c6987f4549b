#include "enxerto/weights/torch_objects.h"

#include <algorithm>
#include <array>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"

namespace enxerto {

/// A row of the table of names that a pickle may mention.
struct TorchGlobal {
  enum class Role {
    dict,          // called, it gives a dict that takes attributes
    plain_dict,    // the same without attributes
    tensor,        // (storage, offset, sizes, strides, ...)
    typed_tensor,  // the same with a number format
    parameter,     // (tensor, ...): the tensor
    of_type,       // (function, type, arguments, state)
    unread_tensor,
    tuple,  // (tuple,): the tuple
    storage,
    number_format,
    leaf_maker,    // called, it gives a leaf
    object_maker,  // called, it gives a leaf that takes attributes
    leaf,
  };
  std::string_view name;
  Role role;
  std::optional<Dtype> dtype{};
  std::int64_t item_bytes = 0;
};

namespace {

using Kind = PickleValue::Kind;
using Role = TorchGlobal::Role;
using Items = std::vector<PickleValue>;

constexpr std::size_t value_limit = 2'000'000;
constexpr std::size_t rank_limit = 64;

constexpr TorchGlobal globals[] = {
    {"collections.OrderedDict", Role::dict},
    {"collections.Counter", Role::plain_dict},
    {"collections.defaultdict", Role::plain_dict},
    {"torch._utils._rebuild_tensor", Role::tensor},
    {"torch._utils._rebuild_tensor_v2", Role::tensor},
    {"torch._utils._rebuild_tensor_v3", Role::typed_tensor},
    {"torch._utils._rebuild_parameter", Role::parameter},
    {"torch._utils._rebuild_parameter_with_state", Role::parameter},
    {"torch._tensor._rebuild_from_type_v2", Role::of_type},
    {"torch._utils._rebuild_sparse_tensor", Role::unread_tensor},
    {"torch._utils._rebuild_sparse_csr_tensor", Role::unread_tensor},
    {"torch._utils._rebuild_qtensor", Role::unread_tensor},
    {"torch._utils._rebuild_nested_tensor", Role::unread_tensor},
    {"torch._utils._rebuild_meta_tensor_no_storage", Role::unread_tensor},
    {"torch.Size", Role::tuple},
    {"torch.FloatStorage", Role::storage, Dtype::f32, 4},
    {"torch.HalfStorage", Role::storage, Dtype::f16, 2},
    {"torch.BFloat16Storage", Role::storage, Dtype::bf16, 2},
    {"torch.DoubleStorage", Role::storage, Dtype::f64, 8},
    {"torch.LongStorage", Role::storage, Dtype::i64, 8},
    {"torch.IntStorage", Role::storage, Dtype::i32, 4},
    {"torch.ShortStorage", Role::storage, Dtype::i16, 2},
    {"torch.CharStorage", Role::storage, Dtype::i8, 1},
    {"torch.ByteStorage", Role::storage, Dtype::u8, 1},
    {"torch.BoolStorage", Role::storage, Dtype::boolean, 1},
    {"torch.storage.UntypedStorage", Role::storage, {}, 1},
    {"torch.UntypedStorage", Role::storage, {}, 1},
    {"torch.ComplexFloatStorage", Role::storage, {}, 8},
    {"torch.ComplexDoubleStorage", Role::storage, {}, 16},
    {"torch.QInt8Storage", Role::storage, {}, 1},
    {"torch.QUInt8Storage", Role::storage, {}, 1},
    {"torch.QInt32Storage", Role::storage, {}, 4},
    {"torch.float32", Role::number_format, Dtype::f32},
    {"torch.float16", Role::number_format, Dtype::f16},
    {"torch.bfloat16", Role::number_format, Dtype::bf16},
    {"torch.float64", Role::number_format, Dtype::f64},
    {"torch.bool", Role::number_format, Dtype::boolean},
    {"torch.uint8", Role::number_format, Dtype::u8},
    {"torch.int8", Role::number_format, Dtype::i8},
    {"torch.uint16", Role::number_format, Dtype::u16},
    {"torch.int16", Role::number_format, Dtype::i16},
    {"torch.uint32", Role::number_format, Dtype::u32},
    {"torch.int32", Role::number_format, Dtype::i32},
    {"torch.uint64", Role::number_format, Dtype::u64},
    {"torch.int64", Role::number_format, Dtype::i64},
    {"torch.complex64", Role::number_format},
    {"torch.complex128", Role::number_format},
    {"torch.float8_e4m3fn", Role::number_format},
    {"torch.float8_e4m3fnuz", Role::number_format},
    {"torch.float8_e5m2", Role::number_format},
    {"torch.float8_e5m2fnuz", Role::number_format},
    {"torch.per_tensor_affine", Role::leaf},
    {"torch.per_channel_affine", Role::leaf},
    {"torch.Tensor", Role::leaf},
    {"torch.nn.parameter.Parameter", Role::leaf},
    {"torch.device", Role::leaf_maker},
    {"torch.serialization._get_layout", Role::leaf_maker},
    {"_codecs.encode", Role::leaf_maker},
    {"argparse.Namespace", Role::object_maker},
    {"numpy.dtype", Role::object_maker},
    {"numpy.ndarray", Role::leaf},
    {"numpy.core.multiarray.scalar", Role::leaf_maker},
    {"numpy._core.multiarray.scalar", Role::leaf_maker},
    {"numpy.core.multiarray._reconstruct", Role::object_maker},
    {"numpy._core.multiarray._reconstruct", Role::object_maker},
    {"builtins.set", Role::leaf_maker},
    {"__builtin__.set", Role::leaf_maker},
    {"builtins.dict", Role::leaf},
    {"__builtin__.dict", Role::leaf},
    {"builtins.list", Role::leaf},
    {"__builtin__.list", Role::leaf},
    {"builtins.int", Role::leaf},
    {"__builtin__.int", Role::leaf},
    {"builtins.float", Role::leaf},
    {"__builtin__.float", Role::leaf},
};

constexpr const char* advice =
    "the file would run code when Python reads it: it holds a whole pickled module, or something hostile. "
    "Only "
    "tensors and containers are read. Where you trust it, save the weights alone in Python, "
    "torch.save(model.state_dict(), \"weights.pt\"), or as safetensors";

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorKind::corrupt, what); }
[[noreturn]] void runs_code(const std::string& what) {
  throw Error(ErrorKind::unsupported, text(what, "; ", advice));
}

/// An argument, which must be there and of this kind.
const PickleValue& argument(const Items& items, std::size_t index, Kind kind, const char* what) {
  if (index >= items.size() || items[index].kind != kind) corrupt(text("the call lacks ", what));
  return items[index];
}

}  // namespace

void TorchObjects::take(std::size_t values) {
  if (values > value_limit - values_)
    throw Error(ErrorKind::unsupported, text("the file has more than ", value_limit, " values"));
  values_ += values;
}

PickleValue TorchObjects::make(Kind kind, Items items) {
  take(1 + items.size());
  containers.push_back({std::move(items)});
  return {kind, static_cast<std::int64_t>(containers.size() - 1)};
}

Items& TorchObjects::items(const PickleValue& container) {
  ensure(container.kind == Kind::list || container.kind == Kind::tuple || container.kind == Kind::dict,
         "only containers have items");
  return containers[static_cast<std::size_t>(container.number)].items;
}

const PickleValue* TorchObjects::find(const PickleValue& dict, std::string_view key) const {
  if (dict.kind != Kind::dict) return nullptr;
  const Items& all = containers[static_cast<std::size_t>(dict.number)].items;
  for (std::size_t i = 0; i + 1 < all.size(); i += 2)
    if (all[i].kind == Kind::text && all[i].text == key) return &all[i + 1];
  return nullptr;
}

PickleValue TorchObjects::global(const std::string& name) {
  const auto found = std::ranges::find(globals, name, &TorchGlobal::name);
  if (found == std::end(globals)) runs_code(text("asks for ", shown(name)));
  return {Kind::global, 0, found->name, found};
}

PickleValue TorchObjects::make_unread(const std::string& why) {
  take(1);
  tensors.push_back({.unread = why});
  return {Kind::tensor, static_cast<std::int64_t>(tensors.size() - 1)};
}

PickleValue TorchObjects::make_dict(const Items& arguments) {
  Items made;
  // Python 2 gives an OrderedDict's content as a list of pairs, a Counter's comes as a dict, and the
  // defaultdict's argument is the maker of its values.
  if (!arguments.empty() && arguments[0].kind == Kind::dict) {
    made = items(arguments[0]);
  } else if (!arguments.empty() && arguments[0].kind == Kind::list) {
    for (const PickleValue& pair : items(arguments[0])) {
      if ((pair.kind != Kind::list && pair.kind != Kind::tuple) || items(pair).size() != 2)
        corrupt("a dictionary is not made of pairs");
      made.insert(made.end(), items(pair).begin(), items(pair).end());
    }
  }
  return make(Kind::dict, std::move(made));
}

PickleValue TorchObjects::make_tensor(const PickleValue& from, Items arguments, bool typed) {
  const TorchStorage& storage = storages[static_cast<std::size_t>(from.number)];
  TorchTensor made{.storage = static_cast<std::size_t>(from.number), .dtype = storage.dtype};
  made.offset = argument(arguments, 1, Kind::integer, "the place of a tensor's first number").number;
  const auto numbers = [&](std::size_t index, const char* what) {
    const Items& from_file = items(argument(arguments, index, Kind::tuple, what));
    if (from_file.size() > rank_limit) corrupt("a tensor has too many sizes");
    std::vector<std::int64_t> all;
    for (const PickleValue& value : from_file) {
      if (value.kind != Kind::integer || value.number < 0)
        corrupt("a tensor has a size or stride that is none");
      all.push_back(value.number);
    }
    take(all.size());
    return all;
  };
  made.dims = numbers(2, "a tensor's sizes");
  made.strides = numbers(3, "a tensor's strides");
  if (made.dims.size() != made.strides.size()) corrupt("a tensor has not as many strides as sizes");
  if (made.offset < 0) corrupt("a tensor begins before its storage");
  if (typed) {
    const PickleValue& format = argument(arguments, 6, Kind::global, "a tensor's number format");
    if (format.global->role != Role::number_format) corrupt("a tensor's number format is none");
    made.dtype = format.global->dtype;
    if (!made.dtype) made.unread = text("holds numbers of the format ", format.text);
  } else if (!made.dtype) {
    made.unread = text("holds numbers of the format ", storage.type);
  }
  // The metadata of complex and negated views.
  const std::size_t metadata = typed ? 7 : 6;
  if (arguments.size() > metadata && arguments[metadata].kind == Kind::dict &&
      !items(arguments[metadata]).empty())
    made.unread = "is a conjugated or negated view";
  take(2);
  tensors.push_back(std::move(made));
  return {Kind::tensor, static_cast<std::int64_t>(tensors.size() - 1)};
}

PickleValue TorchObjects::call(const PickleValue& function, const PickleValue& arguments) {
  if (function.kind != Kind::global) runs_code("calls what is not a known function");
  if (arguments.kind != Kind::tuple) corrupt("the arguments of a call are not a tuple");
  const TorchGlobal& called = *function.global;
  constexpr std::size_t most_arguments = 16;
  if (items(arguments).size() > most_arguments)
    corrupt(text("a call has more than ", most_arguments, " arguments"));
  const Items given = items(arguments);
  switch (called.role) {
    case Role::dict: {
      const PickleValue made = make_dict(given);
      containers.back().takes_attributes = true;
      return made;
    }
    case Role::plain_dict:
      return make_dict(given);
    case Role::tensor:
    case Role::typed_tensor:
      return make_tensor(argument(given, 0, Kind::storage, "a tensor's storage"), given,
                         called.role == Role::typed_tensor);
    case Role::parameter:
      return argument(given, 0, Kind::tensor, "the tensor");
    case Role::of_type: {
      const PickleValue& maker = argument(given, 0, Kind::global, "a function");
      // Not of_type once more, so that nothing nests.
      if (maker.global->role != Role::tensor && maker.global->role != Role::typed_tensor &&
          maker.global->role != Role::parameter)
        runs_code(text("calls ", maker.text, " for a type of its own"));
      return call(maker, argument(given, 2, Kind::tuple, "the arguments"));
    }
    case Role::unread_tensor:
      return make_unread(text("is made by ", called.name));
    case Role::tuple:
      return argument(given, 0, Kind::tuple, "the sizes");
    case Role::leaf_maker:
      return {Kind::leaf};
    case Role::object_maker:
      return {Kind::object};
    case Role::storage:
    case Role::number_format:
    case Role::leaf:
      break;
  }
  runs_code(text("calls ", called.name));
}

PickleValue TorchObjects::storage(const PickleValue& id) {
  if (id.kind != Kind::tuple) corrupt("a persistent id is not a tuple");
  const Items& given = items(id);
  const std::string_view what = argument(given, 0, Kind::text, "what it stands for").text;
  if (what == "module") runs_code("brings the source of a module");
  if (what != "storage") corrupt(text("a persistent id stands for ", shown(std::string(what))));
  const PickleValue& type = argument(given, 1, Kind::global, "the type of a storage");
  if (type.global->role != Role::storage) corrupt(text("a storage is of type ", type.text));
  const std::string key(argument(given, 2, Kind::text, "the key of a storage").text.substr(0, 256));
  TorchStorage made{key, type.global->dtype, type.text, type.global->item_bytes};
  made.items = argument(given, 4, Kind::integer, "the size of a storage").number;
  std::int64_t bytes = 0;
  if (made.items < 0 || __builtin_mul_overflow(made.items, made.item_bytes, &bytes))
    corrupt("a storage is larger than any memory");
  if (given.size() > 5 && given[5].kind != Kind::none)
    throw Error(ErrorKind::unsupported,
                "a storage is a view of another, which is not read; load and save the file with PyTorch 1.6 "
                "or newer");
  const auto [at, is_new] = storage_of_key_.emplace(key, storages.size());
  if (is_new) {
    take(4);
    storages.push_back(std::move(made));
  } else {
    const TorchStorage& before = storages[at->second];
    if (before.type != made.type || before.items != made.items)
      corrupt(text("storage ", shown(key), " has two types or sizes"));
  }
  return {Kind::storage, static_cast<std::int64_t>(at->second)};
}

void TorchObjects::build(const PickleValue& object) const {
  const bool harmless =
      object.kind == Kind::object ||
      (object.kind == Kind::dict && containers[static_cast<std::size_t>(object.number)].takes_attributes);
  if (!harmless) runs_code("sets the state of what has none");
}

}  // namespace enxerto
