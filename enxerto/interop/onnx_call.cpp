// One node of an ONNX file: attributes, inputs and outputs.
#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"

namespace enxerto::onnx {
namespace {

std::string wanted_name(const NodeProto& proto) {
  if (!proto.name().empty()) return proto.name();
  return proto.output_size() > 0 ? proto.output(0) : proto.op_type();
}

}  // namespace

Value constant_value(Constant constant, std::string origin) {
  return {.constant = std::make_shared<const Constant>(std::move(constant)), .origin = std::move(origin)};
}

Call::Call(Importer& importer, const NodeProto& proto)
    : importer_(importer), proto_(proto), name_(wanted_name(proto)) {}

void Call::call_after(const Value& weight) {
  constexpr std::string_view ending = ".weight";
  if (weight.origin.size() > ending.size() && weight.origin.ends_with(ending))
    name_ = weight.origin.substr(0, weight.origin.size() - ending.size());
}

std::int64_t Call::opset() const { return importer_.opset_; }
Builder& Call::builder() const { return *importer_.builder_; }
Budget& Call::budget() const { return importer_.budget_; }

void Call::fail(const std::string& what) const {
  throw Error(ErrorKind::corrupt, text(importer_.file_, ": node \"", shown(wanted_name(proto_)), "\" (",
                                       shown(op()), "): ", what));
}

void Call::refuse(const std::string& why) const { throw Refused{why}; }

const AttributeProto* Call::find(std::string_view name) const {
  const auto found = std::ranges::find(proto_.attribute(), name, &AttributeProto::name);
  return found == proto_.attribute().end() ? nullptr : &*found;
}

const AttributeProto* Call::find(std::string_view name, AttributeProto::AttributeType type) const {
  const AttributeProto* found = find(name);
  // Files of the format's first version leave the type out.
  if (found != nullptr && found->has_type() && found->type() != AttributeProto::UNDEFINED &&
      found->type() != type)
    fail(text("its attribute ", name, " is of the wrong type"));
  return found;
}

std::int64_t Call::whole(std::string_view name, std::int64_t otherwise) const {
  const AttributeProto* found = find(name, AttributeProto::INT);
  return found == nullptr ? otherwise : found->i();
}

float Call::number(std::string_view name, float otherwise) const {
  const AttributeProto* found = find(name, AttributeProto::FLOAT);
  return found == nullptr ? otherwise : found->f();
}

Sizes Call::wholes(std::string_view name) const {
  const AttributeProto* found = find(name, AttributeProto::INTS);
  return found == nullptr ? Sizes() : Sizes(found->ints().begin(), found->ints().end());
}

std::vector<float> Call::numbers(std::string_view name) const {
  const AttributeProto* found = find(name, AttributeProto::FLOATS);
  return found == nullptr ? std::vector<float>()
                          : std::vector<float>(found->floats().begin(), found->floats().end());
}

std::string Call::string(std::string_view name, const std::string& otherwise) const {
  const AttributeProto* found = find(name, AttributeProto::STRING);
  return found == nullptr ? otherwise : found->s();
}

const TensorProto& Call::tensor(std::string_view name) const {
  const AttributeProto* found = find(name, AttributeProto::TENSOR);
  if (found == nullptr || !found->has_t()) fail(text("its attribute ", name, " is missing"));
  return found->t();
}

const Value& Call::in(int i) const {
  if (!has(i)) fail(text("its input ", i, " is missing"));
  return importer_.value(proto_.input(i));
}

const Value& Call::traced(int i) const {
  const Value& value = in(i);
  if (!value.is_traced()) refuse(text("its input ", i, " is a constant"));
  return value;
}

const Constant& Call::constant(int i) const {
  const Value& value = in(i);
  if (value.constant == nullptr) refuse(text("its input ", i, " depends on the picture"));
  return *value.constant;
}

Sizes Call::constant_wholes(int i) const {
  const Constant& found = constant(i);
  if (!found.whole && found.count() > 0) fail(text("its input ", i, " should be of integers"));
  budget().charge(found.count() + 1);  // each node that reads a constant makes a copy
  return found.ints;
}

std::vector<float> Call::constant_floats(int i) const {
  const Constant& found = constant(i);
  budget().charge(found.count() + 1);
  return found.as_floats();
}

std::optional<Sizes> Call::axes(std::string_view attribute, int i, std::int64_t since) const {
  if (opset() >= since && has(i)) return constant_wholes(i);
  if (has_attribute(attribute)) return wholes(attribute);
  return std::nullopt;
}

bool Call::is_only_reader_of(const std::string& value) const {
  if (value.empty() || std::ranges::find(proto_.input(), value) == proto_.input().end()) return false;
  const auto found = importer_.readers_.find(value);
  return found != importer_.readers_.end() && found->second == 1;
}

void Call::refuse_other_outputs() const {
  for (int i = 1; i < outputs(); ++i)
    if (importer_.readers_.contains(output_name(i))) refuse(text("its output ", i, " is used"));
}

void Call::give(int i, Value value) const {
  if (i >= outputs()) fail("it has too few outputs");
  if (output_name(i).empty()) return;
  if (value.is_traced() && count_of(value.dims()) == 0) refuse("a value without elements comes out");
  importer_.values_[output_name(i)] = std::move(value);
}

void Call::give_node(int node, std::size_t rank) const {
  const Shape& out = builder().draft(node).out;
  Sizes dims = {1, out.c, out.h, out.w};
  if (rank == 3) dims = {1, out.c, out.w};
  if (rank == 2) dims = {1, out.c};
  builder().draft(node).output = output_name(0);
  give({.node = node, .view = plain(dims)});
}

}  // namespace enxerto::onnx
