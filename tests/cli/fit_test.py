#!/usr/bin/env python3
"""`enxerto extract` and `enxerto fit` as scripts and people meet them, on a small network that the demo trains.

usage: fit_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import time
import zlib

import on_demo
from on_demo import ENVIRONMENT, Case, command, enxerto

KILLS = 20
WORK = None  # on_demo's


def setUpModule():
    global WORK
    WORK = on_demo.WORK
    on_demo.make_demo()


def floats(path):
    """The values of a float32 .npy file, and its header."""
    content = (WORK / path).read_bytes()
    length = struct.unpack("<H", content[8:10])[0]
    values = content[10 + length:]
    return content[10:10 + length].decode(), struct.unpack(f"<{len(values) // 4}f", values)


def write_png(path, width, height, rgb):
    """A colour picture, rows of RGB bytes."""
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Extract(Case):
    def test_features_and_labels_are_written_and_found_again(self):
        kept = ["--weights", "demo", "--feature-cache", "own", "--json"]
        first = enxerto("extract", "demo/data", *kept, "--out", "x.npy", "--labels", "y.npy")
        self.check(first, 0)
        told = json.loads(first.stdout)
        header, values = floats("x.npy")
        self.assertIn(f"({told['n']}, {told['features']})", header)
        self.assertEqual(len(values), told["n"] * told["features"])
        self.assertEqual(told["computed"], told["n"])
        again = json.loads(enxerto("extract", "demo/data", *kept, "--out", "again.npy").stdout)
        self.assertEqual(again["computed"], 0)
        self.assertEqual((WORK / "x.npy").read_bytes(), (WORK / "again.npy").read_bytes())
        # What is computed without a cache has the same bits.
        self.check(enxerto("extract", "demo/data", "--weights", "demo", "--out", "plain.npy", "--no-feature-cache"), 0)
        self.assertEqual((WORK / "x.npy").read_bytes(), (WORK / "plain.npy").read_bytes())

    def test_a_head_learns_from_them(self):
        for split in ("train", "test"):
            self.check(enxerto("extract", "demo/data", "--weights", "demo", "--split", split, "--out", f"{split}.npy",
                               "--labels", f"{split}_y.npy"), 0, f"{split}_y.npy: 0 circle, 1 cross")
        result = enxerto("head", "train.npy", "train_y.npy", "--head", "logistic", "--test", "test.npy", "test_y.npy",
                         "--json")
        self.check(result, 0)
        self.assertGreater(json.loads(result.stdout)["test_accuracy"], 0.8)

    def test_only_a_changed_file_is_computed(self):
        shutil.copytree(WORK / "demo/data/val", WORK / "some/train")
        told = lambda: json.loads(enxerto("extract", "some", "--weights", "demo", "--out", "s.npy", "--json").stdout)
        told()
        pictures = sorted((WORK / "some/train/cross").iterdir())
        shutil.copy(WORK / "demo/data/train/cross" / sorted(os.listdir(WORK / "demo/data/train/cross"))[0], pictures[0])
        pictures[1].rename(pictures[1].with_name("renamed.png"))
        self.assertLessEqual(told()["computed"], 1)

    def test_other_formats(self):
        for name, start in (("x.csv", "path,label,f0"), ("x.svm", "0 "), ("x.safetensors", "")):
            self.check(enxerto("extract", "demo/data", "--weights", "demo", "--split", "val", "--out", name), 0, name)
            self.assertTrue((WORK / name).read_bytes().startswith(start.encode()), name)

    def test_data_without_a_train_split(self):
        shutil.copytree(WORK / "demo/data/test", WORK / "only/test")
        told = self.told("extract", "only", "--weights", "demo", "--split", "test", "--out", "only.npy")
        self.assertEqual(told["n"], len(list((WORK / "only").rglob("*.png"))))
        self.check_error(enxerto("extract", "only", "--weights", "demo", "--split", "train", "--out", "none.npy"), 3, "no train split")

    def test_errors_say_what_is_wrong(self):
        names = sorted(path.relative_to(WORK) for path in (WORK / "demo/data/train").rglob("*.png"))
        (WORK / "listed.csv").write_text("path,label\n" + "".join(f"{name},{name.parent.name}\n" for name in names))
        for code, texts, *arguments in (
                (2, ["--out"], "demo/data", "--weights", "demo"),
                (2, [".safetensors"], "demo/data", "--weights", "demo", "--out", "e.parquet"),
                (2, ["in use already"], "demo/data", "--weights", "demo", "--out", "e.npy", "--labels", "./e.npy"),
                (2, ["in use already"], "listed.csv", "--weights", "demo", "--out", "listed.csv"),
                (2, ["in use already"], "demo/data", "--weights", "demo/model.safetensors", "--out", "demo/model.safetensors"),
                (2, ["no folder missing"], "demo/data", "--weights", "demo", "--out", "missing/e.npy"),
                (3, ["nowhere"], "nowhere", "--weights", "demo", "--out", "e.npy"),
                (3, ["nowhere"], "demo/data", "--weights", "nowhere", "--out", "e.npy"),
                (3, ["no layer \"nothing\""], "demo/data", "--weights", "demo", "--cut", "nothing", "--out", "e.npy")):
            self.check_error(enxerto("extract", *arguments), code, *texts)


class Fit(Case):
    def test_a_probe_is_a_model_like_any_other(self):
        result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--out", "probe", "--json")
        self.check(result, 0)
        told = json.loads(result.stdout)
        for key in ("run", "epochs", "seconds", "images_per_second", "peak_memory_bytes", "val", "test"):
            self.assertIn(key, told)
        self.assertGreater(told["test"]["top1"], 0.8)
        self.assertEqual(told["transfer"]["layers"]["frozen"], told["transfer"]["layers"]["frozen_same"])
        evaluated = json.loads(enxerto("evaluate", "probe", "demo/data", "--split", "val", "--json").stdout)
        self.assertEqual(evaluated["confusion"], told["val"]["confusion"])
        self.assertAlmostEqual(evaluated["loss"], told["val"]["loss"], 4)
        self.check(enxerto("predict", "probe", sorted((WORK / "demo/data/test/cross").iterdir())[0]), 0, "cross")
        self.check(enxerto("convert", "probe", "probe.onnx"), 0)
        self.assertTrue((WORK / "probe/report.html").exists())

    def test_recipes_train_what_they_say(self):
        for recipe in ("warmup+finetune", "finetune", "scratch"):
            out = "run_" + recipe.replace("+", "_")
            result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", recipe, "--epochs", 3, "--out", out,
                             "--json")
            self.check(result, 0)
            told = json.loads(result.stdout)
            self.assertEqual(told["epochs"], 3)
            layers = told["transfer"]["layers"]
            self.assertEqual(layers["frozen"], layers["frozen_same"])
            self.assertTrue(all(layer["moved"] is None or layer["moved"] > 0 for layer in layers["trained"]) or recipe == "warmup+finetune")
            self.check(enxerto("evaluate", out, "demo/data"), 0, "top-1")

    def test_heads_that_are_no_layer_become_part_of_a_model_too(self):
        picture = sorted((WORK / "demo/data/test/cross").iterdir())[0]
        for split in ("train", "test"):
            self.check(enxerto("extract", "demo/data", "--weights", "demo", "--split", split, "--out", f"of_{split}.npy",
                               "--labels", f"of_{split}_y.npy"), 0)
        for head, more in (("knn", []), ("tree", []), ("forest", ["--pca", 4])):
            out = f"probe_{head}"
            result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--head", head, *more, "--out",
                             out, "--json")
            self.check(result, 0)
            told = json.loads(result.stdout)
            alone = json.loads(enxerto("head", "of_train.npy", "of_train_y.npy", "--head", head, *more, "--test",
                                       "of_test.npy", "of_test_y.npy", "--json").stdout)
            self.assertAlmostEqual(told["test"]["top1"], alone["test_accuracy"], 6, head)
            layers = told["transfer"]["layers"]
            self.assertEqual((layers["frozen"], layers["trained"]), (layers["frozen_same"], []))
            self.assertGreater(layers["frozen"], 0)
            self.assertFalse((WORK / out / "checkpoint.safetensors").exists())
            for split in ("val", "test"):
                evaluated = json.loads(enxerto("evaluate", out, "demo/data", "--split", split, "--json").stdout)
                self.assertEqual(evaluated["confusion"], told[split]["confusion"], head)
                self.assertAlmostEqual(evaluated["loss"], told[split]["loss"], 3, head)
            predicted = json.loads(enxerto("predict", out, picture, "--json").stdout)
            self.assertAlmostEqual(sum(each["probability"] for each in predicted["top"]), 1, 4)
            self.check(enxerto("summary", out), 0, f"Head:          {head}")
            self.assertEqual(json.loads(enxerto("summary", out, "--json").stdout)["head"]["kind"], head)
            self.check(enxerto("preprocess", out, picture, "--out", "prepared.npy"), 0)
            self.check(enxerto("report", out), 0)
            self.check_error(enxerto("convert", out, "no.onnx"), 3, f"its head is {head}")
            self.assertFalse((WORK / "no.onnx").exists())
            copy = f"copy_{head}.safetensors"
            self.check(enxerto("convert", out, copy), 0)
            self.assertEqual(json.loads(enxerto("predict", copy, picture, "--json").stdout), predicted)
        # And a backbone, or a start, like any other.
        self.check(enxerto("fit", "demo/data", "--weights", "probe_forest", "--recipe", "probe", "--out", "on_forest"), 0)
        self.check(enxerto("train", "demo/data", "--weights", "probe_forest", "--epochs", 1, "--out", "after_forest"), 0,
                   "starts anew")
        self.check_error(enxerto("fit", "--resume", "probe_nothing"), 3, "no run in it")
        log = (WORK / "probe_knn/log.jsonl").read_bytes()
        self.check(enxerto("fit", "--resume", "probe_knn"), 0, "ended already")
        self.check_error(enxerto("train", "--resume", "probe_knn"), 2, "is a run of fit")
        self.assertEqual((WORK / "probe_knn/log.jsonl").read_bytes(), log)

    def test_a_model_says_unknown(self):
        result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--out", "knows", "--json")
        self.check(result, 0)
        unknown = json.loads(result.stdout)["transfer"]["unknown"]
        self.assertGreaterEqual(unknown["val"]["coverage"], 0.95)
        self.assertNotIn("by_distance", unknown["val"])  # the test pictures have the curves
        for order in ("by_distance", "by_confidence"):
            curve = unknown["test"][order]["curve"]
            self.assertEqual(len(curve), min(20, unknown["test"]["n"]))
            self.assertEqual(curve[-1][0], 1)
            self.assertEqual([each[0] for each in curve], sorted(each[0] for each in curve))
        evaluated = json.loads(enxerto("evaluate", "knows", "demo/data", "--split", "test", "--json").stdout)["unknown"]
        self.assertEqual(evaluated["threshold"], unknown["threshold"])
        self.assertAlmostEqual(evaluated["coverage"], unknown["test"]["coverage"], 6)
        self.check(enxerto("evaluate", "knows", "demo/data"), 0, "answers")
        # Stripes are none of the shapes, whatever the network would call them.
        (WORK / "stripes").mkdir(exist_ok=True)
        write_png(WORK / "stripes/stripes.png", 64, 64,
                  bytes(255 * (x // 2 % 2) for _ in range(64) for x in range(64) for _ in range(3)))
        line = json.loads(enxerto("predict", "knows", "stripes", "--json").stdout)
        self.assertTrue(line["unknown"])
        self.assertGreater(line["distance"], unknown["threshold"])
        for key in ("file", "class", "probability", "top"):
            self.assertIn(key, line)
        self.check(enxerto("predict", "knows", "stripes"), 0, "  unknown ")
        plain = enxerto("predict", "knows", "stripes", "--no-unknown")
        self.check(plain, 0)
        self.assertNotIn("unknown", plain.stdout)
        self.assertNotIn("unknown", json.loads(enxerto("predict", "knows", "stripes", "--no-unknown", "--json").stdout))
        pictures = WORK / "demo/data/val"
        told = [json.loads(each) for each in enxerto("predict", "knows", *sorted(pictures.iterdir()), "--json").stdout.splitlines()]
        self.assertLessEqual(sum(each["unknown"] for each in told) / len(told), 0.05)
        self.check(enxerto("summary", "knows"), 0, "Unknown:       beyond distance")
        self.check(enxerto("convert", "knows", "knows.onnx"), 0, "stays behind")

    def test_a_run_that_has_ended_is_left_as_it_is_by_a_resume(self):
        self.check(enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "finetune", "--epochs", 2, "--out", "ended"), 0)
        before = (WORK / "ended/model.safetensors").read_bytes()
        self.assertIn(b"enxerto.unknown", before[:200000])
        self.check(enxerto("fit", "--resume", "ended"), 0, "ended already")
        self.assertEqual((WORK / "ended/model.safetensors").read_bytes(), before)

    def test_a_probe_that_cannot_end_leaves_no_run(self):
        (WORK / "cache_is_a_file").write_text("")
        arguments = ["fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--out", "later"]
        self.check_error(enxerto(*arguments, "--feature-cache", "cache_is_a_file"), 2, "cache_is_a_file")
        self.assertFalse((WORK / "later").exists())
        full = subprocess.run(command(arguments), cwd=WORK, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
        self.check(full, 1, "later/")
        self.assertFalse((WORK / "later").exists())
        self.check(enxerto(*arguments), 0)

    def test_the_head_of_a_warmup_is_logistic_whatever_a_probe_would_have(self):
        result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "warmup+finetune", "--head", "svm", "--epochs", 2,
                         "--half", "--class-weights", "balanced", "--out", "warm", "--json")
        self.check(result, 0)
        config = json.loads((WORK / "warm/config.json").read_text())
        self.assertTrue(config["transfer"]["half"])
        self.assertEqual(len(config["training"]["loss"]["class_weights"]), 2)
        begins = []
        for head in ("logistic", "knn"):
            shown = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "warmup+finetune", "--head", head, "--epochs", 1,
                            "--out", f"warm_{head}")
            self.check(shown, 0, "by cross-validation")
            begins.append((WORK / f"warm_{head}/start.safetensors").read_bytes())
        self.assertIn("knn is for a probe", shown.stdout)
        self.assertEqual(json.loads((WORK / "warm_knn/config.json").read_text())["transfer"]["head"], "logistic")
        self.assertEqual(*begins)

    def test_a_probe_learns_from_views_where_it_is_asked_to(self):
        result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--flip", "--views", 3, "--out", "views",
                         "--json")
        self.check(result, 0)
        told = json.loads(result.stdout)["transfer"]
        pictures = {split: len(list((WORK / "demo/data" / split).rglob("*.png"))) for split in ("train", "val")}
        self.assertEqual(told["rows"], 3 * pictures["train"] + pictures["val"])
        self.check_error(enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--flip", "--views", 0, "--out",
                                 "no_views", "--quiet"), 2, "--views 0")

    def test_bfloat16_and_the_last_blocks(self):
        result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "finetune", "--blocks", 1, "--epochs", 2, "--out",
                         "blocks", "--json")
        self.check(result, 0)
        layers = json.loads(result.stdout)["transfer"]["layers"]
        self.assertGreater(layers["frozen"], 0)
        self.assertEqual(layers["frozen"], layers["frozen_same"])
        result = enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--bf16", "--out", "bf16", "--json")
        if result.returncode == 3:  # a chip without it
            self.check(result, 3, "bfloat16: this processor")
        else:
            self.check(result, 0)
            told = json.loads(result.stdout)
            self.assertEqual(told["transfer"]["bf16"]["val_top1_float"], told["val"]["top1"])

    def test_errors_say_what_is_wrong(self):
        (WORK / "full").mkdir(exist_ok=True)
        (WORK / "full/file").write_text("mine")
        for code, texts, *arguments in (
                (2, ["--out"], "demo/data", "--weights", "demo"),
                (2, ["not empty"], "demo/data", "--weights", "demo", "--out", "full"),
                (2, ["cannot grow there"], "demo/data", "--weights", "demo", "--cut", last_layer(), "--out", "e2"),
                (3, ["nowhere"], "--resume", "nowhere")):
            self.check_error(enxerto("fit", *arguments), code, *texts)
        self.check_error(enxerto("train", "--resume", "demo/nothing"), 3)

    def test_flags_that_a_recipe_does_not_heed_are_refused(self):
        source = ["demo/data", "--weights", "demo"]
        for verb, texts, *flags in (
                ("fit", ["--head", "finetune"], "--recipe", "finetune", "--head", "forest"),
                ("fit", ["--pca", "finetune"], "--recipe", "finetune", "--pca", 3),
                ("fit", ["--stages", "finetune"], "--recipe", "finetune", "--stages", 7),
                ("fit", ["--share", "scratch"], "--recipe", "scratch", "--share", 0.1),
                ("fit", ["--blocks", "scratch"], "--recipe", "scratch", "--blocks", 1),
                ("fit", ["--blocks", "warmup+finetune"], "--recipe", "warmup+finetune", "--blocks", 1),
                ("fit", ["--optimizer", "probe"], "--recipe", "probe", "--optimizer", "foo"),
                ("fit", ["--lr", "probe"], "--recipe", "probe", "--lr", 0.5),
                ("fit", ["--schedule", "probe"], "--recipe", "probe", "--schedule", "step"),
                ("fit", ["--blocks", "probe"], "--recipe", "probe", "--blocks", 3),
                ("fit", ["--c", "knn"], "--recipe", "probe", "--head", "knn", "--c", 0.1),
                ("fit", ["--views", "probe"], "--recipe", "probe", "--views", 2),
                ("fit", ["--no-augment", "--views"], "--recipe", "finetune", "--no-augment", "--views", 2),
                ("fit", ["--budget", "auto"], "--recipe", "probe", "--budget", 3),
                ("fit", ["--pilot", "auto"], "--recipe", "finetune", "--pilot", 3),
                ("fit", ["foo"], "--optimizer", "foo"),
                ("fit", ["--no-augment", "--flip"], "--recipe", "finetune", "--no-augment", "--flip"),
                ("advise", ["--no-augment", "--mixup"], "--no-augment", "--mixup", 0.2),
                ("find-lr", ["--lr"], "--lr", "find"),
                ("find-lr", ["--schedule"], "--schedule", "step"),
                ("find-lr", ["--epochs"], "--epochs", 3),
                ("find-lr", ["--blocks", "scratch"], "--recipe", "scratch", "--blocks", 2),
                ("compare", ["--blocks", "probe or scratch"], "--recipes", "probe,scratch", "--blocks", 2),
                ("compare", ["--lr", "probe"], "--recipes", "probe,probe:svm", "--lr", 0.1)):
            out = ["--out", "unheeded"] if verb in ("fit", "compare") else []
            self.check_error(enxerto(verb, *source, *flags, *out, "--quiet"), 2, *texts)
            self.assertFalse((WORK / "unheeded").exists())
        # What one of several recipes heeds is right.
        self.check(enxerto("compare", *source, "--recipes", "probe,finetune", "--blocks", 1, "--epochs", 1, "--seeds", 1, "--pca", 4,
                           "--out", "heeded"), 0)
        self.check(enxerto("fit", *source, "--pilot", 0, "--lr", 0.01, "--head", "svm", "--stages", 1, "--out", "heeded_too"), 0)

    def test_several_labels_have_no_balanced_classes_and_no_fitted_head(self):
        names = sorted(path.relative_to(WORK) for path in (WORK / "demo/data/train").rglob("*.png"))
        labels = ("round", "straight", "round|straight")
        (WORK / "several.csv").write_text("path,labels\n" + "".join(
            f"{name},{labels[i % 3]}\n" for i, name in enumerate(names)))
        arguments = ["fit", "several.csv", "--weights", "demo", "--out", "several", "--quiet"]
        for texts, *flags in ((["--class-weights balanced"], "--class-weights", "balanced"), (["--c"], "--c", 1),
                              (["--class-weights balanced"], "--recipe", "finetune", "--class-weights", "balanced")):
            self.check_error(enxerto(*arguments, *flags), 2, *texts)
            self.assertFalse((WORK / "several").exists())
        self.check(enxerto(*arguments, "--epochs", 1), 0)


class Builtin(Case):
    """The network in the box: what there is without --weights, without a network, and without a cache."""

    def test_without_weights_it_is_the_one_in_the_box(self):
        # What one left that was killed before its run began is no run.
        (WORK / "boxed").mkdir()
        for name in ("start.safetensors", "start.safetensors.partial12", "doctor.json"):
            (WORK / "boxed" / name).write_text("half")
        result = enxerto("fit", "demo/data", "--recipe", "probe", "--out", "boxed", "--json")
        self.check(result, 0, "the small network in the box", "enxerto pull")
        self.assertGreater(json.loads(result.stdout)["test"]["top1"], 0.7)
        self.check(enxerto("predict", "boxed", sorted((WORK / "demo/data/test/cross").iterdir())[0]), 0)
        for size in (96, 128):
            told = self.told("extract", "demo/data", "--weights", "builtin", "--size", size, "--split", "val", "--out",
                             f"boxed{size}.npy")
            self.assertEqual(told["preprocess"]["height"], size)
        self.check_error(enxerto("extract", "demo/data", "--weights", "builtin", "--size", -3, "--out", "no.npy"), 2, "--size: at least 1")
        self.check_error(enxerto("extract", "demo/data", "--weights", "builtin", "--net", "resnet18", "--out", "no.npy"), 2,
                         "--net")

    def test_a_trunk_of_several_layers_gives_their_features_side_by_side(self):
        told = json.loads(enxerto("summary", "demo", "--json").stdout)
        lists = [layer["name"] for layer in told["layers"]]
        maps = [layer["name"] for layer in told["layers"] if len(layer["output"]) == 3 and layer["output"][1] > 1]
        self.check(enxerto("convert", "demo", "both.safetensors", "--cut", f"{maps[2]},{maps[-1]}", "--half"), 0)
        both = self.told("extract", "demo/data", "--weights", "both.safetensors", "--split", "val", "--out", "both.npy")
        sizes = [next(layer["output"][0] for layer in told["layers"] if layer["name"] == name) for name in (maps[2], maps[-1])]
        self.assertEqual(both["features"], sum(sizes))
        for name, begin, size in ((maps[2], 0, sizes[0]), (maps[-1], sizes[0], sizes[1])):
            self.told("extract", "demo/data", "--weights", "demo", "--cut", name, "--pool", "--split", "val", "--out", "one.npy")
            one, two = floats("one.npy")[1], floats("both.npy")[1]
            rows = len(one) // size
            for row in range(rows):
                for i in range(size):
                    self.assertAlmostEqual(one[row * size + i], two[row * sum(sizes) + begin + i], 2)
        self.check_error(enxerto("convert", "demo", "no.safetensors", "--cut", f"{lists[1]},nowhere"), 3, "demo", "nowhere")
        # Again of what was made so, whose names are taken; and of the network in the box, which was.
        self.check(enxerto("convert", "both.safetensors", "again.safetensors", "--cut", f"{maps[2]},features"), 0)
        again = self.told("extract", "demo/data", "--weights", "again.safetensors", "--split", "val", "--out", "again.npy")
        self.assertEqual(again["features"], sizes[0] + sum(sizes))
        boxed = json.loads(enxerto("summary", "builtin", "--json").stdout)["layers"]
        maps = [layer["name"] for layer in boxed if len(layer["output"]) == 3 and layer["output"][1] > 1]
        self.check(enxerto("convert", "builtin", "boxed.safetensors", "--cut", f"{maps[-2]},{maps[-1]}"), 0)

    def test_without_a_place_for_its_file_it_says_what_to_set(self):
        nowhere = {key: value for key, value in ENVIRONMENT.items()
                   if key not in ("ENXERTO_CACHE", "XDG_CACHE_HOME", "HOME")}
        arguments = ["fit", WORK / "demo/data", "--recipe", "probe", "--out", WORK / "homeless", "--quiet"]
        result = subprocess.run(command(arguments), env=nowhere, capture_output=True, text=True)
        self.check(result, 2, "ENXERTO_CACHE")
        (WORK / "a_file").write_text("no folder")
        in_a_file = subprocess.run(command(arguments), env={**nowhere, "ENXERTO_CACHE": str(WORK / "a_file")},
                                   capture_output=True, text=True)
        self.check(in_a_file, 1, "a_file", "name another one with ENXERTO_CACHE")
        made = subprocess.run(command(["demo", "--out", WORK / "homeless_demo", "--pictures", 16, "--epochs", 1, "--json"]),
                              env=nowhere, capture_output=True, text=True)
        self.check(made, 0)
        self.assertIn("test", json.loads(made.stdout)["grafted"])

    def test_a_net_that_was_pulled_comes_first(self):
        cache = WORK / "pulled"
        cache.mkdir()
        (cache / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"not what it should be")
        record = {"format": 1, "url": "https://example.org/", "from": "put there by hand", "date": "2026-11-28T00:00:00Z",
                  "bytes": 21, "sha256": "0" * 64, "md5": "", "checked": "no published hash"}
        (cache / "squeezenet1_1-b8a52dc0.pth.json").write_text(json.dumps(record))
        result = subprocess.run(command(["fit", "demo/data", "--recipe", "probe", "--out", "by_pulled"]), cwd=WORK,
                                env={**ENVIRONMENT, "ENXERTO_CACHE": str(cache)}, capture_output=True, text=True)
        self.check(result, 3, "No --weights: squeezenet1_1, the best of the nets that were pulled", "b8a52dc0.pth: ")

    def test_a_comparison_and_a_budget_keep_what_they_began_with(self):
        self.check(enxerto("compare", "demo/data", "--recipes", "probe,probe:ridge", "--seeds", 1, "--out", "boxes", "--json"), 0)
        asked = json.loads((WORK / "boxes/comparison.json").read_text())["asked"]
        self.assertEqual(asked["--weights"], ["builtin"])
        self.check(enxerto("fit", "demo/data", "--budget", 0.02, "--out", "boxed_auto"), 0)
        self.assertEqual(json.loads((WORK / "boxed_auto/auto.json").read_text())["asked"]["weights"], "builtin")


def last_layer():
    told = json.loads(enxerto("summary", "demo", "--json").stdout)
    return told["layers"][-1]["name"]


class Killed(Case):
    """kill -9 at twenty random moments: what goes on ends with the same bits."""

    def kill_often(self, start, go_on, done, longest):
        """Starts, and goes on with, a command that is killed at random moments; then lets it end."""
        rng = random.Random(9)
        killed = 0
        while killed < KILLS:
            if self.is_killed(go_on() or start, rng.uniform(0.01, longest)):
                killed += 1
            elif done():
                break
        self.check(enxerto(*(go_on() or start)), 0)
        return killed

    def test_extraction(self):
        plain = ["extract", "demo/data", "--weights", "demo", "--no-feature-cache", "--out", "whole.npy"]
        began = time.monotonic()
        self.check(enxerto(*plain), 0)
        longest = time.monotonic() - began
        parts = ["extract", "demo/data", "--weights", "demo", "--feature-cache", "parts", "--out", "parts.npy"]
        self.kill_often(parts, lambda: None, lambda: False, longest)
        self.assertEqual((WORK / "whole.npy").read_bytes(), (WORK / "parts.npy").read_bytes())

    def test_training(self):
        flags = ["demo/data", "--weights", "demo", "--recipe", "warmup+finetune", "--epochs", 6, "--stages", 2, "--share", 1,
                 "--views", 2]
        began = time.monotonic()
        self.check(enxerto("fit", *flags, "--feature-cache", "whole_rows", "--out", "whole"), 0)
        longest = time.monotonic() - began
        out = WORK / "killed"

        def go_on():
            # A folder in which not even the configuration was whole is no run yet.
            if (out / "config.json").exists() and (out / "log.jsonl").exists():
                return ["fit", "--resume", "killed", "--feature-cache", "parts_rows"]
            shutil.rmtree(out, ignore_errors=True)
            return None

        # A run that ended before it was killed often begins again: how many kills one bears is a matter of luck.
        killed = rounds = 0
        while killed < KILLS and rounds < 6:
            shutil.rmtree(out, ignore_errors=True)
            killed += self.kill_often(["fit", *flags, "--feature-cache", "parts_rows", "--out", "killed"], go_on,
                                      lambda: (out / "result.json").exists(), longest)
            rounds += 1
            self.assertEqual((WORK / "whole/model.safetensors").read_bytes(), (out / "model.safetensors").read_bytes())
            told = [json.loads((WORK / run / "result.json").read_text()) for run in ("whole", "killed")]
            for key in ("epochs", "best_epoch", "best_value", "train_loss", "val", "test"):
                self.assertEqual(told[0][key], told[1][key], key)
        self.assertGreater(killed, 2)


if __name__ == "__main__":
    on_demo.main()
