#!/usr/bin/env python3
"""How good grafts are: accuracy with its 95 % interval, by backbone, recipe and set of photographs.

usage: transfer_table.py ENXERTO DATA [--recipes probe,warmup+finetune] [--sets NAME,...] [--epochs N] [--bf16]
                         [--out FILE.json]
  ENXERTO  the command
  DATA     the developers' data: DATA/photos/SET, DATA/weights
A backbone may also be the path of a model file.

Each cell is `enxerto fit DATA/photos/SET --weights FILE --recipe R --test-fraction 0.2`, judged on the test pictures,
which nothing was chosen by (hymenoptera: on its own val, by which the temperature is chosen, but no class changes).
Prints a table in Markdown.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

BACKBONES = {
    "MobileNetV2 1.0": "onnx/mobilenet_v2_1_0_imagenet.onnx",
    "ResNet-50 to res4f": "safetensors/resnet50_imagenet_caffe_conv1_to_res4f_fp16.safetensors",
    "SqueezeNet 1.1": "safetensors/squeezenet1_1_imagenet.safetensors",
    "MobileNetV1 0.25": "safetensors/mobilenet_v1_0.25_224_imagenet.safetensors",
    "MobileNetV1 1.0": "onnx/mobilenet_v1_1_0_imagenet.onnx",
    "MobileNetV3 large minimalistic": "onnx/mobilenet_v3_large_minimalistic_imagenet.onnx",
    "builtin": None,  # the network in the box
}
USUAL = ["MobileNetV2 1.0", "ResNet-50 to res4f", "SqueezeNet 1.1"]
SETS = ["hymenoptera", "flowers5", "trashnet6", "vehicles6", "clothing10"]


def cell(result):
    low, high = result["top1_interval"]
    return f"{100 * result['top1']:.1f} % ({100 * low:.0f} to {100 * high:.0f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("enxerto")
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipes", default="probe")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--backbones", default=",".join(USUAL), help=", ".join(BACKBONES))
    parser.add_argument("--epochs", type=int, help="of recipes that train (as many as fit thinks right)")
    parser.add_argument("--bf16", action="store_true", help="recipes that train do it in bfloat16")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    sets, results = arguments.sets.split(","), []
    for backbone in arguments.backbones.split(","):
        file = BACKBONES.get(backbone, backbone)
        weights = "builtin" if file is None else arguments.data / "weights" / file
        for recipe in arguments.recipes.split(","):
            for photos in sets:
                with tempfile.TemporaryDirectory() as folder:
                    own_val = photos == "hymenoptera"
                    command = [arguments.enxerto, "fit", arguments.data / "photos" / photos, "--weights", weights,
                               "--recipe", recipe, "--out", Path(folder) / "run", "--json"] + ([] if own_val else ["--test-fraction", "0.2"])
                    if arguments.epochs and recipe != "probe":
                        command += ["--epochs", arguments.epochs]
                    if arguments.bf16 and recipe != "probe":
                        command.append("--bf16")
                    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
                    if done.returncode != 0:
                        raise SystemExit(done.stderr)
                    told = json.loads(done.stdout)
                    results.append({"backbone": backbone, "recipe": recipe, "set": photos,
                                    **{key: told["val" if own_val else "test"][key]
                                       for key in ("n", "top1", "top1_interval", "macro_f1")}})
                print(f"{backbone}, {recipe}, {photos}: {cell(results[-1])}", file=sys.stderr)
                if arguments.out:  # after each cell, some of which take long
                    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print("| backbone | recipe | " + " | ".join(sets) + " |\n|---|---|" + "---|" * len(sets))
    for i in range(0, len(results), len(sets)):
        print(f"| {results[i]['backbone']} | {results[i]['recipe']} | " + " | ".join(map(cell, results[i:i + len(sets)])) + " |")


if __name__ == "__main__":
    main()
