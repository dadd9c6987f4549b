/// One ONNX graph becoming ours: what each value is, and the helpers of the operators. For this folder only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "enxerto/interop/onnx_builder.h"
#include "enxerto/interop/onnx_constant.h"
#include "enxerto/interop/onnx_file.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/interop/onnx_view.h"

namespace enxerto::onnx {

/// What is known of a value of the file at one picture: its numbers, or the node and the view that make it;
/// neither where an operator before it could not be taken.
struct Value {
  ConstantPtr constant{};
  std::string origin{};  ///< the initialiser that the constant is, whatever moved it since
  int node = -1;
  Strided view{};

  bool is_traced() const { return node >= 0; }
  bool is_known() const { return constant != nullptr || is_traced(); }
  Sizes dims() const { return constant != nullptr ? constant->dims : dims_of(view); }
};
Value constant_value(Constant constant, std::string origin = {});

/// Thrown where a node is sound but not something that we can take; the import goes on to find all others.
struct Refused {
  std::string why;
};

class Importer;

/// One node of the file: its attributes and inputs, checked as they are asked for. Asking throws
/// Error{corrupt} where the file breaks a rule, Refused where it keeps them all and we still cannot follow.
class Call {
 public:
  Call(Importer& importer, const NodeProto& proto);

  const std::string& op() const { return proto_.op_type(); }
  const std::string& name() const { return name_; }  ///< what its node should be called
  void call_after(const Value& weight);              ///< X where the weight is the initialiser X.weight
  std::int64_t opset() const;
  Builder& builder() const;
  Budget& budget() const;
  [[noreturn]] void fail(const std::string& what) const;   ///< the file is wrong
  [[noreturn]] void refuse(const std::string& why) const;  ///< we cannot

  bool has_attribute(std::string_view name) const { return find(name) != nullptr; }
  std::int64_t whole(std::string_view name, std::int64_t otherwise) const;
  float number(std::string_view name, float otherwise) const;
  Sizes wholes(std::string_view name) const;  ///< empty where it is absent
  std::vector<float> numbers(std::string_view name) const;
  std::string string(std::string_view name, const std::string& otherwise) const;
  const TensorProto& tensor(std::string_view name) const;

  int inputs() const { return proto_.input_size(); }
  bool has(int i) const { return i < inputs() && !proto_.input(i).empty(); }
  const Value& in(int i) const;
  const Value& traced(int i) const;       ///< refuses a constant
  const Constant& constant(int i) const;  ///< refuses what is not
  Sizes constant_wholes(int i) const;     ///< the same, of integers
  std::vector<float> constant_floats(int i) const;
  /// The axes of an attribute, or of input i from the operator set `since` on; whether there are any.
  std::optional<Sizes> axes(std::string_view attribute, int i, std::int64_t since) const;
  const std::string& input_name(int i) const { return proto_.input(i); }
  /// Whether this node alone reads a value of the file, and the file does not give it away.
  bool is_only_reader_of(const std::string& value) const;

  int outputs() const { return proto_.output_size(); }
  const std::string& output_name(int i) const { return proto_.output(i); }
  void refuse_other_outputs() const;  ///< refuses where somebody reads more than the first
  void give(Value value) const { give(0, std::move(value)); }
  void give(int i, Value value) const;
  /// A node's output as it is: dims {1, c, h, w}, without the last ones where `rank` is less.
  void give_node(int node, std::size_t rank) const;

 private:
  const AttributeProto* find(std::string_view name) const;
  const AttributeProto* find(std::string_view name, AttributeProto::AttributeType type) const;

  Importer& importer_;
  const NodeProto& proto_;
  std::string name_;
};

// ---- Helpers of operators, in onnx_values.cpp.

/// An axis as files count it, -1 the last one. Throws what call.fail() does where there is no such one.
std::size_t axis_of(const Call& call, std::int64_t axis, std::size_t rank);
/// The value as a node of this shape, its elements in order.
int arranged(const Call& call, const Value& value, const Shape& target);
/// A node for an operation on each element, and how its output is to be seen: the value's own node and view
/// where the view has every element once, else a new node in order.
Value for_elements(const Call& call, const Value& value);
/// The value with this view on its numbers.
Value moved(const Call& call, const Value& value, const Strided& view);
Value in_order(const Call& call, const Value& value);  ///< a traced one whose view is plain
Value reshaped(const Call& call, const Value& value, const Sizes& dims);
Value permuted(const Call& call, const Value& value, const std::vector<std::size_t>& order);
Value indexed(const Call& call, const Value& value, std::size_t axis, const Sizes& indices);
Value sliced(const Call& call, const Value& value, std::size_t axis, std::int64_t start, std::int64_t count,
             std::int64_t step);
Value concatenated(const Call& call, const std::vector<Value>& values, std::size_t axis);
/// NumPy's rule; call.fail() where the sizes do not fit.
Sizes broadcast_dims(const Call& call, const Sizes& a, const Sizes& b);
Value broadcast(const Call& call, const Value& value, const Sizes& dims);
/// The axis first (the batch's before it), so that it becomes the channels; and the way back.
struct ChannelsFirst {
  std::vector<std::size_t> order, back;
};
ChannelsFirst channels_first(const Sizes& dims, std::size_t axis);
/// x * weight + bias with one number each, frozen.
int scaled(const Call& call, int node, float weight, float bias, const std::string& suffix);
/// x * weight + bias where one of the two may be empty.
Value affine(const Call& call, const Value& x, const Value* weight, const Value* bias);

// ---- The operators. Each table ends with the files that define it: onnx_fold.cpp, onnx_move.cpp,
// onnx_layers.cpp, onnx_elements.cpp.

using Operator = void (*)(Call&);
/// Null where the operator is not known.
Operator find_fold(std::string_view op);      ///< on constants alone
Operator find_move(std::string_view op);      ///< data movement, on constants too
Operator find_layer(std::string_view op);     ///< windows, matrices, statistics
Operator find_elements(std::string_view op);  ///< element by element

// ----

class Importer {
 public:
  Importer(ModelProto model, std::string file, const OnnxOptions& options, std::int64_t file_bytes);
  OnnxModel run();

 private:
  friend class Call;

  struct Trouble {
    std::string op, node, why;
  };

  [[noreturn]] void fail(const std::string& what) const;
  void index_graph();
  void find_needed();
  void make_input();
  Value input_value(const ValueInfoProto& input, Shape& image) const;
  void take(const NodeProto& proto);
  void run_operator(Call& call, const NodeProto& proto);
  void refuse_all() const;
  const Value& value(const std::string& name);
  OnnxModel finish();

  ModelProto model_;
  std::string file_;
  OnnxOptions options_;
  Budget budget_;
  std::int64_t opset_ = 1;
  std::unordered_map<std::string, TensorProto*> initializers_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<std::string, int> producer_;  ///< the node that makes a value
  std::unordered_map<std::string, int> readers_;   ///< of a value, the file itself counted
  std::vector<bool> needed_;
  std::optional<Builder> builder_;
  std::vector<Trouble> troubles_;
};

}  // namespace enxerto::onnx
