#!/usr/bin/env python3
"""Makes tests/files/keras: small models in Keras's own files, and what Keras computes with them.

usage: KERAS_BACKEND=torch python tools/make_keras_files.py [--applications FOLDER]
Needs Keras 3, PyTorch (CPU) and h5py; nothing of the project or of its tests does. The files of old versions of Keras
are rewritten from new ones as those versions laid them out, since only Keras 3 is at hand.
With --applications makes keras.applications' MobileNets instead, with random weights, for a look on one's own machine.
"""
import json
import os
import sys
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
import h5py
import keras
import numpy as np
from keras import layers as L

OUT = Path(__file__).resolve().parent.parent / "tests/files/keras"


def picture(c, h, w):
    """Number i in the order c, h, w; the tests compute the same."""
    i = np.arange(c * h * w, dtype=np.int64)
    return ((i * 7919 % 251) / 125.0 - 1.0).astype(np.float32).reshape(c, h, w)


def randomize(model, seed=1):
    """Weights such that nothing is at its start, and that variances are positive."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name, shape = variable.path.split("/")[-1], tuple(variable.shape)
        if "seed" in variable.path or name == "count":
            continue
        values = rng.normal(0, 0.3, shape)
        if "variance" in name or name == "gamma":
            values = rng.uniform(0.5, 1.5, shape)
        elif "kernel" in name:
            fan = max(1, int(np.prod(shape[:-1])) if "depthwise" not in name else shape[0] * shape[1])
            values = rng.normal(0, 1.2 / np.sqrt(fan), shape)
        variable.assign(values.astype(np.float32))


def expected(model, size=None):
    shape = model.input_shape[1:] if size is None else size
    if len(shape) == 1:
        x = picture(shape[0], 1, 1).reshape(1, -1)
    else:
        x = picture(shape[2], shape[0], shape[1]).transpose(1, 2, 0)[None]
    y = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)), dtype=np.float64)[0]
    if y.ndim == 3:
        y = y.transpose(2, 0, 1)
    return {"input": [int(s) for s in shape], "output": [float(f"{v:.8g}") for v in y.reshape(-1)]}


def plain():
    return keras.Sequential([
        keras.Input((9, 8, 3)),
        L.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="conv"),
        L.BatchNormalization(name="norm", momentum=0.9, epsilon=1e-2),
        L.MaxPooling2D(2, padding="same", name="pool"),
        L.Flatten(name="flat"),
        L.BatchNormalization(name="flat_norm"),
        L.Dropout(0.3, name="drop"),
        L.Dense(5, activation="tanh", name="hidden"),
        L.Dense(4, name="logits"),
        L.Softmax(name="softmax"),
    ], name="plain")


def every_layer():
    x = image = keras.Input((12, 10, 3), name="image")
    x = L.RandomFlip(name="flip")(x)
    x = L.Rescaling(1 / 127.5, offset=-1, name="rescale")(x)
    x = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 0.7, 0.9], name="normalize")(x)
    x = L.ZeroPadding2D(((0, 1), (1, 2)), name="pad")(x)
    x = L.Conv2D(8, (3, 2), strides=(2, 1), use_bias=False, name="conv")(x)
    x = L.BatchNormalization(scale=False, name="no_gamma")(x)
    x = L.ReLU(max_value=6, name="relu_six")(x)
    x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="swish", name="depthwise")(x)
    x = L.BatchNormalization(center=False, name="no_beta")(x)
    x = L.SeparableConv2D(6, 3, padding="same", depth_multiplier=2, activation="sigmoid",
                          name="separable")(x)
    side = L.Conv2D(6, 3, padding="same", dilation_rate=2, groups=2, activation="hard_silu", name="grouped")(x)
    x = L.Add(name="add_three")([x, side, x])
    x = L.LeakyReLU(negative_slope=0.2, name="leaky")(x)
    squeezed = L.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    squeezed = L.Conv2D(6, 1, activation="hard_sigmoid", name="excite")(squeezed)
    x = L.Multiply(name="weigh")([squeezed, x])
    x = L.Concatenate(name="concat")([x, L.AveragePooling2D(3, strides=1, padding="same", name="mean")(x)])
    padded = L.ZeroPadding2D(1, name="pad_twice")(x)
    x = L.Add(name="add_again")([L.MaxPooling2D(3, strides=2, name="most")(padded),
                                L.AveragePooling2D(3, strides=2, name="mean_of_padded")(padded)])
    x = L.Activation("relu", name="relu")(x)
    x = L.ReLU(max_value=1, name="relu1")(x)
    x = L.SpatialDropout2D(0.1, name="spatial")(x)
    x = L.GaussianNoise(0.1, name="noise")(x)
    x = L.UpSampling2D((2, 1), name="up")(x)
    x = L.Cropping2D(((1, 0), (0, 1)), name="crop")(x)
    x = x * keras.ops.relu6(x + 3.0) * (1.0 / 6.0)
    x = (x - 0.25) / 2.0
    x = 1.0 - x
    x = L.Dense(5, activation="exponential", name="dense_on_map")(x)
    x = L.Reshape((-1, 1, 5), name="reshape_map")(x)
    x = L.Reshape((-1,), name="reshape_vector")(x)
    a = L.Dense(4, activation="linear", name="dense")(x)
    b = L.Flatten(name="flat")(L.GlobalMaxPooling2D(keepdims=True, name="global_most")(side))
    b = L.Dense(4, use_bias=False, activation="softmax", name="dense_b")(b)
    x = L.Concatenate(name="both")([a, b])
    x = L.Activation("silu", name="last")(x)
    return keras.Model(image, x, name="every_layer")


def flattened_output():
    """Vectors in Keras's order that meet layers which care about it."""
    image = keras.Input((3, 4, 2))
    x = L.Conv2D(3, 2, name="conv")(image)
    flat = L.Flatten(name="flat")(x)
    both = L.Concatenate(name="both")([flat, L.GlobalAveragePooling2D(name="mean")(x)])
    x = L.Reshape((1, 3, 7), name="again")(both)
    x = L.Conv2D(2, 1, activation="relu", name="conv2")(x)
    return keras.Model(image, L.Flatten(name="out")(x))


def nested():
    base = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3, padding="same", activation="relu"),
                             L.BatchNormalization(), L.Conv2D(5, 3, strides=2)], name="base")
    base.trainable = False
    inner_in = keras.Input((3, 3, 5))
    y = L.Conv2D(4, 1, name="conv2d")(inner_in)
    inner = keras.Model(inner_in, L.Add()([y, L.Conv2D(4, 1, name="second")(inner_in)]), name="inner")
    outer_in = keras.Input((3, 3, 5))
    outer = keras.Model(outer_in, L.BatchNormalization(name="norm")(inner(outer_in)), name="outer")
    image = keras.Input((8, 8, 3))
    x = base(L.Rescaling(2.0)(image))
    x = outer(x)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(image, L.Dense(3, name="head")(L.Dropout(0.2)(x)))


def adapted():
    model = keras.Sequential([keras.Input((4, 4, 3)), L.Normalization(name="normalize"), L.Conv2D(2, 3, name="conv"),
                              L.Flatten(), L.Dense(2, name="dense")])
    model.layers[0].adapt(np.random.default_rng(3).normal(2, 3, (20, 4, 4, 3)).astype(np.float32))
    return model


def open_size():
    return keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(4, 3, strides=2, padding="same", name="conv"),
                             L.GlobalAveragePooling2D(), L.Dense(2, name="dense")])


def vector():
    return keras.Sequential([keras.Input((7,)), L.Dense(5, activation="relu", name="a"),
                             L.BatchNormalization(name="b"), L.Dense(3, name="c")])


def keras2_weights(model, path):
    """A weight file as Keras 2 wrote it: fixed-length names that end in ":0", here with filters and other types."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([l.name.encode() for l in model.layers])
        file.attrs["backend"] = np.bytes_(b"tensorflow")
        file.attrs["keras_version"] = np.bytes_(b"2.10.0")
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = []
            for number, variable in enumerate(layer.weights):
                name = f"{layer.name}/{variable.path.split('/')[-1]}:0"
                names.append(name.encode())
                value = keras.ops.convert_to_numpy(variable)
                filters = {"chunks": value.shape, "compression": "gzip", "shuffle": True, "fletcher32": True}
                group.create_dataset(name, data=value.astype([np.float32, np.float64][number % 2]),
                                     **(filters if value.size > 8 else {}))
            group.attrs["weight_names"] = np.array(names) if names else np.array([])


def keras213_archive(source, path):
    """The archive of Keras 2.13: groups below _layer_checkpoint_dependencies, numbered with gaps, and lists of calls."""
    with zipfile.ZipFile(source) as old:
        config = json.loads(old.read("config.json"))
        weights = Path(path).with_suffix(".tmp.h5")
        weights.write_bytes(old.read("model.weights.h5"))
    for layer in config["config"]["layers"]:
        shape = layer["config"].pop("batch_shape", None)
        if shape is not None:
            layer["config"]["batch_input_shape"] = shape
    with h5py.File(weights, "r") as old, h5py.File(str(weights) + "2", "w") as new:
        for name, group in old["layers"].items():
            kind, _, number = name.rpartition("_")
            renamed = f"{kind}_{2 * int(number)}" if number.isdigit() else name
            old.copy(group, new, f"_layer_checkpoint_dependencies/{renamed}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("metadata.json", json.dumps({"keras_version": "2.13.1"}))
        made.writestr("config.json", json.dumps(config))
        made.write(str(weights) + "2", "model.weights.h5")
    weights.unlink()
    Path(str(weights) + "2").unlink()


def keras2_functional(path):
    """A whole model with the structure and the operators as Keras 2.10 wrote them, MobileNetV3's hard swish included."""
    model = keras.Sequential([keras.Input((5, 5, 2), name="input_1"), L.Conv2D(3, 3, name="conv"),
                              L.DepthwiseConv2D(2, name="dw"), L.Dense(4, name="dense")])
    randomize(model, 5)

    def node(name, kind, inputs, config, kwargs=None):
        if kwargs is not None:
            calls = [[inputs[0], 0, 0, kwargs]] if isinstance(inputs[0], str) else inputs
        else:
            calls = [[[i, 0, 0, {}] for i in inputs]] if inputs else []
        return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": calls}

    conv = {"filters": 3, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "activation": "linear",
            "dilation_rate": [1, 1], "groups": 1, "use_bias": True, "data_format": "channels_last"}
    depthwise = {"kernel_size": [2, 2], "strides": [1, 1], "padding": "valid", "activation": "linear",
                 "depth_multiplier": 1, "use_bias": True, "data_format": "channels_last"}
    layers = [
        node("input_1", "InputLayer", [], {"batch_input_shape": [None, 5, 5, 2]}),
        node("conv", "Conv2D", ["input_1"], conv),
        node("tf.__operators__.add", "TFOpLambda", ["conv"], {"function": "__operators__.add"},
             {"y": 3.0, "name": None}),
        node("re_lu", "ReLU", ["tf.__operators__.add"], {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}),
        node("tf.math.multiply", "TFOpLambda", ["re_lu"], {"function": "math.multiply"},
             {"y": 0.16666666666666666, "name": None}),
        node("multiply", "Multiply", ["conv", "tf.math.multiply"], {}),
        node("tf.math.add", "TFOpLambda", [], {"function": "math.add"}),
        node("dw", "DepthwiseConv2D", ["tf.math.add"], depthwise),
        node("hard", "Activation", ["dw"], {"activation": "hard_sigmoid"}),
        node("flatten", "Flatten", ["hard"], {"data_format": "channels_last"}),
        node("dense", "Dense", ["flatten"], {"units": 4, "activation": "softmax", "use_bias": True}),
    ]
    layers[6]["inbound_nodes"] = [["multiply", 0, 0, {"y": ["conv", 0, 0], "name": None}]]
    for layer in layers[2:3] + layers[4:5]:
        layer["inbound_nodes"] = [layer["inbound_nodes"][0]]
    config = {"class_name": "Functional", "config": {"name": "old", "layers": layers,
                                                      "input_layers": [["input_1", 0, 0]],
                                                      "output_layers": [["dense", 0, 0]]}}
    rng = np.random.default_rng(6)
    dense = rng.normal(0, 0.5, (12, 4)).astype(np.float32), rng.normal(0, 0.5, 4).astype(np.float32)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.10.0"
        root = file.create_group("model_weights")
        names = ["conv", "dw", "dense"]
        root.attrs["layer_names"] = np.array([n.encode() for n in names])
        values = {n: [keras.ops.convert_to_numpy(v) for v in model.get_layer(n).weights] for n in ("conv", "dw")}
        values["dense"] = dense
        for name in names:
            group = root.create_group(name)
            kernel = "depthwise_kernel" if name == "dw" else "kernel"
            group.attrs["weight_names"] = np.array([f"{name}/{kernel}:0".encode(), f"{name}/bias:0".encode()])
            group[f"{name}/{kernel}:0"], group[f"{name}/bias:0"] = values[name]

    x = picture(2, 5, 5).transpose(1, 2, 0)[None]
    conv_out = keras.ops.convert_to_numpy(model.get_layer("conv")(x)).astype(np.float64)
    y = conv_out * np.clip(conv_out + 3, 0, 6) / 6 + conv_out
    y = keras.ops.convert_to_numpy(model.get_layer("dw")(y.astype(np.float32))).astype(np.float64)
    y = np.clip(0.2 * y + 0.5, 0, 1).reshape(-1)
    y = y @ dense[0].astype(np.float64) + dense[1]
    y = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
    return {"input": [5, 5, 2], "output": [float(f"{v:.8g}") for v in y]}


def main():
    keras.utils.set_random_seed(1)
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*"):
        old.unlink()
    answers = {}

    def save(model, *names, size=None, keep=False):
        if not keep:
            randomize(model)
        for name in names:
            model.save(OUT / name)
            answers[name] = expected(model, size)
        return model

    first = save(plain(), "plain.h5", "plain.keras")
    first.save_weights(OUT / "plain.weights.h5")
    keras2_weights(first, OUT / "plain_keras2_weights.h5")
    keras213_archive(OUT / "plain.keras", OUT / "plain_keras213.keras")
    answers["plain_keras213.keras"] = answers["plain.keras"]
    save(every_layer(), "every_layer.h5", "every_layer.keras")
    save(flattened_output(), "flattened.keras")
    save(nested(), "nested.h5", "nested.keras")
    save(adapted(), "adapted.h5", "adapted.keras", keep=True)
    save(open_size(), "open_size.keras", size=(11, 7, 3))
    save(vector(), "vector.keras")
    answers["keras2_functional.h5"] = keras2_functional(OUT / "keras2_functional.h5")
    (OUT / "expected.json").write_text(json.dumps(answers, indent=0) + "\n")
    print(sum(f.stat().st_size for f in OUT.iterdir()), "bytes")


def applications(folder):
    """keras.applications with random weights: too large to keep."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = {}
    made = {
        "mobilenet": lambda: keras.applications.MobileNet((96, 96, 3), alpha=0.25, weights=None, classes=3, classifier_activation=None),
        "mobilenet_v2": lambda: keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=3, classifier_activation=None),
        "mobilenet_v3_small": lambda: keras.applications.MobileNetV3Small((96, 96, 3), weights=None, classes=3, classifier_activation=None),
        "mobilenet_v3_small_minimalistic": lambda: keras.applications.MobileNetV3Small(
            (96, 96, 3), minimalistic=True, weights=None, classes=3, classifier_activation=None),
        "efficientnet_b0": lambda: keras.applications.EfficientNetB0(input_shape=(64, 64, 3), weights=None, classes=3, classifier_activation=None),
        "resnet50": lambda: keras.applications.ResNet50(input_shape=(64, 64, 3), weights=None, classes=3, classifier_activation=None),
        "vgg16": lambda: keras.applications.VGG16(input_shape=(32, 32, 3), weights=None, classes=3, classifier_activation=None),
        "densenet121": lambda: keras.applications.DenseNet121(input_shape=(64, 64, 3), weights=None, classes=3, classifier_activation=None),
        "xception": lambda: keras.applications.Xception(input_shape=(96, 96, 3), weights=None, classes=3, classifier_activation=None),
        "inception_v3": lambda: keras.applications.InceptionV3(input_shape=(96, 96, 3), weights=None, classes=3, classifier_activation=None),
    }
    for name, make in made.items():
        keras.utils.set_random_seed(1)
        model = make()
        randomize(model)
        for ending in (".keras", ".h5"):
            model.save(folder / (name + ending))
            answers[name + ending] = expected(model)
        print(name, answers[name + ".keras"], flush=True)
    (folder / "expected.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--applications":
        applications(Path(sys.argv[2]))
    else:
        main()
