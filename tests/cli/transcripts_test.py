#!/usr/bin/env python3
"""The command as scripts and people meet it: each test is a transcript of command, output and exit code.

usage: transcripts_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import fcntl
import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

from checked import Checked

ENXERTO = ""
WORK = None  # a folder for all of it; has demo/, a run with data/train, data/val, data/test
VERBS = ["train", "predict", "evaluate", "summary", "convert", "models", "pull", "report", "preprocess", "preview",
         "doctor", "head", "extract", "fit", "profile", "demo", "explain"]
# Threads that sleep while they wait: other tests may run beside this one.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "ENXERTO_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
# Seconds; far more than needed, for machines that are busy or sanitizers that are slow.
PATIENCE = 300


def enxerto(*arguments, file_limit=None, **options):
    """Runs the command in WORK and returns code, stdout and stderr."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.run([ENXERTO, *map(str, arguments)], cwd=WORK, env=ENVIRONMENT, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output="stdout" not in options, text=True,
                          preexec_fn=limit if file_limit else None, **options)


def pictures(split, label, count):
    return sorted((WORK / "demo/data" / split / label).iterdir())[:count]


def make_data(name, classes, count=12):
    """A folder of `classes`, names to the shape that their pictures show."""
    for label, shape in classes.items():
        folder = WORK / name / label
        folder.mkdir(parents=True)
        for picture in pictures("train", shape, count):
            shutil.copy(picture, folder)
    return WORK / name


def png_size(path):
    return struct.unpack(">II", path.read_bytes()[16:24])


def small(data, out, *more):
    """The arguments of a run that takes a moment."""
    return ["train", data, "--net", "lenet5", "--out", out, "--epochs", "2", "--batch", "8", *more]


def setUpModule():
    result = enxerto("demo", "--out", "demo", "--pictures", "160", "--epochs", "2", "--json")
    assert result.returncode == 0, result.stderr
    Demo.result = result


class Case(Checked):
    maxDiff = None

    def check_error(self, result, code, *texts):
        """Nothing but one line on stderr."""
        self.check(result, code, *texts)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def check_evaluation(self, score, classes, n=None):
        self.assertLessEqual({"n", "top1", "top1_interval", "loss", "per_class"}, set(score))
        low, high = score["top1_interval"]
        self.assertTrue(0 <= low <= score["top1"] <= high <= 1)
        self.assertEqual([each["class"] for each in score["per_class"]], classes)
        self.assertEqual(sum(each["n"] for each in score["per_class"]), score["n"])
        if n is not None:
            self.assertEqual(score["n"], n)


class SeveralLabels(Case):
    """Pictures with any number of labels, from a manifest to a report."""

    @classmethod
    def setUpClass(cls):
        folder = WORK / "lists"
        folder.mkdir()
        lines = []
        for i, (shape, names) in enumerate([("cross", ["cross", "lines"]), ("circle", ["round"]), ("cross", ["cross"]),
                                            ("circle", [])] * 10):
            picture = folder / f"{i}.png"
            shutil.copy(pictures("train", shape, 40)[i], picture)
            lines.append(json.dumps({"path": picture.name, "labels": names}))
        (folder / "all.jsonl").write_text("\n".join(lines) + "\n")
        cls.trained = enxerto(*small("lists/all.jsonl", "listed", "--test-fraction", "0.2", "--mixup", "0.2",
                                     "--cutmix", "1", "--json"))

    def test_training_needs_no_flag_and_tells_the_measures(self):
        self.check(self.trained, 0)
        self.assertIn("any number of them in one picture", self.trained.stderr)
        self.assertIn("val mAP", self.trained.stderr)
        result = json.loads(self.trained.stdout)
        for split in ["val", "test"]:
            score = result[split]
            self.assertTrue(score["multi_label"])
            self.assertNotIn("confusion", score)
            self.assertLessEqual({"n", "top1", "top1_interval", "loss", "per_class", "mean_average_precision",
                                  "micro_f1", "macro_f1", "exact_match"}, set(score))
            self.assertEqual([each["class"] for each in score["per_class"]], ["cross", "lines", "round"])
            self.assertIn("average_precision", score["per_class"][0])
        self.assertEqual(json.loads((WORK / "listed/config.json").read_text())["training"]["loss"]["kind"], "bce")
        self.check(enxerto("report", "listed"), 0, "mAP", "average precision")
        page = (WORK / "listed/report.html").read_text()
        self.assertIn("Mean average precision", page)
        self.assertNotIn("Confusion matrix", page)

    def test_evaluate_finds_the_test_split_again(self):
        result = enxerto("evaluate", "listed", "lists/all.jsonl", "--json")
        self.check(result, 0)
        score, wanted = json.loads(result.stdout), json.loads(self.trained.stdout)["test"]
        for key in ["n", "top1", "loss", "mean_average_precision", "micro_f1", "exact_match", "per_class"]:
            self.assertEqual(score[key], wanted[key], key)
        self.check(enxerto("evaluate", "listed", "lists/all.jsonl"), 0, "mAP", "micro F1", "all labels right")

    def test_predict_gives_each_class_its_own_probability(self):
        result = enxerto("predict", "listed", "lists/0.png", "--top", "1", "--json")
        self.check(result, 0)
        line = json.loads(result.stdout)
        self.assertEqual(len(line["top"]), 1)
        self.assertEqual(line["class"], line["top"][0]["class"])
        whole = json.loads(enxerto("predict", "listed", "lists/0.png", "--json").stdout)
        self.assertEqual(whole["labels"], [each["class"] for each in whole["top"] if each["probability"] > 0.5])
        self.assertEqual(line["labels"], whole["labels"])
        probabilities = [each["probability"] for each in whole["top"]]
        self.assertEqual(probabilities, sorted(probabilities, reverse=True))
        self.assertNotAlmostEqual(sum(probabilities), 1, 3)

    def test_what_does_not_fit_is_refused(self):
        for flag, value in [("--label-smoothing", "0.1"), ("--class-weights", "balanced")]:
            self.check_error(enxerto(*small("lists/all.jsonl", "never", flag, value, "--quiet")), 2, flag, "several")
        self.check(enxerto(*small("demo/data", "never", "--metric", "val_map", "--quiet")), 2, "val_map")
        self.check(enxerto("evaluate", "demo", "lists/all.jsonl"), 3, "lists/all.jsonl")

    def test_onnx_keeps_what_the_outputs_are(self):
        self.check(enxerto("convert", "listed", "listed.onnx"), 0)
        for model in ["listed", "listed.onnx"]:
            line = json.loads(enxerto("predict", model, "lists/0.png", "--json").stdout)
            self.assertIn("labels", line)


class Usage(Case):
    def test_each_verb_has_help_with_an_example(self):
        for verb in VERBS:
            result = enxerto(verb, "--help")
            self.check(result, 0, f"enxerto {verb} ", "Example", "Usage:", "--json")
            self.assertEqual(result.stderr, "")
        self.check(enxerto("--help"), 0, *VERBS)

    def test_it_tells_its_version(self):
        self.assertRegex(enxerto("--version").stdout, r"\Aenxerto \d+\.\d+\.\d+\n\Z")

    def test_a_wrong_command_line_is_2_and_one_line_that_says_what_to_do(self):
        run = WORK / "never"
        net = ["train", "demo/data", "--out", run, "--net"]
        for arguments, texts in [
                ([], ["--help"]),
                (["frobnicate"], ["frobnicate", "--help"]),
                (["train", "--frobnicate"], ["--frobnicate", "enxerto train --help"]),
                (["train", "demo/data", "--net", "lenet5"], ["--out is missing"]),
                (["train", "demo/data", "--out", run], ["--net is missing"]),
                (["train", "--net", "lenet5", "--out", run], ["DATA is missing"]),
                ([*net, "lenet9"], ["lenet9", "lenet5", "resnet18"]),
                ([*net, "lenet5", "--epochs", "many"], ["--epochs", "many"]),
                ([*net, "lenet5", "--epochs", "0"], ["--epochs", "0"]),
                ([*net, "lenet5", "--batch", "-3"], ["--batch", "-3"]),
                ([*net, "lenet5", "--lr", "-1"], ["--lr", "-1"]),
                ([*net, "lenet5", "--lr", "nan"], ["--lr"]),
                ([*net, "lenet5", "--size", "2"], ["lenet5"]),
                ([*net, "lenet5", "--optimizer", "magic"], ["magic", "adam"]),
                ([*net, "lenet5", "--optimizer", "adam", "--momentum", "0.9"], ["--momentum", "adam"]),
                ([*net, "lenet5", "--schedule", "magic"], ["magic", "cosine"]),
                ([*net, "lenet5", "--init", "magic"], ["magic", "he_normal"]),
                ([*net, "lenet5", "--metric", "magic"], ["magic", "val_loss"]),
                ([*net, "lenet5", "--class-weights", "magic"], ["magic", "balanced"]),
                ([*net, "lenet5", "--warmup", "99"], ["--warmup"]),
                ([*net, "lenet5", "--label-smoothing", "1.5"], ["label smoothing"]),
                (["train", "--resume", "demo", "--lr", "0.1"], ["--lr", "--resume"]),
                (["predict"], ["model", "required"]),
                (["predict", "demo"], ["files", "required"]),
                (["evaluate", "demo", "demo/data", "--split", "dev"], ["dev", "val"]),
                (["summary", "lenet9"], ["lenet9", "lenet5"]),
                (["summary", "lenet5", "--style", "tf"], ["tf", "keras"]),
                (["summary", "demo", "--classes", "3"], ["demo", "--classes"]),
                (["profile", "lenet9"], ["lenet9", "lenet5"]),
                (["profile", "lenet5", "--batch", "0"], ["--batch", "0"]),
                (["profile", "lenet5", "--train", "--freeze-through", "fc3"], ["frozen", "--train"]),
                (["demo", "--epochs", "0"], ["--epochs"]),
                ([*net, "lenet5", "--threads", "100000"], ["--threads", "1 to 1024"]),
                ([*net, "lenet5", "--threads", "-1"], ["--threads"]),
                ([*net, "lenet5", "--seed", "-1"], ["--seed", "-1"]),
                ([*net, "lenet5", "--seed", "18446744073709551616"], ["--seed", "2^64 - 1"]),
                (["doctor", "demo/data", "--seed", "-1"], ["--seed"]),
                ([*net, "lenet5", "--max-unreadable", "nan"], ["--max-unreadable", "from 0 to 1", "nan"]),
                ([*net, "lenet5", "--max-unreadable", "1.1"], ["--max-unreadable", "1.1"]),
                (["advise", "demo/data", "--budget", "nan"], ["--budget"]),
                (["advise", "demo/data", "--price", "nan"], ["--price"]),
                (["fit", "demo/data", "--out", run, "--share", "nan"], ["--share"]),
                (["extract", "demo/data", "--out", "x.npy", "--feature-memory", "nan"], ["--feature-memory"]),
        ]:
            with self.subTest(" ".join(map(str, arguments))):
                result = enxerto(*arguments)
                self.check_error(result, 2, *texts)
                self.assertEqual(result.stdout, "")
        self.assertFalse(run.exists())

    def test_an_output_folder_that_holds_something_is_left_alone(self):
        full = WORK / "full"
        full.mkdir()
        (full / "diary.txt").write_text("dear diary")
        self.check_error(enxerto(*small("demo/data", full)), 2, full, "--out")
        self.assertEqual([each.name for each in full.iterdir()], ["diary.txt"])
        before = (WORK / "demo/model.safetensors").read_bytes()
        self.check_error(enxerto(*small("demo/data", "demo")), 2, "enxerto train --resume demo", "--out")
        self.check_error(enxerto("demo", "--out", "demo"), 2, "demo")
        self.assertEqual((WORK / "demo/model.safetensors").read_bytes(), before)
        self.check_error(enxerto(*small("demo/data", full / "diary.txt")), 2, "diary.txt")


class Demo(Case):
    result = None

    def test_it_makes_a_run_and_a_report(self):
        outcome = json.loads(self.result.stdout)
        self.assertEqual(outcome["run"], "demo")
        self.assertIn("crosses and circles", self.result.stderr)
        for name in ["config.json", "log.jsonl", "model.safetensors", "result.json", "report.html"]:
            self.assertTrue((WORK / "demo" / name).is_file(), name)
        self.check_evaluation(outcome["val"], ["circle", "cross"], 20)
        self.check_evaluation(outcome["test"], ["circle", "cross"], 40)

    def test_without_an_output_folder_it_finds_a_free_one(self):
        (WORK / "enxerto-demo").mkdir()
        result = enxerto("demo", "--pictures", "16", "--epochs", "1")
        self.check(result, 0, "enxerto-demo-2/report.html", "enxerto predict enxerto-demo-2")
        self.assertTrue((WORK / "enxerto-demo-2/model.safetensors").is_file())

    def test_a_report_can_be_made_again(self):
        (WORK / "demo/report.html").unlink()
        self.check(enxerto("report", "demo"), 0, "demo/report.html")
        self.assertIn("</html>", (WORK / "demo/report.html").read_text())
        answer = json.loads(enxerto("report", "demo", "--json").stdout)
        self.assertEqual(answer, {"reports": ["demo/report.html"]})
        self.check_error(enxerto("report", "nowhere"), 3, "nowhere")

    def test_reports_stand_side_by_side(self):
        self.check(enxerto("report", "demo", "demo", "--out", "both.html"), 0, "Side by side: both.html")
        self.assertIn("2 runs side by side", (WORK / "both.html").read_text())
        answer = json.loads(enxerto("report", "demo", "demo", "--json", "--lang", "pt").stdout)
        self.assertEqual(answer, {"reports": ["demo/report.html"] * 2, "comparison": "demo/comparison.html"})
        self.assertNotIn("side by side", (WORK / "demo/comparison.html").read_text())
        self.check(enxerto("report", "demo", "--lang", "pt"), 0, "validação")
        self.check_error(enxerto("report", "demo", "--out", "one.html"), 2, "--out")
        self.check_error(enxerto("report", "demo", "--lang", "fr"), 2, "--lang")
        # More than there are colours for: each its own page, as ever.
        self.assertEqual(list(json.loads(enxerto("report", *["demo"] * 9, "--json").stdout)), ["reports"])
        self.check(enxerto("report", "demo"), 0, "Report: demo/report.html")


class Train(Case):
    def test_json_has_the_keys_that_scripts_count_on(self):
        result = enxerto(*small("demo/data", "keys", "--json"))
        self.check(result, 0)
        outcome = json.loads(result.stdout)
        self.assertLessEqual({"run", "epochs", "seconds", "images_per_second", "peak_memory_bytes", "val", "test"},
                             set(outcome))
        self.assertEqual((outcome["run"], outcome["epochs"]), ("keys", 2))
        self.assertGreater(outcome["peak_memory_bytes"], 1 << 20)
        self.assertLess(outcome["peak_memory_bytes"], 1 << 34)
        self.assertIn("2/2", result.stderr)

    def test_without_a_terminal_there_is_a_plain_line_an_epoch(self):
        result = enxerto(*small("demo/data", "plain"))
        self.check(result, 0, "plain/report.html", "plain/model.safetensors")
        self.assertNotIn("\x1b", result.stdout)
        self.assertNotIn("\r", result.stdout)
        self.assertEqual(len(re.findall(r"^ +[12]/2 ", result.stdout, re.M)), 2, result.stdout)
        self.assertEqual(result.stderr, "")
        quiet = enxerto(*small("demo/data", "quiet", "--quiet"))
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (0, "", ""))

    def test_how_pictures_are_made_to_fit_is_kept_and_cached(self):
        flags = ["--fit", "pad", "--filter", "lanczos", "--decode", "fast", "--picture-cache", "kept-pictures"]
        first = enxerto(*small("demo/data", "fitted", *flags))
        self.check(first, 0, "padded with 0, lanczos, decoded fast", " for pictures")
        preprocess = json.loads((WORK / "fitted/config.json").read_text())["training"]["preprocess"]
        self.assertLessEqual({"fit": "pad", "filter": "lanczos", "decode": "fast"}.items(), preprocess.items())
        cached = sorted((WORK / "kept-pictures").iterdir())
        self.assertEqual([path.suffix for path in cached], [".pictures"])  # of training and validation
        # The same bits from a damaged file and without any.
        cached[0].write_bytes(cached[0].read_bytes()[7:])
        again = enxerto(*small("demo/data", "fitted-again", *flags))
        self.check(again, 0)
        self.assertIn("was damaged and is made anew", again.stderr)
        self.check(enxerto(*small("demo/data", "fitted-plain", *flags[:-2])), 0)
        model = (WORK / "fitted/model.safetensors").read_bytes()
        for other in ["fitted-again", "fitted-plain"]:
            tensors = [self.tensors_of(bytes) for bytes in (model, (WORK / other / "model.safetensors").read_bytes())]
            self.assertEqual(*tensors)
        for flag in ["--fit", "--filter", "--decode"]:
            self.check_error(enxerto(*small("demo/data", "never", flag, "nearest")), 2, '"nearest"; there are')
        self.check_error(enxerto(*small("demo/data", "never", "--picture-cache", "fitted/config.json")), 2, "folder")

    @staticmethod
    def tensors_of(safetensors):
        """The bytes behind the header, which tells how the model came about."""
        return safetensors[8 + struct.unpack("<Q", safetensors[:8])[0]:]

    def test_every_flag_does_its_part(self):
        data = make_data("flat", {"a": "circle", "b": "cross"})
        result = enxerto(*small(data, "flags"), "--size", "32", "--lr", "0.01", "--optimizer", "momentum", "--momentum",
                         "0.8", "--weight-decay", "1e-4", "--l1", "1e-6", "--l2", "1e-5", "--schedule", "cosine", "--warmup",
                         "0.5", "--label-smoothing", "0.1", "--class-weights", "balanced", "--clip", "1", "--seed", "5",
                         "--threads", "1", "--init", "xavier_uniform", "--restarts", "2", "--patience", "3", "--metric",
                         "val_top1", "--flip", "--augment", "--shift", "2", "--workers", "0", "--val-fraction", "0.25",
                         "--test-fraction", "0.25", "--freeze", "conv1", "--freeze", "conv2")
        self.check(result, 0, "start 2 of 2", "the best start has seed")
        config = json.loads((WORK / "flags/config.json").read_text())
        training = config["training"]
        self.assertEqual(config["image"], [1, 32, 32])
        self.assertEqual(config["freeze"], ["conv1", "conv2"])
        self.assertEqual((config["threads"], config["init"], config["split_seed"]), (1, "xavier_uniform", 5))
        self.assertEqual({name: split["pictures"] for name, split in config["splits"].items()},
                         {"train": 12, "val": 6, "test": 6})
        self.assertEqual(training["optimizer"]["kind"], "momentum")
        self.assertEqual((training["optimizer"]["mu"], training["optimizer"]["weight_decay"]), (0.8, 1e-4))
        self.assertEqual((training["schedule"]["curve"], training["schedule"]["base"]), ("cosine", 0.01))
        self.assertEqual(training["penalty"], {"l1": 1e-6, "l2": 1e-5})
        self.assertEqual(training["loss"]["label_smoothing"], 0.1)
        self.assertEqual(training["loss"]["class_weights"], [1, 1])
        self.assertEqual((training["clip_norm"], training["patience"], training["metric"]), (1, 3, "val_top1"))
        self.assertLessEqual({"flip": 0.5, "shift_px": 2, "min_area": 0.5, "contrast": 0.2, "hue": 0, "erase": 0,
                              "policy": "none"}.items(), training["augment"].items())
        self.assertIn(training["seed"], [5, 6])

    def test_starts_are_tried_as_the_run_trains(self):
        for frozen in (["--freeze", "conv"], []):
            out = f"starts{len(frozen)}"
            result = enxerto("train", "demo/data", "--net", "lenet5", "--out", out, "--epochs", "6", "--batch", "8",
                             "--schedule", "constant", "--restarts", "2", *frozen)
            self.check(result, 0)
            best = int(re.search("best start has seed ([0-9]+)", result.stdout)[1])
            first = [re.match(" +1/[16] +([0-9.]+) +[0-9.]+ % +([0-9.]+)", line) for line in result.stdout.splitlines()]
            losses = [each.groups() for each in first if each]
            self.assertEqual(len(losses), 3, result.stdout)
            self.assertEqual(losses[best], losses[2])

    def test_data_that_cannot_be_trained_on_are_3_and_leave_no_run(self):
        empty = WORK / "empty"
        empty.mkdir()
        one = make_data("one", {"a": "circle"})
        corrupt = make_data("corrupt", {"a": "circle", "b": "cross"})
        broken = sorted((corrupt / "b").iterdir())[3]
        for picture in sorted((corrupt / "b").iterdir())[3:5]:
            picture.write_bytes(picture.read_bytes()[:200])
        words = make_data("words", {"a": "circle", "b": "cross"})
        for name in ("notes.jpg", "words.jpg"):
            (words / "a" / name).write_text("these are words, not a picture\n")
        file = WORK / "list.txt"
        file.write_text("a b c")
        for data, texts in [(empty, ["empty"]), (one, ["one", "\"a\"", "two"]), (corrupt, [broken]),
                            (words, ["words/a/notes.jpg"]), (WORK / "nowhere", ["nowhere"]), (file, ["list.txt"])]:
            with self.subTest(str(data)):
                self.check(enxerto(*small(data, "never", "--json")), 3, *texts)
                self.assertFalse((WORK / "never").exists())

    def test_a_place_that_cannot_be_written_is_1(self):
        (WORK / "in_the_way").write_text("a file")
        self.check(enxerto(*small("demo/data", "in_the_way/run")), 1, "in_the_way")
        self.check(enxerto(*small("demo/data", "/proc/enxerto/run")), 1, "/proc/enxerto")

    def test_a_full_disk_is_1_and_names_the_file(self):
        # A limit on the size of files stands for the disk: writing fails in the same place.
        result = enxerto(*small("demo/data", "disk"), file_limit=40_000)
        self.check(result, 1, "disk/")
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = enxerto("predict", "demo", "demo/data/test", stdout=full, stderr=subprocess.PIPE)
        self.check_error(result, 1, "standard output")

    def test_a_run_that_diverges_is_1_and_names_the_layer(self):
        result = enxerto(*small("demo/data", "diverged", "--optimizer", "sgd", "--lr", "1e30", "--schedule", "constant"))
        self.check(result, 1, "diverged", "--lr")

    def test_weights_of_another_run_are_taken_and_the_head_starts_anew_where_it_must(self):
        first = enxerto(*small("demo/data", "first"))
        self.check(first, 0)
        again = enxerto(*small("demo/data", "again", "--weights", "first", "--freeze", "conv"))
        self.check(again, 0)
        self.assertNotIn("starts anew", again.stdout)
        other = make_data("other", {"round": "circle", "sharp": "cross", "sharper": "cross"})
        anew = enxerto(*small(other, "anew", "--weights", "first/model.safetensors"))
        self.check(anew, 0, "the head \"fc3\" starts anew")
        wrong = enxerto("train", "demo/data", "--net", "lecture3", "--out", "never", "--weights", "first")
        self.check(wrong, 3, "first/model.safetensors", "grey")
        self.check(enxerto(*small("demo/data", "never", "--weights", "first", "--size", "40")), 3,
                   "first/model.safetensors", "fc1.weight", "120x")
        self.check(enxerto(*small("demo/data", "never", "--weights", "nowhere.safetensors")), 3, "nowhere")
        self.check(enxerto(*small("demo/data", "never", "--weights", "demo/log.jsonl")), 3, "demo/log.jsonl")
        self.check(enxerto(*small("demo/data", "never", "--freeze", "nothing")), 3, "nothing")

    def test_names_that_are_not_ascii_work_throughout(self):
        data = make_data("fotos de férias 写真", {"café": "circle", "犬 & 'katze'": "cross"})
        run = WORK / "läufe/eins zwei"
        self.check(enxerto(*small(data, run)), 0, run)
        picture = data / "café/smörgås 1.png"
        shutil.copy(pictures("test", "circle", 1)[0], picture)
        result = enxerto("predict", run, picture, "--json")
        self.check(result, 0)
        self.assertEqual(json.loads(result.stdout)["file"], str(picture))
        result = enxerto("evaluate", run, data, "--split", "all", "--json")
        self.check_evaluation(json.loads(result.stdout), ["café", "犬 & 'katze'"], 25)

    def test_names_that_are_not_utf_8_are_named_before_there_is_a_run(self):
        make_data("utf8", {"a": "circle", "b": "cross"})
        latin = os.fsencode(WORK) + b"/lat\xe9"
        shutil.copytree(os.fsencode(WORK / "utf8"), latin + b"/whole")
        shutil.copytree(os.fsencode(WORK / "utf8"), os.fsencode(WORK / "latin_class"))
        os.rename(os.fsencode(WORK / "latin_class/b"), os.fsencode(WORK) + b"/latin_class/b\xe9")

        def told(*arguments):
            return subprocess.run([ENXERTO, *map(os.fsencode, arguments)], cwd=WORK, env=ENVIRONMENT, timeout=PATIENCE,
                                  stdin=subprocess.DEVNULL, capture_output=True, encoding="latin-1")

        run = ["--out", "never", "--quiet"]
        for verb in (["train", "--net", "lenet5"], ["fit", "--recipe", "probe"], ["fit"]):
            self.check(told(*verb, latin + b"/whole", *run), 3, "the path of the data", "lat\\ufffd", "UTF-8")
            self.check(told(*verb, "latin_class", *run), 3, "the name of the class", "b\\ufffd")
        self.check_error(told("train", "utf8", "--net", "lenet5", "--out", latin + b"/run"), 2, "--out", "lat\\ufffd")
        self.assertFalse((WORK / "never").exists())
        # What only passes by, such as a cache, is no obstacle.
        self.check(told(*small("utf8", "utf8_run", "--picture-cache", latin + b"/cache")), 0)
        self.assertEqual(json.loads((WORK / "utf8_run/config.json").read_text())["command"], "")

    def test_names_steer_no_terminal(self):
        data = WORK / "steering"
        for label, shape in [("a\x1b[2J", "circle"), ("b\nc\x9b1m", "cross")]:
            (data / label).mkdir(parents=True)
            for i, picture in enumerate(pictures("train", shape, 25)):
                shutil.copy(picture, data / label / f"{10 * i}\x1b]0;title\x07.png")
        cut = data / "a\x1b[2J" / "0\x1b]0;title\x07.png"
        cut.write_bytes(cut.read_bytes()[:150])
        shown = ["a\\x1b[2J/0\\x1b]0;title\\x07.png"]
        results = [(enxerto("doctor", data), [*shown, "b\\x0ac\\x9b1m"]), (enxerto(*small(data, "steered")), shown),
                   (enxerto("evaluate", "steered", data, "--split", "val"), ["b\\x0ac\\x9b1m"])]
        for result, texts in results:
            self.check(result, 0, *texts)
        for verb in [["predict", "steered", data], ["explain", "steered", data, "--out", "steered-explained"]]:
            result = enxerto(*verb)
            self.check(result, 3, *shown)
            self.assertIn("\\x1b]0;title\\x07", result.stdout)
            results.append((result, []))
        for result, _ in results:
            for control in "\x1b\x07\x9b":
                self.assertNotIn(control, result.stdout + result.stderr)
        table = [line for line in results[0][0].stdout.splitlines() if line.startswith(("class ", "a\\", "b\\"))]
        self.assertEqual(len({len(line) for line in table}), 1, table)


class Doctor(Case):
    """What is planted in copies of the demo's pictures is found, told, and mended."""

    def data(self, name):
        """train/ and test/ of two classes, no picture twice."""
        data = WORK / name
        for split, count in [("train", 30), ("test", 10)]:
            for label in ["circle", "cross"]:
                (data / split / label).mkdir(parents=True)
                for picture in pictures(split, label, count):
                    shutil.copy(picture, data / split / label / f"{split}_{picture.name}")
        return data

    def spoil(self, data):
        """A copy in test, one under another label, a file that is cut, one with the wrong ending."""
        first, second, third, fourth = sorted((data / "train/cross").iterdir())[:4]
        shutil.copy(first, data / "test/cross/copy.png")
        shutil.copy(second, data / "train/circle/conflict.png")
        third.write_bytes(third.read_bytes()[:150])
        fourth.rename(data / "train/cross/wrong.jpg")
        return {"leak": [first, data / "test/cross/copy.png"], "conflict": [second, data / "train/circle/conflict.png"],
                "cut": third, "wrong": data / "train/cross/wrong.jpg"}

    def test_json_has_the_keys_that_scripts_count_on(self):
        data = self.data("doctor_json")
        planted = self.spoil(data)
        result = enxerto("doctor", data, "--json")
        self.check(result, 0)
        found = json.loads(result.stdout)
        self.assertEqual(found["images"], 82)
        self.assertEqual([each["class"] for each in found["classes"]], ["circle", "cross"])
        self.assertEqual([each["file"] for each in found["unreadable"]], [str(planted["cut"])])
        self.assertIn("cut short", found["unreadable"][0]["error"])
        self.assertEqual([each["file"] for each in found["wrong_extension"]], [str(planted["wrong"])])
        groups = [sorted(map(str, planted[kind])) for kind in ("leak", "conflict")]
        self.assertEqual(sorted(map(sorted, found["exact_duplicates"])), sorted(groups))
        self.assertEqual(found["near_duplicates"], [])
        self.assertEqual([sorted(group) for group in found["across_splits"]], groups[:1])
        self.assertEqual(len(found["conflicting_labels"]), 1)
        self.assertEqual(result.stdout.count("\n"), 1)

    def test_features_of_a_network_are_asked_too(self):
        data = self.data("doctor_features")
        result = enxerto("doctor", data, "--weights", "demo", "--json")
        self.check(result, 0)
        found = json.loads(result.stdout)
        self.assertEqual(len(found["near_found_by"]), len(found["near_duplicates"]))
        for pair in found["near_pairs"]:
            self.assertIn(pair["by"], ["pixels", "features"])
        self.check_error(enxerto("doctor", data, "--weights", "no_such_file"), 3, "no_such_file")
        self.check_error(enxerto("doctor", data, "--not-strict"), 2, "--weights")

    def test_the_table_says_what_to_do_worst_first(self):
        data = self.data("doctor_table")
        self.spoil(data)
        out = enxerto("doctor", data).stdout
        self.assertNotIn("\x1b", out)
        order = [out.index(each) for each in ["1 picture is in more than one split", "1 picture has different labels",
                                              "1 file cannot be read", "2 pictures are there more than once",
                                              "1 file is not what its ending says", "own split, mended"]]
        self.assertEqual(order, sorted(order), out)
        self.assertIn("test/cross/copy.png", out)
        clean = enxerto("doctor", self.data("doctor_clean"))
        self.check(clean, 0, "Nothing wrong was found.")

    def test_a_set_that_leaks_is_refused_until_it_is_mended_or_told(self):
        data = self.data("doctor_leak")
        planted = self.spoil(data)
        planted["cut"].unlink()
        result = enxerto(*small(data, "never"))
        self.check(result, 3, "copy.png", planted["leak"][0].name, "--split-out", "--allow-leaks")
        self.assertFalse((WORK / "never").exists())
        told = enxerto(*small(data, "told", "--allow-leaks"))
        self.check(told, 0)
        self.assertIn("too good", told.stderr)
        self.assertEqual(len(json.loads((WORK / "told/doctor.json").read_text())["shared"]), 1)
        self.check(enxerto(*small(data, "unchecked", "--no-check")), 0)
        self.assertFalse((WORK / "unchecked/doctor.json").exists())
        self.check(enxerto("doctor", data, "--split-out", "lists.csv"), 0, "enxerto train lists.csv")
        self.check(enxerto(*small("lists.csv", "mended")), 0)
        self.assertEqual(json.loads((WORK / "mended/doctor.json").read_text())["shared"], [])

    def test_a_few_unreadable_files_are_left_out_and_told(self):
        data = self.data("doctor_cut")
        for picture in sorted((data / "train/cross").iterdir())[:2]:
            picture.write_bytes(picture.read_bytes()[:150])
        self.check(enxerto(*small(data, "never", "--max-unreadable", "0.02")), 3, "2 of 80", "2.5 %", "cross/")
        self.check(enxerto(*small(data, "cut")), 0, "2 of 80")
        found = json.loads((WORK / "cut/doctor.json").read_text())
        self.assertEqual((found["unreadable"], len(found["left_out"])), (2, 2))
        config = json.loads((WORK / "cut/config.json").read_text())
        self.assertEqual(config["splits"]["train"]["pictures"] + config["splits"]["val"]["pictures"], 58)
        self.assertIn("could not be read", (WORK / "cut/report.html").read_text())
        # What was held back is found again, without what was left out.
        score = json.loads(enxerto("evaluate", "cut", data, "--split", "val", "--json").stdout)
        self.assertEqual(score["n"], config["splits"]["val"]["pictures"])
        # A resume leaves out the same and does not look again.
        (WORK / "cut/result.json").unlink()
        self.check(enxerto("train", "--resume", "cut"), 0)

    def test_a_class_of_which_nothing_can_be_read_is_named(self):
        data = make_data("unread", {"a": "circle", "b": "cross", "c": "cross"}, 30)
        for i, picture in enumerate(sorted((data / "c").iterdir())):
            picture.unlink() if i > 2 else picture.write_bytes(picture.read_bytes()[:150])
        for flags in ([], ["--class-weights", "balanced"]):
            result = enxerto(*small(data, "never", "--max-unreadable", "0.2", "--quiet", *flags))
            self.check_error(result, 3, "unread", 'the class "c"', "enxerto doctor")
        self.assertFalse((WORK / "never").exists())

    def test_nothing_to_hold_back_is_said(self):
        data = make_data("single", {"a": "circle", "b": "cross"}, 1)
        self.check(enxerto(*small(data, "never")), 3, "single", "val", "--val-fraction 0")
        self.assertFalse((WORK / "never").exists())
        self.check(enxerto(*small(data, "single-run", "--val-fraction", "0")), 0)

    def test_what_has_no_files_is_not_told_to_write_a_split(self):
        data = WORK / "idx_leak"
        data.mkdir()
        rng = random.Random(3)
        shared = rng.randbytes(28 * 28)
        for split in ("train", "t10k"):
            images = [shared, *(rng.randbytes(28 * 28) for _ in range(19))]
            (data / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 20, 28, 28) + b"".join(images))
            (data / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 20) + bytes([0, 1] * 10))
        refused = enxerto(*small(data, "never"))
        self.check(refused, 3, "share pictures", "#0", "--allow-leaks")
        self.assertNotIn("--split-out", refused.stderr)
        told = enxerto("doctor", data)
        self.check(told, 0, "1 picture is in more than one split", "cannot be written")
        self.assertNotIn("--split-out", told.stdout)
        self.check_error(enxerto("doctor", data, "--split-out", "idx.csv"), 3, "--split-out")

    def test_a_split_that_is_drawn_keeps_copies_together_and_proportions(self):
        data = WORK / "doctor_flat"
        for label in ["circle", "cross"]:
            (data / label).mkdir(parents=True)
            for i, picture in enumerate(pictures("train", label, 50)):
                shutil.copy(picture, data / label / f"{10 * i}x.png")
        self.check(enxerto("doctor", data, "--split-out", "flat.csv", "--val", "0.1", "--test", "0.3", "--seed", "4"), 0)
        rows = [line.split(",") for line in (WORK / "flat.csv").read_text().splitlines()]
        self.assertEqual(rows[0], ["path", "label", "split"])
        counts = {split: sum(row[2] == split for row in rows) for split in ("train", "val", "test")}
        self.assertEqual(counts, {"train": 60, "val": 10, "test": 30})

    def test_a_class_that_cannot_be_shared_out_is_no_obstacle_to_its_own_split(self):
        data = WORK / "doctor_rare"
        for label, shape, count in [("circle", "circle", 30), ("cross", "cross", 30), ("rare", "cross", 32)]:
            (data / label).mkdir(parents=True)
            for i, picture in enumerate(pictures("train", shape, count)[30 if label == "rare" else 0:]):
                shutil.copy(picture, data / label / f"{10 * i}x.png")
        self.check(enxerto("doctor", data, "--split-out", "rare.csv"), 0, "enxerto train rare.csv")
        result = enxerto(*small("rare.csv", "rare", "--json"))
        self.check(result, 0)
        self.assertIn('no picture is of the class "rare"', result.stderr)
        score = json.loads(result.stdout)["test"]
        self.check_evaluation(score, ["circle", "cross", "rare"])
        self.assertEqual(score["per_class"][2]["n"], 0)
        self.assertIsNone(score["per_class"][2]["recall"])
        self.assertIn("</html>", (WORK / "rare/report.html").read_text())
        self.check(enxerto("evaluate", "rare", "rare.csv"), 0, "rare")

    def test_what_cannot_be_looked_at_is_an_error(self):
        self.check_error(enxerto("doctor", "nowhere"), 3, "nowhere")
        (WORK / "hollow").mkdir()
        self.check_error(enxerto("doctor", "hollow"), 3, "hollow")
        self.check_error(enxerto("doctor", "demo/data", "--split-out", "list.txt"), 2, "--split-out", ".csv")
        self.check_error(enxerto("doctor", "demo/data", "--val", "0.9", "--test", "0.3"), 2, "0.9")
        self.check(enxerto("doctor", "demo/data/test/cross"), 0, "no folder for each class")


class Interrupt(Case):
    def arguments(self, out):
        return ["train", "demo/data", "--net", "lenet5", "--out", out, "--epochs", "60", "--batch", "8", "--threads", "1",
                "--seed", "3", "--flip"]

    def interrupt(self, arguments, log, number, epochs):
        """Starts a run and interrupts it behind so many epochs."""
        process = subprocess.Popen([ENXERTO, *map(str, arguments)], cwd=WORK, env=ENVIRONMENT, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            if log.exists() and log.read_text().count('"kind":"epoch"') >= epochs:
                break
            time.sleep(0.002)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def test_an_interrupted_run_goes_on_to_the_same_bits(self):
        self.check(enxerto(*self.arguments("whole")), 0)
        log = WORK / "parts/log.jsonl"
        result = self.interrupt(self.arguments("parts"), log, signal.SIGINT, 2)
        self.check(result, 130, "interrupted", "enxerto train --resume parts")
        result = self.interrupt(["train", "--resume", "parts", "--json"], log, signal.SIGTERM, 4)
        self.check(result, 130, "enxerto train --resume parts")
        self.assertEqual(result.stdout, "")
        # The disk fills up: the checkpoint stays whole.
        self.check(enxerto("train", "--resume", "parts", file_limit=60_000), 1, "parts/")
        self.check(enxerto("train", "--resume", "parts"), 0, "parts/model.safetensors")
        whole, parts = WORK / "whole", WORK / "parts"
        self.assertEqual((whole / "model.safetensors").read_bytes(), (parts / "model.safetensors").read_bytes())
        outcomes = [json.loads((run / "result.json").read_text()) for run in (whole, parts)]
        for key in ["epochs", "best_epoch", "best_value", "steps", "train_loss", "val", "test"]:
            self.assertEqual(outcomes[0][key], outcomes[1][key], key)
        epochs = [json.loads(line)["epoch"] for line in log.read_text().splitlines() if '"kind":"epoch"' in line]
        self.assertEqual(epochs, list(range(1, 61)))
        self.check_resume_of_a_run_that_has_ended(parts)
        again = enxerto("train", "--resume", "parts", "--json")
        self.check(again, 0)
        self.assertEqual(json.loads(again.stdout), outcomes[1])
        self.assertIn("ended already", again.stderr)

    def check_resume_of_a_run_that_has_ended(self, run):
        """Elsewhere it is told where it lies now; nothing of it changes, whoever asks."""
        moved = WORK / "moved"
        shutil.copytree(run, moved)
        before = {path.name: path.read_bytes() for path in moved.iterdir()}
        self.assertIn(b'"kind":"evaluation"', before["log.jsonl"])
        self.check_error(enxerto("fit", "--resume", "moved"), 2, "is a run of train")
        result = enxerto("train", "--resume", "moved", "--json")
        self.check(result, 0)
        self.assertEqual(json.loads(result.stdout)["run"], "moved")
        self.check(enxerto("train", "--resume", "moved"), 0, "Model   moved/model.safetensors")
        self.assertEqual({path.name: path.read_bytes() for path in moved.iterdir()}, before)

    def test_a_resume_of_nothing_or_with_other_data_is_an_error(self):
        self.check_error(enxerto("train", "--resume", "nowhere"), 3, "nowhere")
        data = make_data("changing", {"a": "circle", "b": "cross"})
        log = WORK / "changed/log.jsonl"
        result = self.interrupt(["train", data, "--net", "lenet5", "--out", "changed", "--epochs", "500"], log,
                                signal.SIGINT, 1)
        self.check(result, 130)
        sorted((data / "a").iterdir())[0].unlink()
        self.check_error(enxerto("train", "--resume", "changed"), 2, "changed", "pictures")

    def test_one_process_at_a_time_is_at_work_in_a_run(self):
        run = WORK / "shared"
        arguments = small("demo/data", "shared", "--schedule", "constant")
        self.check(enxerto(*arguments), 0)
        config = json.loads((run / "config.json").read_text())
        config["training"]["epochs"] = 3
        (run / "config.json").write_text(json.dumps(config))
        folder = os.open(run, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        before = (run / "log.jsonl").read_bytes()
        self.check_error(enxerto("train", "--resume", "shared"), 2, "shared: another process is at work")
        self.assertEqual((run / "log.jsonl").read_bytes(), before)
        os.close(folder)
        # What a process left that was killed while it wrote goes; a report that cannot be written fails no run.
        (run / "checkpoint.safetensors.partial123").write_text("half")
        (run / "notes.partially").write_text("mine")
        (run / "report.html").unlink()
        (run / "report.html").mkdir()
        result = enxerto("train", "--resume", "shared", "--json")
        self.check(result, 0)
        self.assertRegex(result.stderr, "the run is kept.*enxerto report shared")
        self.assertEqual(json.loads(result.stdout)["epochs"], 3)
        self.assertFalse((run / "checkpoint.safetensors.partial123").exists())
        self.assertTrue((run / "notes.partially").exists())

    def test_where_nothing_can_be_written_is_told_before_the_work(self):
        (WORK / "in_the_way").write_text("a file")
        result = enxerto(*small("demo/data", "in_the_way/run"))
        self.check_error(result, 1, "in_the_way/run", "a file is in the way")


class Predict(Case):
    def test_good_files_are_told_and_bad_ones_named(self):
        mixed = WORK / "mixed"
        mixed.mkdir()
        good = [shutil.copy(path, mixed / f"good{i}.png") for i, path in enumerate(pictures("test", "cross", 3))]
        (mixed / "bad.jpg").write_text("no picture")
        (mixed / "cut.png").write_bytes(Path(good[0]).read_bytes()[:300])
        result = enxerto("predict", "demo", "mixed", "mixed/not_there.png", "--batch", "2")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(re.findall(r"^mixed/(good\d).png +(?:circle|cross) +[\d.]+ %", result.stdout, re.M),
                         ["good0", "good1", "good2"])
        errors = result.stderr.splitlines()
        self.assertEqual(len(errors), 3, result.stderr)
        for error, name in zip(errors, ["mixed/bad.jpg", "mixed/cut.png", "mixed/not_there.png"]):
            self.assertIn(name, error)

        lines = enxerto("predict", "demo", "mixed", "--json", "--top", "1").stdout.splitlines()
        answers = [json.loads(line) for line in lines]
        self.assertEqual([answer["file"] for answer in answers],
                         [f"mixed/{name}" for name in ["bad.jpg", "cut.png", "good0.png", "good1.png", "good2.png"]])
        for answer in answers[:2]:
            self.assertEqual(set(answer), {"file", "error"})
        for answer in answers[2:]:
            self.assertLessEqual({"file", "class", "probability", "top"}, set(answer))
            self.assertEqual(answer["top"], [{"class": answer["class"], "probability": answer["probability"],
                                              "index": ["circle", "cross"].index(answer["class"])}])

    def test_all_classes_are_listed_best_first_and_sum_to_one(self):
        result = enxerto("predict", "demo/model.safetensors", pictures("test", "circle", 1)[0], "--json")
        self.check(result, 0)
        top = json.loads(result.stdout)["top"]
        self.assertEqual({each["class"] for each in top}, {"circle", "cross"})
        self.assertGreaterEqual(top[0]["probability"], top[1]["probability"])
        self.assertAlmostEqual(top[0]["probability"] + top[1]["probability"], 1, places=5)

    def test_batches_of_any_size_say_the_same(self):
        answers = [enxerto("predict", "demo", "demo/data/val", "--json", "--batch", size).stdout for size in (1, 7, 64)]
        classes = [[json.loads(line)["class"] for line in each.splitlines()] for each in answers]
        self.assertEqual(len(classes[0]), 20)
        self.assertEqual(classes[0], classes[1])
        self.assertEqual(classes[0], classes[2])

    def test_a_file_that_is_no_model_is_3(self):
        picture = pictures("test", "circle", 1)[0]
        self.check_error(enxerto("predict", "nowhere", picture), 3, "nowhere")
        self.check_error(enxerto("predict", "demo/log.jsonl", picture), 3, "demo/log.jsonl")
        self.check_error(enxerto("predict", "demo/checkpoint.safetensors", picture), 3, "checkpoint.safetensors")
        cut = WORK / "cut.safetensors"
        cut.write_bytes((WORK / "demo/model.safetensors").read_bytes()[:5000])
        self.check_error(enxerto("predict", cut, picture), 3, "cut.safetensors")

    def test_preprocess_writes_what_the_network_is_given(self):
        result = enxerto("preprocess", "demo", *pictures("test", "circle", 2), "--out", "tensor.npy", "--json")
        self.check(result, 0)
        self.assertEqual(json.loads(result.stdout)["shape"], [2, 3, 48, 48])
        content = (WORK / "tensor.npy").read_bytes()
        self.assertTrue(content.startswith(b"\x93NUMPY"))
        header = content[:content.index(b"\n") + 1]
        self.assertIn(b"(2, 3, 48, 48)", header)
        self.assertEqual(len(content) - len(header), 4 * 2 * 3 * 48 * 48)
        values = struct.unpack(f"<{2 * 3 * 48 * 48}f", content[len(header):])
        self.assertTrue(-1 <= min(values) < max(values) <= 1)

    def test_preprocess_tells_its_steps_and_shows_what_the_network_sees(self):
        first = pictures("test", "circle", 1)[0]
        twin = WORK / "twin" / first.name
        twin.parent.mkdir()
        shutil.copy(first, twin)
        result = enxerto("preprocess", "demo", first, twin, "--png", "seen")
        self.check(result, 0, "1. decoded", "the middle 48x48 cut out", "becomes (value / 255", "seen: 2 pictures")
        self.assertEqual(sorted(path.name for path in (WORK / "seen").iterdir()),
                         [first.stem + ".png", first.stem + "_2.png"])
        self.assertEqual(png_size(WORK / "seen" / (first.stem + ".png")), (48, 48))
        self.check_error(enxerto("preprocess", "demo", first), 2, "--out", "--png")
        (WORK / "a_file").write_text("no folder")
        self.check_error(enxerto("preprocess", "demo", first, "--png", "a_file"), 1, "a_file")
        # Pictures are never written over.
        before = twin.read_bytes()
        self.check_error(enxerto("preprocess", "demo", twin, "--png", "twin/"), 2, "--png", "another folder")
        self.check_error(enxerto("preprocess", "demo", twin, "--out", twin), 2, "--out", "in use")
        self.assertEqual(twin.read_bytes(), before)
        self.assertEqual(len(list(twin.parent.iterdir())), 1)
        broken = WORK / "broken.png"
        broken.write_bytes(first.read_bytes()[:40])
        self.check_error(enxerto("preprocess", "demo", broken, "--png", "seen"), 3, "broken.png")


class Preview(Case):
    def preview(self, *arguments):
        result = enxerto("preview", *arguments, "--out", "sheet.png", "--json")
        self.check(result, 0)
        return json.loads(result.stdout), (WORK / "sheet.png").read_bytes()

    def test_it_shows_data_as_a_training_would_get_them(self):
        shown, plain = self.preview("demo/data", "--count", "6", "--size", "20")
        self.assertEqual(len(shown["pictures"]), 6)
        for picture in shown["pictures"]:
            self.assertEqual(Path(picture["file"]).parent.name, picture["class"])
            self.assertNotIn("shares", picture)
        self.assertEqual(shown["columns"], 3)
        self.assertEqual(png_size(WORK / "sheet.png"), (3 * 22 + 2, 2 * 22 + 2))
        again, augmented = self.preview("demo/data", "--count", "6", "--size", "20", "--augment", "--erase", "1")
        self.assertEqual(again["pictures"], shown["pictures"])
        self.assertNotEqual(augmented, plain)
        self.assertEqual(self.preview("demo/data", "--count", "6", "--size", "20", "--augment", "--erase", "1"),
                         (again, augmented))
        other, _ = self.preview("demo/data", "--count", "6", "--size", "20", "--epoch", "2")
        self.assertNotEqual(other["pictures"], shown["pictures"])
        self.assertEqual(self.preview("demo/data", "--count", "500", "--size", "8")[0]["columns"], 13)  # all there are

    def test_fit_filter_and_decoding_can_be_chosen(self):
        flags = ["demo/data", "--count", "4", "--size", "20", "--preprocess", "unit"]
        shown, plain = self.preview(*flags)
        other, sheet = self.preview(*flags, "--fit", "pad", "--filter", "lanczos", "--decode", "fast")
        self.assertNotEqual(sheet, plain)
        self.assertEqual((other["preprocess"]["fit"], other["preprocess"]["filter"], other["preprocess"]["decode"]),
                         ("pad", "lanczos", "fast"))
        out = ["--out", "never.png"]
        self.check_error(enxerto("preview", "demo/data", "--fit", "stretch", *out), 2, "squash")
        self.check_error(enxerto("preview", "demo", "--fit", "pad", *out), 2, "--fit")

    def test_mixed_pictures_have_shares(self):
        for flag in ["--mixup", "--cutmix"]:
            shown, _ = self.preview("demo/data", "--count", "8", "--size", "20", flag, "1")
            for picture in shown["pictures"]:
                shares = {each["class"]: each["share"] for each in picture["shares"]}
                self.assertAlmostEqual(sum(shares.values()), 1, places=5)
            self.assertTrue(any(len(picture["shares"]) == 2 for picture in shown["pictures"]))
        result = enxerto("preview", "demo/data", "--count", "8", "--mixup", "1", "--out", "sheet.png")
        self.check(result, 0, "sheet.png: 8 pictures", "Augmentation: mixup 1; epoch 1, seed 0", ", cross 0.")

    def test_a_run_is_shown_as_it_trains(self):
        result = enxerto(*small("demo/data", "previewed", "--flip", "--jitter", "0.4,0.3", "--policy", "rand",
                                "--policy-magnitude", "5", "--seed", "4", "--quiet"))
        self.check(result, 0)
        training = json.loads((WORK / "previewed/config.json").read_text())["training"]
        self.assertEqual((training["augment"]["brightness"], training["augment"]["rand_magnitude"]), (0.4, 5))
        self.assertIn("brightness 0.4, contrast 0.3", (WORK / "previewed/report.html").read_text())
        shown, sheet = self.preview("previewed", "--count", "12")
        self.assertEqual((shown["augment"], shown["preprocess"]), (training["augment"], training["preprocess"]))
        self.assertEqual((shown["batch"], shown["seed"]), (8, 4))
        self.assertEqual(len(shown["pictures"]), 12)
        changed, other = self.preview("previewed", "--count", "12", "--policy", "none", "--jitter", "0")
        self.assertEqual(changed["augment"]["flip"], 0.5)
        self.assertEqual(changed["augment"]["brightness"], 0)
        self.assertNotEqual(sheet, other)

    def test_what_a_run_left_out_is_not_shown(self):
        data = make_data("some_broken", {"circle": "circle", "cross": "cross"}, 10)
        broken = next((data / "cross").iterdir())
        broken.write_bytes(broken.read_bytes()[:60])
        self.check(enxerto(*small(data, "left_out", "--max-unreadable", "0.2", "--quiet")), 0)
        shown, _ = self.preview("left_out", "--count", "100", "--batch", "1")
        self.assertEqual(len(shown["pictures"]), 15)
        self.assertNotIn(broken.name, [Path(each["file"]).name for each in shown["pictures"]])

    def test_errors_say_what_is_wrong(self):
        empty = WORK / "nothing_in_it"
        empty.mkdir()
        out = ["--out", "never.png"]
        self.check_error(enxerto("preview", empty, *out), 3, "nothing_in_it")
        self.check_error(enxerto("preview", "nowhere", *out), 3, "nowhere")
        data = make_data("one_broken", {"circle": "circle", "cross": "cross"}, 2)
        broken = next((data / "cross").iterdir())
        broken.write_bytes(broken.read_bytes()[:60])
        self.check_error(enxerto("preview", data, *out), 3, broken.name)
        self.assertFalse((WORK / "never.png").exists())
        self.check_error(enxerto("preview", "demo/data", "--out", "no/such/folder.png"), 3, "no/such/folder.png")
        self.check_error(enxerto("preview", "demo/data", "--out", "demo"), 2, "demo", "--out")
        self.check_error(enxerto("preview", "demo", "--net", "lenet5", *out), 2, "--net")
        for flags, texts in [(["--count", "0"], ["--count"]), (["--count", "2000"], ["1024"]),
                             (["--size", "16000"], ["--count", "--size"]), (["--epoch", "0"], ["--epoch"]),
                             (["--jitter", "a"], ["--jitter", "hue"]), (["--jitter", "1,2,3,4,5"], ["--jitter"]),
                             (["--jitter", "0,0,0,0.7"], ["hue", "0.5"]), (["--rotate", "200"], ["rotate", "180"]),
                             (["--policy", "auto"], ["auto", "trivial"]), (["--erase", "2"], ["erase"]),
                             (["--policy-ops", "3"], ["--policy-ops"]), (["--mixup", "-1"], ["mixup"]),
                             (["--net", "lenet9"], ["lenet9"])]:
            with self.subTest(" ".join(flags)):
                self.check_error(enxerto("preview", "demo/data", *flags, *out), 2, *texts)


class Evaluate(Case):
    def test_json_and_table_agree(self):
        result = enxerto("evaluate", "demo", "demo/data", "--split", "test", "--json")
        self.check(result, 0)
        score = json.loads(result.stdout)
        self.check_evaluation(score, ["circle", "cross"], 40)
        self.assertNotIn("top5", score)
        self.assertEqual(score["split"], "test")
        outcome = json.loads((WORK / "demo/result.json").read_text())["test"]
        self.assertEqual(score["top1"], outcome["top1"])
        self.check(enxerto("evaluate", "demo", "demo/data"), 0, "split test", "40 pictures",
                   f"{100 * score['top1']:.2f} %", "circle", "precision")
        counts = {split: json.loads(enxerto("evaluate", "demo", "demo/data", "--split", split, "--json").stdout)["n"]
                  for split in ["train", "val", "all"]}
        self.assertEqual(counts, {"train": 160, "val": 20, "all": 220})

    def test_classes_are_matched_by_name(self):
        # The folder has only one of the classes, whose number would be another one without its name.
        data = make_data("crosses", {"cross": "cross"})
        score = json.loads(enxerto("evaluate", "demo", data, "--json").stdout)
        self.check_evaluation(score, ["circle", "cross"], 12)
        self.assertEqual([each["n"] for each in score["per_class"]], [0, 12])
        self.check_error(enxerto("evaluate", "demo", make_data("unknown", {"cross": "cross", "zebra": "circle"})), 3,
                         "zebra", "circle")

    def test_what_a_run_held_back_is_found_again(self):
        data = make_data("held", {"a": "circle", "b": "cross"}, 20)
        outcome = enxerto(*small(data, "holding", "--test-fraction", "0.25", "--json"))
        self.check(outcome, 0)
        score = json.loads(enxerto("evaluate", "holding", data, "--split", "test", "--json").stdout)
        measured = json.loads(outcome.stdout)["test"]
        # Kernels differ with the size of the batch, and with them the last bits.
        self.assertAlmostEqual(measured["loss"], score["loss"], 6)
        passing = {"split": "test", "seconds": 0, "loss": 0}
        self.assertEqual({**measured, **passing}, {**score, **passing})
        # Where a picture has come since, nobody can tell which they were.
        shutil.copy(pictures("test", "circle", 1)[0], data / "a/another.png")
        changed = enxerto("evaluate", "holding", data, "--json")
        self.check(changed, 0)
        self.assertRegex(changed.stderr, "have changed since.*too good")
        self.assertEqual(json.loads(changed.stdout)["split"], "all")
        meant = enxerto("evaluate", "holding", data, "--split", "all")
        self.check(meant, 0)
        self.assertNotIn("too good", meant.stderr)
        # Not by the model alone, which does not say how.
        self.check_error(enxerto("evaluate", "holding/model.safetensors", data, "--split", "test"), 3, "test", "--split")

    def test_a_picture_that_cannot_be_read_is_3(self):
        data = make_data("sick", {"circle": "circle", "cross": "cross"})
        (data / "cross/words.jpg").write_text("words")
        self.check(enxerto("evaluate", "demo", data), 3, "words.jpg")


def answers_of(model):
    """The classes and probabilities that a model gives the demo's test pictures."""
    run = enxerto("predict", model, "demo/data/test", "--json")
    return [(json.loads(line)["class"], json.loads(line)["probability"]) for line in run.stdout.splitlines()]


class Convert(Case):
    def test_a_run_becomes_onnx_and_safetensors_that_answer_alike(self):
        result = enxerto("convert", "demo", "demo.onnx", "--json")
        self.check(result, 0)
        answer = json.loads(result.stdout)
        self.assertEqual(answer["format"], "onnx")
        self.assertEqual(answer["classes"], 2)
        self.check(enxerto("convert", "demo.onnx", "again.safetensors"), 0, "again.safetensors", "parameters")
        self.check(enxerto("convert", "demo", "plain.onnx", "--plain-input"), 0)
        self.check_error(enxerto("convert", "demo", "plain.safetensors", "--plain-input"), 2, "--plain-input", ".onnx")
        self.check(enxerto("convert", "demo", "half.safetensors", "--half"), 0)
        self.assertLess((WORK / "half.safetensors").stat().st_size, 0.6 * (WORK / "demo/model.safetensors").stat().st_size)
        self.check(enxerto("convert", "demo", "trunk.safetensors", "--cut", "pool1"), 0, "no classes")
        self.check_error(enxerto("convert", "demo", "trunk2.safetensors", "--cut", "nowhere"), 3, "demo", "nowhere")
        self.check_error(enxerto("convert", "demo", "half.onnx", "--half"), 2, "--half")
        wanted = answers_of("demo")
        self.assertGreater(len(wanted), 1)
        for other in ("demo.onnx", "again.safetensors", "plain.onnx"):
            got = answers_of(other)
            self.assertEqual([each[0] for each in got], [each[0] for each in wanted])
            for (_, a), (_, b) in zip(got, wanted):
                self.assertAlmostEqual(a, b, places=5)
        self.check(enxerto("summary", "demo.onnx"), 0, "conv3")
        self.check(enxerto("evaluate", "demo.onnx", "demo/data", "--split", "test"), 0, "top-1")

    def test_a_trunk_stays_a_trunk_in_every_format(self):
        self.check(enxerto("convert", "demo", "stem.safetensors", "--cut", "pool1"), 0, "no classes")
        self.check(enxerto("convert", "stem.safetensors", "stem.onnx"), 0, "no classes")
        self.check(enxerto("convert", "stem.onnx", "stem2.safetensors"), 0, "no classes")
        self.check(enxerto("convert", "builtin", "box.onnx"), 0, "no classes")
        self.check_error(enxerto("predict", "box.onnx", pictures("test", "circle", 1)[0]), 3, "box.onnx", "no classes")
        features = {}
        for stem in ("stem.safetensors", "stem.onnx", "stem2.safetensors", "builtin", "box.onnx"):
            result = enxerto("extract", "demo/data", "--weights", stem, "--split", "val", "--out", "stem.npy", "--json")
            self.check(result, 0)
            features[stem] = json.loads(result.stdout)["features"]
        self.assertEqual(features["stem.onnx"], features["stem.safetensors"])
        self.assertEqual(features["stem2.safetensors"], features["stem.safetensors"])
        self.assertEqual(features["box.onnx"], features["builtin"])

    def test_a_network_of_others_is_trained_on_with_a_new_head(self):
        self.check(enxerto("convert", "demo", "start.onnx"), 0)
        data = make_data("three", {"round": "circle", "sharp": "cross", "sharper": "cross"})
        result = enxerto("train", data, "--weights", "start.onnx", "--out", "onward", "--epochs", "2", "--batch", "8",
                         "--freeze", "conv1")
        self.check(result, 0, "start.onnx", "the head", "starts anew")
        self.check(enxerto("predict", "onward", pictures("test", "circle", 1)[0]), 0)
        self.check(enxerto("train", data, "--out", "never"), 2, "--net", "--weights")
        self.check(enxerto("train", data, "--net", "lenet5", "--out", "never", "--preprocess", "half"), 2, "--weights")

    def test_the_way_to_decode_is_kept_in_what_is_written(self):
        for out in ("fast.onnx", "fast.safetensors"):
            self.check(enxerto("convert", "demo", out, "--decode", "fast"), 0)
            result = enxerto("convert", out, "fast_again.safetensors", "--json")
            self.check(result, 0)
            self.assertEqual(json.loads(result.stdout)["preprocess"]["decode"], "fast")
        self.check_error(enxerto("convert", "demo", "slow.onnx", "--decode", "slow"), 2, "slow", "exact")
        self.assertFalse((WORK / "slow.onnx").exists())

    def test_what_cannot_be_converted_is_said(self):
        self.check_error(enxerto("convert", "demo", "demo.h5"), 2, "demo.h5", ".onnx")
        self.check_error(enxerto("convert", "nowhere.pth", "out.onnx"), 3, "nowhere.pth")
        self.check_error(enxerto("convert", "demo", "nowhere/out.onnx"), 3, "nowhere/out.onnx")
        self.check_error(enxerto("convert", "demo/model.safetensors", "demo/model.safetensors"), 2, "another name")
        before = (WORK / "demo/model.safetensors").read_bytes()
        (WORK / "link.safetensors").symlink_to("demo/model.safetensors")
        for given, out in (("demo", "demo/model.safetensors"), ("demo", "link.safetensors"),
                           ("link.safetensors", "demo/model.safetensors")):
            self.check_error(enxerto("convert", given, out, "--cut", "pool1"), 2, out, "another name")
        self.assertEqual((WORK / "demo/model.safetensors").read_bytes(), before)
        self.check_error(enxerto("convert", "demo", "out.onnx", "--net", "resnet18"), 2, "model file")
        self.check_error(enxerto("predict", "resnet50", "demo/data/test"), 3, "enxerto pull resnet50")
        self.check_error(enxerto("predict", "lenet5", "demo/data/test"), 2, "lenet5")


class Summary(Case):
    def test_parameters_are_those_that_everybody_counts(self):
        for arguments, parameters in [(["lenet5"], 61_706), (["resnet18"], 11_689_512),
                                      (["resnet18", "--style", "keras"], 11_699_112),
                                      (["resnet18", "--size", "64", "--classes", "2"], 11_177_538),
                                      (["mobilenet_v3_small"], 2_542_856), (["squeezenet1_1"], 1_235_496)]:
            with self.subTest(str(arguments)):
                result = enxerto("summary", *arguments, "--json")
                self.check(result, 0)
                answer = json.loads(result.stdout)
                self.assertEqual(answer["parameters"], parameters)
                self.assertEqual(answer["parameters"], answer["trainable"] + answer["non_trainable"])
                self.assertEqual(answer["parameters"], sum(each["parameters"] for each in answer["layers"]))
                for layer in answer["layers"]:
                    self.assertLessEqual({"name", "kind", "output", "parameters", "multiply_adds"}, set(layer))

    def test_the_table_has_layers_totals_and_memory(self):
        self.check(enxerto("summary", "lenet5"), 0, "conv1", "61,706", "Memory:", "to train")
        self.check(enxerto("summary", "demo"), 0, "conv3", "fc")
        shorter = json.loads(enxerto("summary", "lenet5", "--no-top", "--json").stdout)
        self.assertEqual(shorter["layers"][-1]["output"], [16, 5, 5])

    def test_a_file_that_is_not_there_is_wrong_input_and_no_net(self):
        for missing in ("missing.safetensors", "missing.pth", "nowhere/run", "./lenet5"):
            self.check_error(enxerto("summary", missing), 3, missing, "no such file", "no net of that name")
        self.check_error(enxerto("summary", "lenet4"), 2, "lenet4", "lenet5")
        os.mkfifo(WORK / "pipe.safetensors")
        self.check_error(enxerto("summary", "pipe.safetensors"), 3, "pipe.safetensors", "pipe")
        (WORK / "labels_inside").mkdir()
        self.check_error(enxerto("summary", "labels_inside"), 3, "labels_inside")

    def test_a_net_that_one_picture_cannot_train_is_told_all_the_same(self):
        self.check(enxerto("summary", "resnet18", "--size", "32"), 0, "11,689,512", "to predict", "larger --batch")
        told = json.loads(enxerto("summary", "resnet18", "--size", "32", "--json").stdout)
        self.assertIsNone(told["training_bytes"])
        self.assertGreater(told["inference_bytes"], 0)
        told = json.loads(enxerto("summary", "resnet18", "--size", "32", "--batch", "2", "--json").stdout)
        self.assertGreater(told["training_bytes"], told["inference_bytes"])

    def test_a_frozen_body_with_a_new_head_counts_as_in_keras(self):
        net = ["summary", "resnet50_keras", "--style", "keras", "--size", "64"]
        self.check(enxerto(*net, "--no-top"), 0, "23,587,712")
        self.check(enxerto(*net, "--classes", "10"), 0, "23,608,202", "23,555,082", "53,120")
        for freeze in (["--freeze", "conv"], ["--freeze-through", "avg_pool"],
                       ["--freeze", "conv1", "--freeze", "conv2", "--freeze", "conv3", "--freeze", "conv4",
                        "--freeze", "conv5"]):
            self.check(enxerto(*net, "--classes", "10", *freeze), 0, "23,608,202", "20,490", "23,587,712")
        self.check(enxerto(*net, "--freeze", "layer1"), 3, "layer1")

    def test_pooling_is_added_to_a_net_without_its_top(self):
        pooled = json.loads(enxerto("summary", "resnet18", "--no-top", "--pooling", "avg", "--json").stdout)
        self.assertEqual(pooled["layers"][-1]["output"], [512, 1, 1])
        self.check(enxerto("summary", "resnet18", "--pooling", "avg"), 2, "--no-top")


class Profile(Case):
    def test_a_step_is_told_layer_by_layer(self):
        told = json.loads(enxerto("profile", "lenet5", "--train", "--batch", "4", "--runs", "2", "--json").stdout)
        self.assertEqual({row["direction"] for row in told["profile"]}, {"forward", "backward"})
        self.assertIn("conv1", {row["node"] for row in told["profile"]})
        for row in told["profile"]:
            self.assertGreater(row["ms"], 0)
            self.assertIn(row["binds"], ("memory", "arithmetic"))
            self.assertLessEqual(row["live_bytes"], told["peak_live_bytes"])
        self.assertGreater(told["peak"]["gflops"], 0)
        self.assertEqual(len(told["all_seconds"]), 2)

    def test_a_run_is_profiled_as_it_answers(self):
        self.check(enxerto("profile", "demo", "--runs", "2"), 0, "conv3", "of peak", "Peak of the chip", "in use at",
                   "images/s")


class Terminal(Case):
    def watch(self, columns, *arguments, locale="C.UTF-8"):
        """What the command writes to a terminal of so many columns."""
        pid, descriptor = pty.fork()
        if pid == 0:
            os.chdir(WORK)
            os.execve(ENXERTO, [ENXERTO, *map(str, arguments)], {**ENVIRONMENT, "LC_ALL": locale})
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        content = b""
        while True:
            try:
                part = os.read(descriptor, 65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not part:
                break
            content += part
        os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), content.decode()

    def test_the_bar_keeps_to_the_width_and_is_cleared(self):
        for columns, locale in [(100, "C.UTF-8"), (60, "C.UTF-8"), (80, "C")]:
            with self.subTest(columns=columns, locale=locale):
                code, shown = self.watch(columns, "train", "demo/data", "--net", "lecture3", "--size", "48", "--out",
                                         f"watched{columns}", "--epochs", "6", "--batch", "4", locale=locale)
                self.assertEqual(code, 0, shown)
                bars = [each for each in re.split("[\r\n]", shown) if each.startswith("epoch ") and "%" in each]
                self.assertTrue(bars, shown)
                for bar in bars:
                    self.assertLess(len(re.sub("\x1b\\[[0-9;]*[a-zA-Z]", "", bar)), columns)
                    self.assertTrue(bar.endswith("\x1b[K"))
                self.assertEqual("━" in shown, locale == "C.UTF-8")
                self.assertNotIn("epoch ", re.sub(".*\r\x1b\\[K", "", shown).split("Kept:")[0].replace("  epoch ", ""))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ENXERTO = str(Path(sys.argv.pop(1)).resolve())
    with tempfile.TemporaryDirectory(prefix="enxerto-cli-") as folder:
        WORK = Path(folder)
        ENVIRONMENT["ENXERTO_CACHE"] = str(WORK / "cache")
        unittest.main()
