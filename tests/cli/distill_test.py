#!/usr/bin/env python3
"""`enxerto distill` as scripts and people meet it: small students of a small network that the demo trains.

usage: distill_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import json
import random
import shutil
import signal
import struct
import subprocess
import time

import on_demo
from on_demo import ENVIRONMENT, PATIENCE, Case, command, enxerto

KILLS = 6
WORK = None  # on_demo's
STUDENT = ["--net", "lenet5", "--size", 32, "--batch", 16, "--lr", 0.003]
FEATURES = ["--cut", "relu3", "--pool"]  # of the demo's network: 64


def setUpModule():
    global WORK
    WORK = on_demo.WORK
    on_demo.make_demo()


def distill(out, *more, data="demo/data", teacher="demo"):
    cut = FEATURES if teacher != "backbone" and "classes" not in more else []
    return ["distill", data, "--teacher", teacher, *cut, *STUDENT, "--out", out, *more]


def lines(run, kind):
    """Those of the log; a last line may be cut off."""
    log = (WORK / run / "log.jsonl").read_text().split("\n")[:-1]
    return [line for line in map(json.loads, log) if line["kind"] == kind]


def parse(path):
    """Metadata and tensors of a .safetensors file, the tensors as bytes."""
    content = (WORK / path).read_bytes()
    length, = struct.unpack("<Q", content[:8])
    return json.loads(content[8:8 + length])["__metadata__"], content[8 + length:]


def weights(run):
    return parse(f"{run}/model.safetensors")[1]


class Distill(Case):
    def test_the_loss_falls_and_the_student_is_no_classifier(self):
        told = self.told(*distill("small", "--epochs", 4, "--flip"))
        for key in ("run", "epochs", "best_epoch", "seconds", "images_per_second", "peak_memory_bytes", "train_loss"):
            self.assertIn(key, told)
        self.assertEqual(told["metric"], "val_loss")
        self.assertEqual(set(told["val"]), {"n", "loss"})
        self.assertIsNone(told["test"])
        epochs = lines("small", "epoch")
        self.assertLess(epochs[-1]["train_loss"], 0.8 * epochs[0]["train_loss"])
        self.assertLess(told["val"]["loss"], 0.9)  # 1 is what the mean of all features would have
        self.assertNotIn("train_top1", epochs[0])
        config = json.loads((WORK / "small/config.json").read_text())
        self.assertEqual(config["distill"]["match"], "features")
        self.assertEqual(config["distill"]["teacher"], str(WORK.resolve() / "demo/model.safetensors"))
        self.assertEqual(config["classes"][:2], ["feature_0", "feature_1"])
        self.assertEqual(parse("small/model.safetensors")[0]["enxerto.classes"], "[]")
        page = (WORK / "small/report.html").read_text()
        for there in ("Validation loss", "Distillation", "enxerto fit PHOTOS --weights"):
            self.assertIn(there, page)
        for not_there in ("top-1", "Top-1", "feature_1", "enxerto predict", "Confusion"):
            self.assertNotIn(not_there, page)
        self.check(enxerto("report", "small"), 0, "teacher", "loss")
        picture = sorted((WORK / "demo/data/test/cross").iterdir())[0]
        self.check_error(enxerto("predict", "small", picture), 3, "its outputs are no classes")
        self.check(enxerto("summary", "small"), 0)
        self.check_error(enxerto(*distill("small")), 2, "enxerto distill --resume small")
        self.check(enxerto("distill", "--resume", "small"), 0, "ended already")
        self.check_error(enxerto("train", "--resume", "small"), 2, "is a run of distill")

    def test_a_student_is_a_backbone_like_any_other(self):
        self.told(*distill("backbone", "--epochs", 4))
        for recipe, flags in (("probe", []), ("finetune", ["--epochs", 2])):
            told = self.told("fit", "demo/data", "--weights", "backbone", "--recipe", recipe, *flags, "--out", f"on_it_{recipe}")
            self.assertEqual(told["classes"], json.loads((WORK / "demo/config.json").read_text())["classes"])
            self.assertGreater(told["test"]["top1"], 0.6, recipe)
        self.check(enxerto("predict", "on_it_probe", sorted((WORK / "demo/data/test/cross").iterdir())[0]), 0)
        self.check(enxerto("train", "demo/data", "--weights", "backbone", "--epochs", 1, "--out", "trained_on"), 0)
        self.check(enxerto(*distill("teaches", "--epochs", 1, teacher="backbone")), 0)

    def test_labels_do_not_matter(self):
        # The same pictures in the same order: under their classes, under other names, under no class at all.
        of_class = sorted((WORK / "demo/data/train").iterdir())
        number = 0
        for place, folder in enumerate(of_class):
            for picture in sorted(folder.iterdir())[:40]:
                for to in (f"named/{folder.name}", f"others/{place}_things", "alike/one", "flat"):
                    (WORK / to).mkdir(parents=True, exist_ok=True)
                    shutil.copy(picture, WORK / to / f"{number:04}.png")
                number += 1
        runs = {data: self.told(*distill(f"of_{data}", "--epochs", 2, "--val-fraction", 0.2, data=data))
                for data in ("named", "others", "alike", "flat")}
        self.assertEqual(runs["named"]["val"]["n"], round(0.2 * number))
        for data in ("others", "alike", "flat"):
            self.assertEqual(runs[data]["val"], runs["named"]["val"])
            self.assertEqual(weights(f"of_{data}"), weights("of_named"))
        # All pictures for the training, none held back.
        told = self.told(*distill("of_all", "--epochs", 1, "--val-fraction", 0, data="alike"))
        self.assertEqual((told["metric"], told["val"]), ("train_loss", None))

    def test_the_probabilities_of_classes(self):
        pictures = "demo/data/train"
        told = self.told(*distill("classes", "--match", "classes", "--temperature", 2, "--epochs", 30, "--val-fraction", 0,
                                  data=pictures))
        epochs = lines("classes", "epoch")
        self.assertLess(epochs[-1]["train_loss"], epochs[0]["train_loss"])
        names = json.loads((WORK / "demo/config.json").read_text())["classes"]
        self.assertEqual(told["classes"], names)
        self.assertEqual(json.loads(parse("classes/model.safetensors")[0]["enxerto.classes"]), names)
        self.assertEqual(json.loads((WORK / "classes/config.json").read_text())["distill"]["temperature"], 2)
        answers = [[json.loads(line)["class"] for line in enxerto("predict", run, pictures, "--json").stdout.splitlines()]
                   for run in ("demo", "classes")]
        self.assertEqual(len(answers[0]), len(answers[1]))
        same = sum(a == b for a, b in zip(*answers)) / len(answers[0])
        self.assertGreater(same, 0.8)  # whatever the truth is
        self.assertIn("enxerto predict", (WORK / "classes/report.html").read_text())

    def test_classes_are_matched_only_where_a_layer_of_the_teacher_knows_them(self):
        self.check(enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--head", "knn", "--out", "near"), 0)
        self.check(enxerto("convert", "demo", "trunk.safetensors", "--cut", "relu3"), 0)
        for teacher, text in (("near", "head is no layer"), ("trunk.safetensors", "knows no classes"),
                              ("builtin", "knows no classes")):
            arguments = ["distill", "demo/data", "--teacher", teacher, *STUDENT, "--epochs", 1, "--out", "headless"]
            self.check_error(enxerto(*arguments, "--match", "classes"), 2, teacher, text, "--match features")
            self.assertFalse((WORK / "headless").exists())
        self.check(enxerto("distill", "demo/data", "--teacher", "near", *FEATURES, *STUDENT, "--epochs", 1, "--out", "of_near"), 0)
        names = sorted(path.relative_to(WORK) for path in (WORK / "demo/data/train").rglob("*.png"))
        (WORK / "several.csv").write_text("path,labels\n" + "".join(
            f"{name},{('round', 'straight', 'round|straight')[i % 3]}\n" for i, name in enumerate(names)))
        self.check(enxerto("train", "several.csv", "--net", "lenet5", "--epochs", 1, "--out", "several"), 0)
        self.check_error(enxerto("distill", "demo/data", "--teacher", "several", *STUDENT, "--epochs", 1, "--out", "headless", "--match",
                                 "classes"), 3, "several labels", "--match features")

    def test_from_weights_and_in_full_precision(self):
        result = enxerto("distill", "demo/data", "--teacher", "demo", "--weights", "demo", "--full", "--epochs", 1, "--lr", 1e-4,
                         "--out", "itself", "--json")
        self.check(result, 0)
        self.assertFalse(json.loads((WORK / "itself/config.json").read_text())["distill"]["half"])

    def test_errors_say_what_is_wrong(self):
        small = [*STUDENT, "--out", "e"]
        self.check(enxerto("convert", "demo", "plain.onnx", "--plain-input"), 0)
        unknown = (WORK / "plain.onnx").read_bytes().replace(b"enxerto.preprocess", b"nobody_.preprocess")
        (WORK / "plain.onnx").write_bytes(unknown)
        for code, texts, *arguments in (
                (2, ["--teacher is missing"], "demo/data", *small),
                (2, ["PHOTOS is missing"], "--teacher", "demo", *small),
                (2, ["--out is missing"], "demo/data", "--teacher", "demo", *STUDENT),
                (2, ["--net is missing"], "demo/data", "--teacher", "demo", "--out", "e"),
                (2, ["plain.onnx", "give --teacher-preprocess"], "demo/data", "--teacher", "plain.onnx", *small),
                (3, ["nowhere"], "demo/data", "--teacher", "nowhere", *small),
                (3, ["nowhere"], "nowhere", "--teacher", "demo", *small),
                (3, ["no layer \"nothing\""], "demo/data", "--teacher", "demo", "--cut", "nothing", *small),
                (2, ["--mixup"], "demo/data", "--teacher", "demo", "--mixup", 0.2, *small),
                (2, ["--cutmix"], "demo/data", "--teacher", "demo", "--cutmix", 1, *small),
                (2, ["--temperature", "more than 0"], "demo/data", "--teacher", "demo", "--match", "classes", "--temperature", 0,
                 *small),
                (2, ["--temperature", "--match classes"], "demo/data", "--teacher", "demo", "--temperature", 3, *small),
                (2, ["--match"], "demo/data", "--teacher", "demo", "--match", "pictures", *small),
                (2, ["pooled", "--match features"], "demo/data", "--teacher", "demo", *FEATURES, "--match", "classes", *small),
                (2, ["--val-fraction"], "demo/data", "--teacher", "demo", "--val-fraction", 1, *small),
                (2, ["--epochs"], "--resume", "demo", "--epochs", 3),
                (2, ["is a run of train"], "--resume", "demo"),
                (3, ["nowhere"], "--resume", "nowhere")):
            self.check_error(enxerto("distill", *arguments), code, *texts)
        self.assertFalse((WORK / "e").exists())
        self.check(enxerto(*distill("told", "--teacher-preprocess", "half", "--epochs", 1, teacher="plain.onnx")), 0)


class Stopped(Case):
    def start(self, arguments, until):
        """Starts it and gives it back when `until` says so, or when it ended."""
        process = subprocess.Popen(command(arguments), cwd=WORK, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        began = time.monotonic()
        while process.poll() is None and not until() and time.monotonic() < began + PATIENCE:
            time.sleep(0.01)
        return process

    def test_ctrl_c_another_teacher_and_the_same_bits(self):
        teacher = WORK / "teacher.safetensors"
        shutil.copy(WORK / "demo/model.safetensors", teacher)
        flags = ["--epochs", 12, "--flip"]
        whole = self.told(*distill("whole", *flags, teacher="teacher.safetensors"))
        has_begun = lambda: (WORK / "stopped/log.jsonl").exists() and len(lines("stopped", "epoch")) >= 2
        process = self.start(distill("stopped", *flags, teacher="teacher.safetensors"), has_begun)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=PATIENCE)
        self.assertNotEqual(process.returncode, 0, "it ended before it could be stopped")
        self.assertIn("enxerto distill --resume stopped", error)
        self.assertFalse((WORK / "stopped/result.json").exists())

        good = teacher.read_bytes()
        length, = struct.unpack("<Q", good[:8])
        teacher.write_bytes(good[:8 + length] + struct.pack("<f", 0.125) + good[12 + length:])
        self.check_error(enxerto("distill", "--resume", "stopped"), 2, "teacher.safetensors", "is not the teacher")
        teacher.unlink()
        self.check_error(enxerto("distill", "--resume", "stopped"), 3, "teacher.safetensors")
        teacher.write_bytes(good)
        told = self.told("distill", "--resume", "stopped")
        self.assertEqual(weights("stopped"), weights("whole"))
        for key in ("epochs", "best_epoch", "best_value", "train_loss", "val"):
            self.assertEqual(told[key], whole[key], key)

    def test_killed_often(self):
        flags = ["--epochs", 6, "--match", "classes", "--flip"]
        began = time.monotonic()
        self.told(*distill("of_one_piece", *flags, "--feature-cache", "its_rows"))
        longest = time.monotonic() - began
        rng = random.Random(5)
        out, start = WORK / "killed", distill("killed", *flags, "--feature-cache", "rows")
        killed = 0
        while killed < KILLS and not (out / "result.json").exists():
            # A folder in which not even the configuration was whole is no run yet.
            is_run = (out / "config.json").exists() and (out / "log.jsonl").exists()
            if not is_run:
                shutil.rmtree(out, ignore_errors=True)
            go_on = ["distill", "--resume", "killed", "--feature-cache", "rows"]
            killed += self.is_killed(go_on if is_run else start, rng.uniform(0.05, 0.6 * longest))
        if (out / "config.json").exists() and (out / "log.jsonl").exists():
            self.check(enxerto("distill", "--resume", "killed", "--feature-cache", "rows"), 0)
        else:
            shutil.rmtree(out, ignore_errors=True)
            self.check(enxerto(*start), 0)
        self.assertGreater(killed, 0)
        self.assertEqual(weights("killed"), weights("of_one_piece"))


if __name__ == "__main__":
    on_demo.main()
