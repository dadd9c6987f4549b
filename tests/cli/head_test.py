#!/usr/bin/env python3
"""`enxerto head` as scripts and people meet it: each test is a transcript of command, output and exit code.

usage: head_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import array
import json
import math
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ENXERTO = ""
WORK = None  # a folder for all of it
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "ENXERTO_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
HEADS = ["logistic", "svm", "ridge", "knn", "tree", "forest"]


def head(*arguments, file_limit=None):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.run([ENXERTO, "head", *map(str, arguments)], cwd=WORK, env=ENVIRONMENT, timeout=300,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          preexec_fn=limit if file_limit else None)


def save(name, descr, shape, data, fortran=False):
    """A .npy file as NumPy writes it."""
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    (WORK / name).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)


def save_rows(name, rows, descr="<f4"):
    values = [each for row in rows for each in row]
    data = struct.pack(f"<{len(values)}e", *values) if descr == "<f2" else \
        array.array({"<f4": "f", "<f8": "d"}[descr], values).tobytes()
    save(name, descr, (len(rows), len(rows[0])), data)


def save_labels(name, labels, descr="<i8"):
    code = {"<i8": "q", "<i4": "i", "|u1": "B", "<f4": "f", "<f8": "d"}[descr]
    save(name, descr, f"({len(labels)},)", array.array(code, labels).tobytes())


def clouds(count, seed):
    """Rows of three classes, 7, 8 and 11, that overlap a little; the last column is a thousand times as loud."""
    rng = random.Random(seed)
    rows, labels = [], []
    for i in range(count):
        k = i % 3
        row = [2.2 * math.cos(2 * math.pi * k / 3 + j) + rng.gauss(0, 1) for j in range(8)]
        rows.append(row[:7] + [1000 * row[7]])
        labels.append((7, 8, 11)[k])
    return rows, labels


def setUpModule():
    for name, count, seed in (("train", 120, 1), ("test", 60, 2)):
        rows, labels = clouds(count, seed)
        save_rows(f"{name}.npy", rows)
        save_labels(f"{name}_labels.npy", labels)


class Case(unittest.TestCase):
    maxDiff = None

    def check_error(self, result, code, *texts):
        """Nothing but one line on stderr."""
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, r"\Aenxerto: [^\n]+\n\Z")
        self.assertEqual(result.stdout, "")
        self.assertNotIn("fault of ours", result.stderr)
        for wanted in texts:
            self.assertIn(str(wanted), result.stderr)

    def fit(self, *arguments):
        result = head("train.npy", "train_labels.npy", "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)


class Fits(Case):
    def test_each_head_tells_what_scripts_count_on(self):
        for kind in HEADS:
            with self.subTest(head=kind):
                found = self.fit("--head", kind, "--test", "test.npy", "test_labels.npy")
                self.assertLessEqual({"objective", "train_accuracy", "test_accuracy", "seconds", "iterations"}, set(found))
                self.assertEqual(found["classes"], ["7", "8", "11"])
                self.assertEqual((found["rows"], found["columns"]), (120, 8))
                for which in ("train", "test"):
                    low, high = found[f"{which}_accuracy_interval"]
                    self.assertTrue(0 <= low <= found[f"{which}_accuracy"] <= high <= 1)
                    self.assertGreater(found[f"{which}_accuracy"], 0.75)
                self.assertEqual(found["objective"] is None, kind in ("knn", "tree", "forest"))
                self.assertEqual(found["standardized"], kind not in ("tree", "forest"))
                self.assertEqual(found["test"]["n"], 60)
                self.assertEqual(sum(map(sum, found["test"]["confusion"])), 60)

    def test_without_a_test_set_there_is_no_test_accuracy(self):
        found = self.fit("--head", "ridge")
        self.assertIsNone(found["test_accuracy"])
        self.assertNotIn("test", found)

    def test_people_read_lines(self):
        result = head("train.npy", "train_labels.npy", "--head", "forest", "--test", "test.npy", "test_labels.npy",
                      "--pca", "4", "--out", "shown.safetensors")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "train.npy: 120 rows of 8 columns, 3 classes")
        self.assertRegex(lines[1], r"\A4 principal components hold \d+\.\d % of the variance\Z")
        self.assertRegex(lines[2], r"\Aforest, \d+\.\d\d s\Z")
        for line, name in zip(lines[3:6], ["train accuracy", "out of bag", "test accuracy"]):
            self.assertRegex(line, rf"\A{name} +\d+\.\d\d %   \(95 % interval \d+\.\d % to \d+\.\d %\)\Z")
        self.assertEqual(lines[6:], ["Kept: shown.safetensors"])

    def test_types_of_numbers_do_not_matter(self):
        rows, labels = clouds(120, 1)
        wanted = self.fit("--head", "ridge")
        save_rows("double.npy", rows, "<f8")
        save_rows("half.npy", rows, "<f2")
        for features, tolerance in (("double.npy", 1e-6), ("half.npy", 1e-2)):
            for descr in ("<i4", "|u1", "<f4", "<f8"):
                save_labels("other_labels.npy", labels, descr)
                result = head(features, "other_labels.npy", "--head", "ridge", "--json")
                self.assertEqual(result.returncode, 0, result.stderr)
                found = json.loads(result.stdout)
                self.assertAlmostEqual(found["objective"] / wanted["objective"], 1, delta=tolerance)
                self.assertEqual(found["classes"], wanted["classes"])

    def test_labels_may_be_negative(self):
        save_labels("signs.npy", [-1 if i % 3 else 1 for i in range(120)])
        result = head("train.npy", "signs.npy", "--head", "ridge", "--json")
        self.assertEqual(json.loads(result.stdout)["classes"], ["-1", "1"])

    def test_ridge_chooses_by_leave_one_out_unless_told(self):
        found = self.fit("--head", "ridge")
        best = min(found["leave_one_out"], key=lambda step: step["squared_error"])
        self.assertEqual((len(found["leave_one_out"]), best["c"]), (17, found["c"]))
        self.assertEqual(self.fit("--head", "ridge", "--c", "0.01")["c"], 0.01)

    def test_folds_choose_c(self):
        for kind in ("logistic", "svm"):
            with self.subTest(head=kind):
                found = self.fit("--head", kind, "--folds", "4")
                self.assertIn(found["c"], [step["c"] for step in found["path"]])
                self.assertEqual({len(step["folds"]) for step in found["path"]}, {4})

    def test_a_seed_gives_the_same_file_for_any_number_of_threads(self):
        files = []
        for threads in (1, 2, 3):
            self.fit("--head", "forest", "--trees", "9", "--seed", "5", "--threads", threads, "--out", "a.safetensors")
            files.append((WORK / "a.safetensors").read_bytes())
        self.assertEqual(len(set(files)), 1)

    def test_a_linear_head_is_a_last_layer(self):
        self.fit("--head", "ridge", "--pca", "3", "--out", "linear.safetensors")
        data = (WORK / "linear.safetensors").read_bytes()
        header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
        self.assertEqual({name: header[name]["shape"] for name in ("weight", "bias")}, {"weight": [3, 8], "bias": [3]})
        self.assertEqual(json.loads(header["__metadata__"]["enxerto_head"])["classes"], ["7", "8", "11"])

    def test_components_hold_a_share_of_the_variance(self):
        found = self.fit("--head", "ridge", "--pca-share", "0.6")
        self.assertGreaterEqual(found["pca"]["explained_variance"], 0.6)
        self.assertLess(found["pca"]["components"], 8)


class Refusals(Case):
    def refuse(self, code, features, labels, *texts, options=("--head", "ridge")):
        self.check_error(head(features, labels, *options, "--json"), code, *texts)

    def test_what_is_wrong_with_the_command_line(self):
        for options, texts in ((["--head", "oracle"], ["--head"]), (["--head", "ridge", "--c", "0"], ["--c"]),
                               (["--head", "ridge", "--c", "nan"], ["--c"]),
                               (["--head", "knn", "--folds", "5"], ["folds"]),
                               (["--head", "logistic", "--folds", "1"], ["folds"]),
                               (["--head", "logistic", "--folds", "3", "--c", "1"], ["cross-validation"]),
                               (["--head", "ridge", "--pca", "-1"], ["--pca"]),
                               (["--head", "ridge", "--pca", "2", "--pca-share", "0.5"], ["--pca-share"]),
                               (["--head", "knn", "--k", "500"], ["500 neighbours of 120 rows"]),
                               (["--head", "forest", "--trees", "0"], ["trees"]),
                               (["--head", "ridge", "--out", "missing/a.safetensors"], ["missing"]),
                               (["--head", "ridge", "--out", "./train.npy"], ["in use already"]),
                               (["--head", "ridge", "--out", WORK / "train_labels.npy"], ["in use already"]),
                               (["--head", "ridge", "--test", "test.npy"], ["--test"]),
                               (["--head", "ridge", "--pca-share", "-1"], ["--pca-share", "-1"]),
                               (["--head", "ridge", "--pca-share", "1.5"], ["--pca-share", "1.5"]),
                               (["--head", "svm", "--l1-ratio", "0.5"], ["--l1-ratio", "svm", "logistic"]),
                               (["--l1-ratio", "0.5", "--k", "3"], ["--k", "logistic", "knn"]),
                               (["--head", "tree", "--c", "1"], ["--c", "tree"]),
                               (["--head", "tree", "--trees", "9"], ["--trees", "forest"]),
                               (["--head", "logistic", "--multi-class", "one-vs-rest"], ["--multi-class", "svm"])):
            with self.subTest(options=options):
                self.check_error(head("train.npy", "train_labels.npy", *options), 2, *texts)

    def test_files_that_are_not_there_or_no_arrays(self):
        self.refuse(3, "missing.npy", "train_labels.npy", "missing.npy")
        self.refuse(3, "train.npy", "missing.npy", "missing.npy")
        (WORK / "text.npy").write_text("1,2,3\n")
        self.refuse(3, "text.npy", "train_labels.npy", "text.npy", "not a .npy file")
        self.refuse(3, ".", "train_labels.npy")
        whole = (WORK / "train.npy").read_bytes()
        (WORK / "cut.npy").write_bytes(whole[:-1])
        self.refuse(3, "cut.npy", "train_labels.npy", "cut.npy", "cut off")

    def test_headers_that_promise_too_much(self):
        save("huge.npy", "<f4", "(4611686018427387904, 2)", b"")
        self.refuse(3, "huge.npy", "train_labels.npy", "huge.npy")
        (WORK / "long.npy").write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b" " * 100)
        self.refuse(3, "long.npy", "train_labels.npy", "long.npy", "absurdly long")
        save("flat.npy", "<f4", "(120,)", bytes(480))
        self.refuse(3, "flat.npy", "train_labels.npy", "flat.npy", "{rows, columns}")

    def test_orders_and_types_that_are_not_read_are_named(self):
        save("fortran.npy", "<f4", "(2, 3)", bytes(24), fortran=True)
        self.refuse(3, "fortran.npy", "train_labels.npy", "fortran.npy", "ascontiguousarray")
        save("integers.npy", "<i4", "(2, 3)", bytes(24))
        self.refuse(3, "integers.npy", "train_labels.npy", "integers.npy", "float32, float16 or float64")
        save("texts.npy", "<U4", "(120,)", bytes(1920))
        self.refuse(3, "train.npy", "texts.npy", "texts.npy", "labels are")

    def test_numbers_that_are_none(self):
        rows, labels = clouds(120, 1)
        for bad in (math.nan, math.inf):
            rows[5][2] = bad
            save_rows("bad.npy", rows)
            self.refuse(3, "bad.npy", "train_labels.npy", "bad.npy", "row 5, column 2")
            self.refuse(3, "train.npy", "train_labels.npy", "bad.npy",
                        options=["--head", "ridge", "--test", "bad.npy", "train_labels.npy"])
        save_labels("half_labels.npy", [0.5] + labels[1:], "<f4")
        self.refuse(3, "train.npy", "half_labels.npy", "half_labels.npy", "label 0 is 0.5")

    def test_labels_that_do_not_fit(self):
        save_labels("few.npy", [0, 1] * 30)
        self.refuse(3, "train.npy", "few.npy", "few.npy", "60 labels", "120 rows")
        save_labels("same.npy", [4] * 120)
        self.refuse(3, "train.npy", "same.npy", "same.npy", "one class")
        save_labels("targets.npy", list(range(120)))
        self.refuse(3, "train.npy", "targets.npy", "targets.npy", "120 classes")
        save_labels("new.npy", [7] * 59 + [9])
        self.refuse(3, "train.npy", "train_labels.npy", "new.npy", "class 9",
                    options=["--head", "ridge", "--test", "test.npy", "new.npy"])
        save_rows("narrow.npy", [[1.0, 2.0]] * 60)
        self.refuse(3, "train.npy", "train_labels.npy", "narrow.npy", "2 columns",
                    options=["--head", "ridge", "--test", "narrow.npy", "test_labels.npy"])

    def test_a_failed_save_is_a_failure(self):
        result = head("train.npy", "train_labels.npy", "--head", "knn", "--out", "full.safetensors", file_limit=512)
        self.check_error(result, 1, "full.safetensors")
        self.assertFalse((WORK / "full.safetensors").exists())

    def test_enormous_features_end_in_an_answer_or_one_line(self):
        rows, labels = clouds(120, 1)
        save_rows("enormous.npy", [[3e38 if each > 0 else -3e38 for each in row] for row in rows])
        for kind in HEADS:
            for standardize in ("yes", "no"):
                with self.subTest(head=kind, standardize=standardize):
                    result = head("enormous.npy", "train_labels.npy", "--head", kind, "--standardize", standardize, "--json")
                    self.assertIn(result.returncode, (0, 1, 2), result.stderr)
                    self.assertNotIn("fault of ours", result.stderr)
                    if result.returncode == 0:
                        json.loads(result.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ENXERTO = str(Path(sys.argv.pop(1)).resolve())
    with tempfile.TemporaryDirectory(prefix="enxerto-head-") as folder:
        WORK = Path(folder)
        unittest.main()
