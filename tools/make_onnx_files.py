#!/usr/bin/env python3
"""Makes the ONNX files in tests/files/onnx/ and sketches of what onnxruntime computes from them (expected.json).

    python3 tools/make_onnx_files.py

Needs onnx, onnxruntime and numpy. Each file has one picture as input and one output for each case of an operator;
its name ends in the version of the operator set. The picture is a function of the file's name, by the hash that
tests/onnx/onnx_test.cpp has as well. Run twice it writes the same bytes.
"""
import json
import pathlib

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from hashed import sketch, uniform

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "files" / "onnx"
PICTURE = [1, 4, 5, 6]
onnxruntime.set_default_logger_severity(3)


class File:
    """One ONNX file while it is made."""

    def __init__(self, name, opset, shape=None):
        self.name, self.opset = f"{name}_{opset}", opset
        self.shape = shape or [1 if opset < 7 else "n", *PICTURE[1:]]  # the converter of old files wants numbers
        self.nodes, self.tensors, self.outputs = [], {}, []
        self.random = np.random.RandomState(sum(self.name.encode()))

    def weights(self, *dims, name=None, low=-1.0, high=1.0):
        return self.constant(self.random.uniform(low, high, dims).astype(np.float32), name)

    def constant(self, value, name=None):
        name = name or f"constant{len(self.tensors)}"
        self.tensors[name] = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.array(value), name)
        return name

    def floats(self, *values):
        return self.constant(np.array(values, np.float32))

    def wholes(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op, *inputs, outputs=1, name=None, **attributes):
        names = [f"value{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def give(self, value):
        self.outputs.append(value)

    def case(self, op, *inputs, **attributes):
        self.give(self.node(op, *inputs, **attributes))

    def model(self):
        def info(name, shape):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(self.nodes, self.name, [info("x", self.shape)],
                                  [info(name, None) for name in self.outputs], list(self.tensors.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="make_onnx_files")
        model.ir_version = 8
        helper.set_model_props(model, {"maker": "make_onnx_files.py"})
        return model

    def picture(self):
        shape = [size if isinstance(size, int) else 1 for size in self.shape]
        return (4 * uniform(self.name, int(np.prod(shape)))).reshape(shape)


def run(model, picture):
    if model.opset_import[0].version < 7:  # onnxruntime takes no older files
        model = onnx.version_converter.convert_version(model, 7)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": picture})


def convolutions(opset):
    f = File("convolutions", opset)
    f.case("Conv", "x", f.weights(3, 4, 3, 3, name="features.0.weight"), f.weights(3, name="features.0.bias"), name="/c0/Conv")
    f.case("Conv", "x", f.weights(4, 1, 3, 3), group=4, pads=[1, 1, 1, 1], name="depthwise")
    f.case("Conv", "x", f.weights(2, 2, 2, 2), group=2, dilations=[2, 3], kernel_shape=[2, 2])
    f.case("Conv", "x", f.weights(2, 4, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2])
    f.case("Conv", "x", f.weights(2, 4, 2, 4), auto_pad="SAME_LOWER", strides=[2, 1])
    f.case("Conv", "x", f.weights(2, 4, 3, 3), auto_pad="VALID", strides=[2, 2])
    f.case("Conv", "x", f.weights(2, 4, 3, 3), pads=[0, 1, 2, 0])
    c = f.node("Conv", "x", f.weights(2, 4, 1, 1), name="with_shift")
    f.case("Add", c, f.weights(2, 1, 1))
    both = f.node("Conv", "x", f.weights(2, 4, 1, 1), name="read_twice")
    f.case("Add", both, f.weights(1, 2, 1, 1))
    f.case("Relu", both)
    w = f.node("Constant", value=numpy_helper.from_array(f.random.uniform(-1, 1, (2, 4, 1, 1)).astype(np.float32)))
    f.case("Conv", "x", w, name="weight_of_a_node")
    typed = helper.make_tensor("typed.weight", TensorProto.FLOAT, [1, 4, 1, 1], [0.5, -1, 0.25, 2])
    f.case("Conv", "x", f.constant(typed, "typed.weight"))
    half = numpy_helper.from_array(f.random.uniform(-1, 1, (1, 4, 1, 1)).astype(np.float16), "half")
    f.case("Conv", "x", f.node("Cast", f.constant(half, "half"), to=TensorProto.FLOAT))
    return f


def rows(opset):
    f = File("rows", opset, ["n", 3, 8])
    c = f.node("Conv", "x", f.weights(4, 3, 3), f.weights(4), pads=[1, 2], strides=[2])
    f.give(c)
    f.case("MaxPool", c, kernel_shape=[2], strides=[2])
    f.case("AveragePool", c, kernel_shape=[3], pads=[1, 0])
    f.case("GlobalAveragePool", c)
    f.case("BatchNormalization", c, f.weights(4), f.weights(4), f.weights(4), f.weights(4, low=0.5))
    f.case("Pad", c, f.wholes(0, 0, 1, 0, 0, 2))
    return f


def matrices(opset):
    f = File("matrices", opset)
    flat = f.node("Flatten", "x")
    f.case("Gemm", flat, f.weights(3, 120, name="classifier.1.weight"), f.weights(3, name="classifier.1.bias"), transB=1)
    f.case("Gemm", flat, f.weights(120, 3), f.floats(2.0), alpha=0.5, beta=0.25)
    if opset >= 11:
        f.case("Gemm", flat, f.weights(120, 2), name="no_bias")
    m = f.node("MatMul", flat, f.weights(120, 3), name="matmul")
    f.case("Add", f.weights(3), m)
    f.case("MatMul", "x", f.weights(6, 3), name="over_rows")
    r = f.node("Reshape", "x", f.wholes(0, 4, -1))
    m = f.node("MatMul", r, f.weights(30, 5), name="over_rows_3")
    f.case("Add", m, f.weights(5))
    pooled = f.node("Flatten", f.node("GlobalAveragePool", "x"))
    f.case("Gemm", pooled, f.weights(2, 4), f.weights(1, 2), transB=1, name="pooled")
    return f


def statistics(opset):
    f = File("statistics", opset)
    def numbers(bn):
        return [f.weights(4, name=f"{bn}.weight"), f.weights(4), f.weights(4), f.weights(4, low=0.5)]
    extra = {"is_test": 1} if opset < 7 else {}
    f.case("BatchNormalization", "x", *numbers("bn1"), epsilon=1e-3, momentum=0.99, **extra)
    f.case("BatchNormalization", f.node("GlobalAveragePool", "x"), *numbers("bn2"), **extra)
    f.case("LRN", "x", size=3, alpha=0.5, beta=0.7, bias=2.0)
    f.case("LRN", "x", size=5)
    f.case("Dropout", f.node("Tanh", "x"), **({"ratio": 0.3} if opset < 12 else {}), **extra)
    if opset >= 12:
        f.case("Dropout", f.node("Relu", "x"), f.constant(np.float32(0.25)))
    return f


def activations(opset):
    f = File("activations", opset)
    for op in ["Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Exp", "Neg"]:
        f.case(op, "x")
    f.case("LeakyRelu", "x", alpha=0.2)
    f.case("HardSigmoid", "x", alpha=1 / 6, beta=0.5)
    f.case("PRelu", "x", f.floats(0.3))
    none = np.finfo(np.float32).max
    def clip(value, low, high):
        if opset < 11:
            return f.node("Clip", value, **({} if low is None else {"min": low}), **({} if high is None else {"max": high}))
        def number(value):
            return "" if value is None else f.constant(np.float32(value))
        return f.node("Clip", value, number(low), number(high))
    for low, high in [(0.0, 6.0), (0.0, none), (0.0, None), (-1.0, 1.0), (None, 1.5), (-0.5, None), (0.0, 1.0)]:
        f.give(clip("x", low, high))
    if opset >= 14:
        f.case("HardSwish", "x")
    f.case("Mul", "x", f.node("Sigmoid", "x"))
    f.case("Mul", f.node("HardSigmoid", "x", alpha=1 / 6, beta=0.5), "x")
    three, six = f.floats(3), f.floats(6)
    spread = {"broadcast": 1} if opset < 7 else {}
    def shifted():
        return clip(f.node("Add", "x", three, **spread), 0.0, 6.0)
    f.case("Div", shifted(), six, **spread)
    f.case("Mul", "x", f.node("Div", shifted(), six, **spread))
    f.case("Div", f.node("Mul", "x", shifted()), six, **spread)
    f.case("Mul", f.node("Mul", "x", shifted()), f.floats(1 / 6), **spread)
    if opset >= 13:
        for axis in [1, -1, 2, 0]:
            f.case("Softmax", "x", axis=axis)
        f.case("Softmax", "x")
    else:
        for axis in [1, 2, 3]:
            f.case("Softmax", "x", axis=axis)
        f.case("Softmax", f.node("Flatten", "x"))
    turned = f.node("Transpose", "x", perm=[0, 2, 3, 1])
    f.case("Transpose", f.node("Softmax", turned, axis=3), perm=[0, 3, 1, 2])
    f.case("Transpose", f.node("Relu", turned), perm=[0, 3, 1, 2])
    return f


def pools(opset):
    f = File("pools", opset)
    f.case("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2])
    f.case("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    f.case("MaxPool", "x", kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[2, 2])
    f.case("MaxPool", "x", kernel_shape=[2, 2], auto_pad="SAME_LOWER")
    f.case("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    f.case("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 0, 1, 1], count_include_pad=1)
    f.case("AveragePool", "x", kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[2, 2])
    if opset >= 10:
        f.case("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
        f.case("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2])
        f.case("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    f.case("GlobalAveragePool", "x")
    f.case("GlobalMaxPool", "x")
    def reduce(op, axes, since, **attributes):
        if opset >= since:
            return f.node(op, "x", f.wholes(*axes), **attributes)
        return f.node(op, "x", axes=axes, **attributes)
    f.give(reduce("ReduceMean", [2, 3], 18))
    f.give(reduce("ReduceMean", [-1, -2], 18, keepdims=0))
    f.give(reduce("ReduceMean", [1], 18))
    f.give(reduce("ReduceMean", [3], 18, keepdims=0))
    f.give(reduce("ReduceMax", [2], 18))
    f.give(reduce("ReduceSum", [1, 3], 13))
    f.case("ReduceMean", "x")
    return f


def arithmetic(opset, translated=False):
    f = File("arithmetic", opset)
    r, t = f.node("Relu", "x"), f.node("Tanh", "x")
    f.case("Add", r, t)
    f.case("Sub", r, t)
    f.case("Mul", r, t)
    f.case("Mul", "x", "x")
    f.case("Sum", r, t, "x")
    if opset < 7:
        # The converter cannot translate an axis: what it should mean is written beside it.
        f.case("Add", "x", f.weights(*([4, 1, 1] if translated else [4])), **({} if translated else {"broadcast": 1, "axis": 1}))
        f.case("Mul", "x", f.weights(6), **({} if translated else {"broadcast": 1}))
        f.case("Sub", "x", f.weights(*([4, 5, 1] if translated else [4, 5])), **({} if translated else {"broadcast": 1, "axis": 1}))
        if translated:
            f.opset = 7
        return f
    for op in ["Add", "Sub", "Mul", "Div"]:
        f.case(op, "x", f.floats(2.5))
        f.case(op, "x", f.weights(4, 1, 1, low=0.5))
        f.case(op, "x", f.weights(1, 4, 1, 1, low=0.5))
        f.case(op, "x", f.weights(5, 6, low=0.5))
        f.case(op, "x", f.weights(1, 4, 5, 6, low=0.5))
    f.case("Sub", f.weights(4, 1, 1), "x")
    f.case("Sub", f.floats(1), "x")
    f.case("Mul", f.weights(5, 1), f.node("Transpose", "x", perm=[0, 3, 2, 1]))
    f.case("Add", f.node("Mul", "x", f.weights(4, 1, 1)), f.weights(4, 1, 1))
    gate = f.node("Sigmoid", f.node("GlobalAveragePool", "x"))
    f.case("Mul", "x", gate)
    f.case("Mul", gate, "x")
    f.case("Add", "x", gate)
    f.case("Sub", gate, "x")
    if opset < 18:
        f.case("Mul", "x", f.node("Sigmoid", f.node("ReduceMean", "x", axes=[1])))
        f.case("Add", "x", f.node("ReduceMean", "x", axes=[2]))
    f.case("Add", f.node("GlobalAveragePool", "x"), f.weights(4, 2, 3))
    # Squeeze-and-excitation as PyTorch writes it.
    s = f.node("GlobalAveragePool", "x")
    s = f.node("Relu", f.node("Conv", s, f.weights(2, 4, 1, 1, name="fc1.weight"), f.weights(2, name="fc1.bias")))
    s = f.node("HardSigmoid", f.node("Conv", s, f.weights(4, 2, 1, 1, name="fc2.weight"), f.weights(4, name="fc2.bias")), alpha=1 / 6)
    f.case("Mul", s, "x")
    return f


def moves(opset):
    f = File("moves", opset)
    f.case("Transpose", "x", perm=[0, 2, 3, 1])
    f.case("Transpose", "x", perm=[0, 1, 3, 2])
    f.case("Flatten", "x", axis=2)
    f.case("Identity", "x")
    f.case("Reshape", "x", f.wholes(0, 2, -1, 6))
    f.case("Reshape", f.node("Transpose", "x", perm=[0, 3, 1, 2]), f.wholes(1, -1))
    # ShuffleNet's channel shuffle.
    s = f.node("Transpose", f.node("Reshape", "x", f.wholes(0, 2, 2, 5, 6)), perm=[0, 2, 1, 3, 4])
    shuffled = f.node("Reshape", s, f.wholes(0, 4, 5, 6))
    f.give(shuffled)
    def slice_(value, starts, ends, axes, steps=None):
        if opset < 10:
            return f.node("Slice", value, starts=starts, ends=ends, axes=axes)
        return f.node("Slice", value, f.wholes(*starts), f.wholes(*ends), f.wholes(*axes), *([f.wholes(*steps)] if steps else []))
    f.give(slice_(shuffled, [1], [3], [1]))
    f.give(slice_("x", [1, 2], [4, 2**62], [2, 3]))
    f.give(slice_("x", [-3], [-1], [-1]))
    if opset >= 10:
        parts = [slice_(slice_("x", [y], [2**62], [2], [2]), [z], [2**62], [3], [2]) for y in (0, 1) for z in (0, 1)]
        f.case("Concat", *[slice_(part, [0], [2], [2]) for part in parts], axis=1)  # the focus of YOLO
        f.give(slice_("x", [-1], [-2**62], [1], [-1]))
        f.give(slice_("x", [4], [0], [2], [-2]))
    a, b = f.node("Relu", "x"), f.node("Neg", "x")
    for axis in [1, 2, 3, -1]:
        f.case("Concat", a, b, "x", axis=axis)
    def split(parts, axis):
        if opset < 13:
            return f.node("Split", "x", outputs=len(parts), split=parts, axis=axis)
        return f.node("Split", "x", f.wholes(*parts), outputs=len(parts), axis=axis)
    low, high = split([1, 3], 1)
    f.case("Concat", high, low, axis=1)
    f.give(split([2, 1, 2], 2)[1])
    if opset >= 18:
        f.give(f.node("Split", "x", outputs=2, axis=2, num_outputs=2)[1])
    else:
        f.give(f.node("Split", "x", outputs=3, axis=3)[2])
    f.case("Gather", "x", f.constant(np.array(1, np.int64)), axis=2)
    f.case("Gather", "x", f.wholes(0, 2), axis=1)
    f.case("Gather", "x", f.wholes(2, 1, 0), axis=1)
    f.case("Gather", "x", f.constant(np.array([[0, -1], [1, 1]], np.int64)), axis=3)
    def axes(op, value, *numbers):
        return f.node(op, value, axes=list(numbers)) if opset < 13 else f.node(op, value, f.wholes(*numbers))
    u = axes("Unsqueeze", "x", 2, 5)
    f.give(u)
    f.give(axes("Squeeze", u, 2))
    if opset >= 8:
        f.case("Expand", f.node("GlobalAveragePool", "x"), f.wholes(1, 4, 2, 3))
    f.case("Tile", "x", f.wholes(1, 2, 1, 2))
    f.case("DepthToSpace", "x", blocksize=2)
    if opset >= 11:
        f.case("DepthToSpace", "x", blocksize=2, mode="CRD")
    f.case("SpaceToDepth", slice_("x", [0], [4], [2]), blocksize=2)
    return f


def resizes(opset):
    f = File("resizes", opset)
    if opset < 9:
        f.case("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0], mode="nearest")
    elif opset < 10:
        f.case("Upsample", "x", f.floats(1, 1, 2, 2), mode="nearest")
    elif opset < 11:
        f.case("Resize", "x", f.floats(1, 1, 2, 2), mode="nearest")
    else:
        roi = f.constant(np.zeros(0, np.float32))
        def resize(scales, coordinates, nearest):
            f.case("Resize", "x", roi, f.floats(*scales), mode="nearest", coordinate_transformation_mode=coordinates,
                   nearest_mode=nearest)
        resize([1, 1, 2, 2], "asymmetric", "floor")
        resize([1, 1, 3, 2], "half_pixel", "round_prefer_floor")
        resize([1, 1, 2, 2], "asymmetric", "round_prefer_floor")
        resize([1, 1, 4, 3], "half_pixel", "round_prefer_ceil")
        resize([1, 1, 2, 1], "pytorch_half_pixel", "round_prefer_floor")
        f.case("Resize", "x", roi, roi if opset < 13 else "", f.wholes(1, 4, 10, 12), mode="nearest", coordinate_transformation_mode="asymmetric",
               nearest_mode="floor")
        # 8 / (16 / 6) is 3 in float and just below it in double.
        f.case("Resize", "x", roi, roi if opset < 13 else "", f.wholes(1, 4, 5, 16), mode="nearest", coordinate_transformation_mode="asymmetric",
               nearest_mode="floor")
        up = f.node("Resize", "x", roi, f.floats(1, 1, 2, 2), mode="nearest", coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor")
        f.case("Resize", up, roi, f.floats(1, 1, 0.5, 0.5), mode="nearest", coordinate_transformation_mode="asymmetric",
               nearest_mode="floor")
        f.case("Concat", up, f.node("Relu", up), axis=1)
    f.case("Conv", f.nodes[0].output[0], f.weights(2, 4, 3, 3), pads=[1, 1, 1, 1])
    return f


def paddings(opset):
    f = File("paddings", opset)
    def pad(value, pads, axes=None):
        if opset < 11:
            return f.node("Pad", value, pads=pads)
        return f.node("Pad", value, f.wholes(*pads), f.constant(np.float32(0)), *([f.wholes(*axes)] if axes else []))
    f.give(pad("x", [0, 0, 1, 2, 0, 0, 0, 1]))
    padded = pad("x", [0, 0, 0, 1, 0, 0, 1, 1])
    f.case("Conv", padded, f.weights(2, 4, 3, 3), strides=[2, 2], name="padded_conv")
    f.case("AveragePool", pad("x", [0, 0, 1, 1, 0, 0, 1, 1]), kernel_shape=[3, 3], strides=[2, 2])
    f.case("MaxPool", pad("x", [0, 0, 1, 1, 0, 0, 0, 0]), kernel_shape=[2, 2], strides=[2, 2])
    f.give(pad("x", [0] * 8))
    f.give(pad("x", [0, 1, 0, 0, 0, 2, 0, 0]))
    f.give(pad("x", [0, 0, -1, 1, 0, 0, -1, 0]))
    if opset >= 18:
        f.give(pad("x", [1, 2], [-1]))
    return f


def shapes(opset):
    """Sizes computed in the graph, as PyTorch exports view(), interpolate() and expand()."""
    f = File("shapes", opset)
    def axes(op, value, *numbers):
        return f.node(op, value, axes=list(numbers)) if opset < 13 else f.node(op, value, f.wholes(*numbers))
    def size(value, i):
        return f.node("Gather", f.node("Shape", value), f.constant(np.array(i, np.int64)), axis=0)
    def listed(*values):
        return f.node("Concat", *[axes("Unsqueeze", value, 0) for value in values], axis=0)
    n = size("x", 0)
    minus_one = f.node("Constant", value=helper.make_tensor("", TensorProto.INT64, [], [-1]))
    f.case("Reshape", "x", listed(n, minus_one))
    half = f.node("Div", size("x", 1), f.constant(np.array(2, np.int64)))
    f.case("Reshape", "x", listed(n, f.constant(np.array(2, np.int64)), half, size("x", 2), size("x", 3)))
    doubled = f.node("Cast", f.node("Floor", f.node("Mul", f.node("Cast", size("x", 2), to=TensorProto.FLOAT),
                                                  f.constant(np.float32(2)))), to=TensorProto.INT64)
    wide = f.node("Mul", size("x", 3), f.constant(np.array(2, np.int64)))
    if opset >= 11:
        kept = f.node("Slice", f.node("Shape", "x"), f.wholes(0), f.wholes(2), f.wholes(0))
        sizes = f.node("Concat", kept, listed(doubled, wide), axis=0)
        f.case("Resize", "x", f.constant(np.zeros(0, np.float32)), f.constant(np.zeros(0, np.float32)) if opset < 13 else "", sizes,
               mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    if opset >= 9:
        wanted = listed(n, f.constant(np.array(-1, np.int64)), size("x", 2), size("x", 3))
        ones = f.node("ConstantOfShape", f.node("Shape", wanted), value=helper.make_tensor("", TensorProto.INT64, [1], [1]))
        minus = f.node("Mul", ones, minus_one)
        f.case("Expand", f.node("GlobalAveragePool", "x"), f.node("Where", f.node("Equal", wanted, minus), ones, wanted))
    if opset >= 11:
        zero, one = f.constant(np.array(0, np.int64)), f.constant(np.array(1, np.int64))
        grid = f.node("Cast", f.node("Range", zero, size("x", 3), one), to=TensorProto.FLOAT)
        f.case("Add", "x", f.node("Mul", grid, f.constant(np.float32(0.5))))
    return f


def outputs(opset):
    f = File("outputs", opset)
    c = f.node("Conv", "x", f.weights(3, 4, 1, 1, name="backbone.conv.weight"), name="conv")
    f.give(c)  # the other outputs need this one: it cannot be the last node
    r = f.node("Relu", c)
    f.give(f.node("GlobalAveragePool", r))
    f.give(f.node("Identity", c))
    f.case("MatMul", "x", f.weights(6, 2))
    return f


def channels_last(opset):
    """As tf2onnx writes Keras's networks: the picture is {n, h, w, c}."""
    f = File("channels_last", opset, ["n", 6, 5, 3])
    t = f.node("Transpose", "x", perm=[0, 3, 1, 2])
    c = f.node("Relu", f.node("Conv", t, f.weights(4, 3, 3, 3), f.weights(4), auto_pad="SAME_UPPER", strides=[2, 2]))
    f.case("Transpose", c, perm=[0, 2, 3, 1])
    f.case("Flatten", f.node("Transpose", f.node("MaxPool", c, kernel_shape=[2, 2]), perm=[0, 2, 3, 1]))
    f.give(f.node("Mul", "x", f.floats(0.5)))
    return f


FILES = {
    convolutions: [7, 11, 21],
    rows: [11],
    matrices: [7, 9, 13],
    statistics: [6, 7, 9, 14, 15],
    activations: [6, 10, 11, 13, 14],
    pools: [7, 10, 13, 18],
    arithmetic: [6, 7, 14],
    moves: [7, 10, 11, 13, 18],
    resizes: [7, 9, 10, 11, 13, 18],
    paddings: [7, 11, 18],
    shapes: [7, 9, 11, 13],
    outputs: [13],
    channels_last: [13],
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {}
    for make, opsets in FILES.items():
        for opset in opsets:
            file = make(opset)
            model = file.model()
            print(file.name, len(file.outputs))
            values = run(arithmetic(6, True).model() if file.name == "arithmetic_6" else model, file.picture())
            onnx.save(model, FOLDER / f"{file.name}.onnx")
            expected[file.name] = {
                name: [int(value.size), *sketch(value)] for name, value in zip(file.outputs, values)
            }
    lines = [f'"{name}": {json.dumps(values, separators=(",", ":"))}' for name, values in expected.items()]
    (FOLDER / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
