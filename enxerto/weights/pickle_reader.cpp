#include "enxerto/weights/pickle_reader.h"

#include <charconv>
#include <cstring>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t stack_limit = 1'000'000;

enum Opcode : std::uint8_t {
  op_mark = '(',
  op_stop = '.',
  op_pop = '0',
  op_pop_mark = '1',
  op_float = 'F',
  op_int = 'I',
  op_binint = 'J',
  op_binint1 = 'K',
  op_long = 'L',
  op_binint2 = 'M',
  op_none = 'N',
  op_binpersid = 'Q',
  op_reduce = 'R',
  op_binstring = 'T',
  op_short_binstring = 'U',
  op_binunicode = 'X',
  op_append = 'a',
  op_build = 'b',
  op_global = 'c',
  op_empty_dict = '}',
  op_appends = 'e',
  op_binget = 'h',
  op_long_binget = 'j',
  op_empty_list = ']',
  op_binput = 'q',
  op_long_binput = 'r',
  op_setitem = 's',
  op_tuple = 't',
  op_empty_tuple = ')',
  op_setitems = 'u',
  op_binfloat = 'G',
  op_proto = 0x80,
  op_newobj = 0x81,
  op_tuple1 = 0x85,
  op_tuple2 = 0x86,
  op_tuple3 = 0x87,
  op_newtrue = 0x88,
  op_newfalse = 0x89,
  op_long1 = 0x8A,
  op_long4 = 0x8B,
  op_binbytes = 'B',
  op_short_binbytes = 'C',
  op_short_binunicode = 0x8C,
  op_binunicode8 = 0x8D,
  op_binbytes8 = 0x8E,
  op_empty_set = 0x8F,
  op_additems = 0x90,
  op_frozenset = 0x91,
  op_stack_global = 0x93,
  op_memoize = 0x94,
  op_frame = 0x95,
  op_bytearray8 = 0x96,
};

/// The names of pickletools, those of opcodes that are refused included.
std::string opcode_name(std::uint8_t opcode) {
  struct Name {
    std::uint8_t opcode;
    const char* name;
  };
  static constexpr Name names[] = {
      {'(', "MARK"},
      {'.', "STOP"},
      {'0', "POP"},
      {'1', "POP_MARK"},
      {'2', "DUP"},
      {'F', "FLOAT"},
      {'I', "INT"},
      {'J', "BININT"},
      {'K', "BININT1"},
      {'L', "LONG"},
      {'M', "BININT2"},
      {'N', "NONE"},
      {'P', "PERSID"},
      {'Q', "BINPERSID"},
      {'R', "REDUCE"},
      {'S', "STRING"},
      {'T', "BINSTRING"},
      {'U', "SHORT_BINSTRING"},
      {'V', "UNICODE"},
      {'X', "BINUNICODE"},
      {'a', "APPEND"},
      {'b', "BUILD"},
      {'c', "GLOBAL"},
      {'d', "DICT"},
      {'}', "EMPTY_DICT"},
      {'e', "APPENDS"},
      {'g', "GET"},
      {'h', "BINGET"},
      {'i', "INST"},
      {'j', "LONG_BINGET"},
      {'l', "LIST"},
      {']', "EMPTY_LIST"},
      {'o', "OBJ"},
      {'p', "PUT"},
      {'q', "BINPUT"},
      {'r', "LONG_BINPUT"},
      {'s', "SETITEM"},
      {'t', "TUPLE"},
      {')', "EMPTY_TUPLE"},
      {'u', "SETITEMS"},
      {'G', "BINFLOAT"},
      {'B', "BINBYTES"},
      {'C', "SHORT_BINBYTES"},
      {0x80, "PROTO"},
      {0x81, "NEWOBJ"},
      {0x82, "EXT1"},
      {0x83, "EXT2"},
      {0x84, "EXT4"},
      {0x85, "TUPLE1"},
      {0x86, "TUPLE2"},
      {0x87, "TUPLE3"},
      {0x88, "NEWTRUE"},
      {0x89, "NEWFALSE"},
      {0x8A, "LONG1"},
      {0x8B, "LONG4"},
      {0x8C, "SHORT_BINUNICODE"},
      {0x8D, "BINUNICODE8"},
      {0x8E, "BINBYTES8"},
      {0x8F, "EMPTY_SET"},
      {0x90, "ADDITEMS"},
      {0x91, "FROZENSET"},
      {0x92, "NEWOBJ_EX"},
      {0x93, "STACK_GLOBAL"},
      {0x94, "MEMOIZE"},
      {0x95, "FRAME"},
      {0x96, "BYTEARRAY8"},
      {0x97, "NEXT_BUFFER"},
      {0x98, "READONLY_BUFFER"},
  };
  for (const Name& known : names)
    if (known.opcode == opcode) return known.name;
  return text("the unknown opcode ", int{opcode});
}

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorKind::corrupt, what); }

}  // namespace

PickleValue PickleReader::read() {
  stack_.clear();
  memo_.clear();
  marks_.clear();
  while (true) {
    if (at_ == bytes_.size())
      corrupt(text(file_, ": ends within a pickle; the download or copy may have been cut off"));
    const std::size_t begin = at_;
    const std::uint8_t opcode = bytes_[at_++];
    try {
      if (!step(opcode)) return pop();
    } catch (const Error& error) {
      throw Error(error.kind(),
                  text(file_, ": ", opcode_name(opcode), " at byte ", begin, ": ", error.what()));
    }
  }
}

// ---- Bytes of the file.

std::string_view PickleReader::take_bytes(std::uint64_t size) {
  if (size > bytes_.size() - at_)
    corrupt(text("needs ", size, " bytes where ", bytes_.size() - at_, " are left"));
  const std::string_view taken(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
  at_ += size;
  return taken;
}

std::uint64_t PickleReader::take_number(int bytes) {
  std::uint64_t made = 0;
  const std::string_view taken = take_bytes(static_cast<std::uint64_t>(bytes));
  std::memcpy(&made, taken.data(), taken.size());
  return made;
}

std::string_view PickleReader::take_line() {
  constexpr std::size_t longest = 4096;
  const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_);
  const std::size_t end = rest.substr(0, longest).find('\n');
  if (end == std::string_view::npos) corrupt("has no end of line");
  at_ += end + 1;
  return rest.substr(0, end);
}

// ---- The stack.

void PickleReader::push(const PickleValue& value) {
  if (stack_.size() == stack_limit)
    throw Error(ErrorKind::unsupported, "the stack grows beyond a million values");
  stack_.push_back(value);
}

PickleValue PickleReader::pop() {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) corrupt("there is no value to take");
  const PickleValue taken = stack_.back();
  stack_.pop_back();
  return taken;
}

std::vector<PickleValue> PickleReader::pop_to_mark() {
  if (marks_.empty()) corrupt("there is no mark");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue> taken(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return taken;
}

PickleValue& PickleReader::top(Kind kind, const char* what) {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back()) || stack_.back().kind != kind)
    corrupt(text("there is no ", what));
  return stack_.back();
}

void PickleReader::put(std::uint64_t index) {
  // Pickles are numbered one by one, by some writers from 1 on. A larger step would make memory of nothing.
  if (index > memo_.size() + 1)
    corrupt(text("the index ", index, " lies far beyond the ", memo_.size(), " so far"));
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) corrupt("there is no value to keep");
  if (index >= memo_.size()) {
    objects_.take(index + 1 - memo_.size());
    memo_.resize(index + 1, {Kind::leaf});
  }
  memo_[index] = stack_.back();
}

void PickleReader::get(std::uint64_t index) {
  if (index >= memo_.size()) corrupt(text("the index ", index, " was never kept"));
  push(memo_[index]);
}

void PickleReader::push_integer(std::string_view little_endian) {
  std::uint64_t value = 0;
  if (little_endian.size() > sizeof value) return push({Kind::leaf});  // no size is so large
  std::memcpy(&value, little_endian.data(), little_endian.size());
  const auto bits = static_cast<unsigned>(little_endian.size() * 8);
  const bool negative = bits > 0 && bits < 64 && (value >> (bits - 1) & 1) != 0;
  if (negative) value |= ~std::uint64_t{0} << bits;
  push({Kind::integer, static_cast<std::int64_t>(value)});
}

void PickleReader::push_decimal(std::string_view digits) {
  if (digits == "00" || digits == "01") return push({Kind::boolean, digits == "01"});
  if (digits.ends_with('L')) digits.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc::result_out_of_range) return push({Kind::leaf});
  if (code != std::errc() || end != digits.data() + digits.size()) corrupt("is not a number");
  push({Kind::integer, value});
}

void PickleReader::push_tuple(std::size_t size) {
  std::vector<PickleValue> items(size);
  for (std::size_t i = size; i-- > 0;) items[i] = pop();
  push(objects_.make(Kind::tuple, std::move(items)));
}

void PickleReader::push_global(std::string_view module, std::string_view name) {
  push(objects_.global(text(module, ".", name)));
}

// ---- The opcodes.

bool PickleReader::step(std::uint8_t opcode) {
  switch (opcode) {
    case op_stop:
      return false;
    case op_proto:
      if (const std::uint64_t protocol = take_number(1); protocol > 5)
        throw Error(ErrorKind::unsupported, text("protocol ", protocol, "; up to 5 are read"));
      return true;
    case op_frame:
      return take_number(8), true;  // a hint for buffers
    case op_mark:
      if (marks_.size() == stack_limit)
        throw Error(ErrorKind::unsupported, "more than a million marks are open");
      return marks_.push_back(stack_.size()), true;
    case op_pop:
      return pop(), true;
    case op_pop_mark:
      return pop_to_mark(), true;
    case op_global: {
      const std::string_view module = take_line();
      return push_global(module, take_line()), true;
    }
    case op_stack_global: {
      const PickleValue name = pop(), module = pop();
      if (name.kind != Kind::text || module.kind != Kind::text) corrupt("the name is not a text");
      return push_global(module.text, name.text), true;
    }
    case op_reduce:
    case op_newobj: {
      const PickleValue arguments = pop(), function = pop();
      return push(objects_.call(function, arguments)), true;
    }
    case op_build: {
      pop();
      const PickleValue object = pop();
      objects_.build(object);
      return push(object), true;
    }
    case op_binpersid: {
      const PickleValue id = pop();
      return push(objects_.storage(id)), true;
    }
    default:
      break;
  }
  if (step_number(opcode) || step_text(opcode) || step_memo(opcode) || step_container(opcode)) return true;
  throw Error(ErrorKind::unsupported,
              "the opcode does not belong to what PyTorch writes for tensors and containers; the file holds "
              "something "
              "else, or is hostile. Save the weights alone in Python, torch.save(model.state_dict(), "
              "\"weights.pt\"), "
              "or as safetensors");
}

bool PickleReader::step_number(std::uint8_t opcode) {
  switch (opcode) {
    case op_none:
      return push({Kind::none}), true;
    case op_newtrue:
      return push({Kind::boolean, 1}), true;
    case op_newfalse:
      return push({Kind::boolean, 0}), true;
    case op_int:
    case op_long:
      return push_decimal(take_line()), true;
    case op_float:
      return take_line(), push({Kind::leaf}), true;
    case op_binfloat:
      return take_bytes(8), push({Kind::leaf}), true;
    case op_binint:
      return push_integer(take_bytes(4)), true;
    case op_binint1:
      return push({Kind::integer, static_cast<std::int64_t>(take_number(1))}), true;
    case op_binint2:
      return push({Kind::integer, static_cast<std::int64_t>(take_number(2))}), true;
    case op_long1:
      return push_integer(take_bytes(take_number(1))), true;
    case op_long4:
      return push_integer(take_bytes(take_number(4))), true;
    default:
      return false;
  }
}

bool PickleReader::step_text(std::uint8_t opcode) {
  const auto push_text = [&](int bytes) {
    push({Kind::text, 0, take_bytes(take_number(bytes))});
    return true;
  };
  switch (opcode) {
    case op_short_binstring:
    case op_short_binunicode:
      return push_text(1);
    case op_binstring:
    case op_binunicode:
      return push_text(4);
    case op_binunicode8:
      return push_text(8);
    case op_short_binbytes:
      return take_bytes(take_number(1)), push({Kind::leaf}), true;
    case op_binbytes:
      return take_bytes(take_number(4)), push({Kind::leaf}), true;
    case op_binbytes8:
    case op_bytearray8:
      return take_bytes(take_number(8)), push({Kind::leaf}), true;
    default:
      return false;
  }
}

bool PickleReader::step_memo(std::uint8_t opcode) {
  switch (opcode) {
    case op_binput:
      return put(take_number(1)), true;
    case op_long_binput:
      return put(take_number(4)), true;
    case op_memoize:
      return put(memo_.size()), true;
    case op_binget:
      return get(take_number(1)), true;
    case op_long_binget:
      return get(take_number(4)), true;
    default:
      return false;
  }
}

bool PickleReader::step_container(std::uint8_t opcode) {
  const auto extend = [&](Kind kind, const char* what, const std::vector<PickleValue>& values) {
    std::vector<PickleValue>& items = objects_.items(top(kind, what));
    if (kind == Kind::dict && values.size() % 2 != 0) corrupt("a key has no value");
    objects_.take(values.size());
    items.insert(items.end(), values.begin(), values.end());
    return true;
  };
  switch (opcode) {
    case op_empty_tuple:
      return push_tuple(0), true;
    case op_tuple1:
      return push_tuple(1), true;
    case op_tuple2:
      return push_tuple(2), true;
    case op_tuple3:
      return push_tuple(3), true;
    case op_tuple:
      return push(objects_.make(Kind::tuple, pop_to_mark())), true;
    case op_empty_list:
      return push(objects_.make(Kind::list)), true;
    case op_empty_dict:
      return push(objects_.make(Kind::dict)), true;
    // A set has no order in which its tensors could be named: its members are kept as a list's.
    case op_empty_set:
      return push(objects_.make(Kind::list)), true;
    case op_frozenset:
      return push(objects_.make(Kind::list, pop_to_mark())), true;
    case op_append:
      return extend(Kind::list, "list", {pop()});
    case op_appends:
    case op_additems: {
      const auto values = pop_to_mark();
      return extend(Kind::list, "list", values);
    }
    case op_setitem: {
      const PickleValue value = pop(), key = pop();
      return extend(Kind::dict, "dictionary", {key, value});
    }
    case op_setitems: {
      const auto values = pop_to_mark();
      return extend(Kind::dict, "dictionary", values);
    }
    default:
      return false;
  }
}

}  // namespace enxerto
