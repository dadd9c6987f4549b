#!/usr/bin/env python3
"""`enxerto explain`, on a small network that the demo trains.

usage: explain_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import json
import math
import shutil
import struct
from pathlib import Path

import on_demo
from on_demo import Case, enxerto

WORK = None  # on_demo's


def setUpModule():
    global WORK
    WORK = on_demo.WORK
    on_demo.make_demo()
    for number, folder in enumerate(sorted((WORK / "demo/data/test").iterdir())[:2]):
        (WORK / f"shown{number}").mkdir()
        shutil.copy(sorted(folder.iterdir())[0], WORK / f"shown{number}/same.png")
    (WORK / "bad.png").write_bytes(b"no picture")


def sides(path):
    """Width and height of a PNG file."""
    data = (WORK / path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", data[16:24])


def rows(path):
    """The rows of a .npy file of float32."""
    data = (WORK / path).read_bytes()
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    n, columns = (int(part) for part in data[10:begin].split(b"(")[1].split(b")")[0].split(b","))
    values = struct.unpack(f"<{n * columns}f", data[begin:])
    return [values[i * columns:(i + 1) * columns] for i in range(n)]


def distance(a, b):
    return 1 - sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def pictures_of(split):
    """The demo's files, in the order of the data set."""
    return [str(path) for folder in sorted((WORK / "demo/data" / split).iterdir()) for path in sorted(folder.iterdir())]


def summary_layers():
    return json.loads(enxerto("summary", "demo", "--json").stdout)["layers"]


class Explain(Case):
    def test_gradcam_of_the_likeliest_class_is_made_unless_told(self):
        told = self.told("explain", "demo", "shown0", "shown1", "--out", "cams")
        self.assertEqual(told["out"], "cams")
        self.assertEqual(len(told["pictures"]), 2)
        files = set()
        for picture in told["pictures"]:
            predicted = self.told("predict", "demo", picture["file"])
            self.assertEqual(picture["class"], predicted["class"])
            self.assertAlmostEqual(picture["probability"], predicted["probability"], places=5)
            self.assertEqual(picture["explained"], picture["class"])
            self.assertNotIn("occlusion", picture)
            (cam,) = picture["gradcam"]
            self.assertEqual([len(row) for row in cam["values"]], [cam["width"]] * cam["height"])
            self.assertGreaterEqual(min(map(min, cam["values"])), 0)
            width, height = sides(cam["file"])
            self.assertGreater(width, 2 * 320)
            self.assertGreater(height, 320)
            files.add(cam["file"])
        self.assertEqual(len(files), 2)  # two pictures of one name
        again = self.told("explain", "demo", "shown0", "shown1", "--out", "cams")
        self.assertEqual(again, told)

    def test_any_class_and_layer_can_be_asked_about(self):
        classes = [each["class"] for each in self.told("predict", "demo", "shown0/same.png", "--top", 9)["top"]]
        maps = [each["name"] for each in summary_layers()[1:-1] if each["output"][-1] > 1 and len(each["output"]) > 2]
        seen = []
        for name in classes[:2]:
            told = self.told("explain", "demo", "shown0/same.png", "--class", name, "--layer", ",".join(maps[:3]),
                             "--out", "asked")
            (picture,) = told["pictures"]
            self.assertEqual((picture["class"], picture["explained"]), (classes[0], name))
            self.assertEqual([each["layer"] for each in picture["gradcam"]], maps[:3])
            seen.append([each["values"] for each in picture["gradcam"]])
        self.assertNotEqual(seen[0], seen[1])

    def test_pictures_may_follow_lists(self):
        layers = ",".join(each["name"] for each in summary_layers()[1:3])
        told = self.told("explain", "demo", "--show", "maps,filters", "shown0", "--layer", layers, "shown1", "--out", "order")
        self.assertEqual(len(told["pictures"]), 2)
        self.assertEqual([each["layer"] for each in told["pictures"][1]["maps"]], layers.split(","))

    def test_occlusion_says_what_covering_costs(self):
        told = self.told("explain", "demo", "shown0", "--show", "occlusion", "--patch", 8, "--stride", 4, "--out", "covered")
        (picture,) = told["pictures"]
        found = picture["occlusion"]
        self.assertEqual((found["patch"], found["stride"]), (8, 4))
        self.assertEqual([len(row) for row in found["values"]], [found["width"]] * found["height"])
        self.assertLessEqual(max(map(max, found["values"])), picture["explained_probability"] + 1e-6)
        self.assertGreater(sides(found["file"])[0], 640)

    def test_maps_of_layers_are_sheets(self):
        told = self.told("explain", "demo", "shown0", "--show", "maps", "--channels", 5, "--out", "maps")
        (picture,) = told["pictures"]
        self.assertNotIn("class", picture)
        self.assertGreater(len(picture["maps"]), 1)
        outputs = {each["name"]: each["output"] for each in summary_layers()}
        for each in picture["maps"]:
            self.assertEqual([each["of"], each["height"], each["width"]], outputs[each["layer"]][-3:])
            self.assertEqual(len(each["channels"]), min(5, each["of"]))
            self.assertTrue(all(channel["min"] <= channel["max"] for channel in each["channels"]))
            sides(each["file"])

    def test_filters_and_paintings_need_no_picture(self):
        arguments = ["explain", "demo", "--show", "filters,visualize", "--steps", 3, "--painting", 32, "--channels", 2]
        told = self.told(*arguments, "--out", "looks")
        self.assertEqual(told["pictures"], [])
        sides(told["filters"]["file"])
        width, _ = sides(told["visualize"]["file"])
        self.assertEqual(width % 2, 0)
        painted = (WORK / told["visualize"]["file"]).read_bytes()
        self.told(*arguments, "--out", "looks2")
        self.assertEqual((WORK / "looks2/visualize.png").read_bytes(), painted)
        self.told(*arguments, "--seed", 1, "--out", "looks3")
        self.assertNotEqual((WORK / "looks3/visualize.png").read_bytes(), painted)

    def test_people_read_lines(self):
        result = enxerto("explain", "demo", "shown0", "--show", "gradcam,occlusion", "--out", "lines")
        self.check(result, 0)
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"\Ashown0/same.png: .+ \d+\.\d %\Z")
        self.assertRegex(lines[1], r"\A  lines/same-gradcam-\S+\.png: Grad-CAM at \".+\"")
        self.assertRegex(lines[2], r"\A  lines/same-occlusion\.png: covered by \d+x\d+ pixels the probability falls by "
                                   r"at most -?\d+\.\d points\Z")
        self.assertEqual(len(lines), 3)


class Nearest(Case):
    def test_they_are_those_of_the_extracted_features(self):
        for split in ("train", "test"):
            self.check(enxerto("extract", "demo/data", "--weights", "demo", "--split", split, "--out", f"{split}.npy"), 0)
        training, asked = rows("train.npy"), rows("test.npy")
        files = {split: pictures_of(split) for split in ("train", "test")}
        chosen = range(0, len(asked), 3)
        told = self.told("explain", "demo", *(files["test"][i] for i in chosen), "--show", "nearest", "--k", 4,
                         "--no-feature-cache", "--out", "near")
        self.assertEqual(told["nearest"]["pictures"], len(training))
        self.assertEqual(told["nearest"]["features"], len(training[0]))
        self.assertTrue(told["nearest"]["as_trained"])
        self.assertEqual(told["nearest"]["computed"], len(training))
        for i, picture in zip(chosen, told["pictures"]):
            wanted = sorted((distance(asked[i], row), file) for row, file in zip(training, files["train"]))[:4]
            for near, (far, _) in zip(picture["nearest"], wanted, strict=True):
                self.assertAlmostEqual(near["distance"], far, places=5)
                # Of pictures that are equally far any may come first.
                self.assertAlmostEqual(distance(asked[i], training[files["train"].index(near["file"])]), far, places=5)
                self.assertEqual(near["label"], Path(near["file"]).parent.name)
                self.assertEqual(near["agrees"], near["label"] == picture["class"])
        self.assertIn("explain.html", told["page"])

    def test_features_are_kept(self):
        for computed in (len(pictures_of("train")), 0):
            told = self.told("explain", "demo", "shown0", "--show", "nearest", "--feature-cache", "kept",
                             "--out", "near")
            self.assertEqual(told["nearest"]["computed"], computed)

    def test_a_picture_of_training_is_said_to_be(self):
        (WORK / "copies").mkdir()
        shutil.copy(pictures_of("train")[7], WORK / "copies/another name.png")
        told = self.told("explain", "demo", "copies", "shown0", "--show", "nearest", "--out", "near")
        copy, other = told["pictures"]
        self.assertTrue(copy["nearest"][0]["same"])
        self.assertAlmostEqual(copy["nearest"][0]["distance"], 0, places=6)
        self.assertFalse(any(each["same"] for each in other["nearest"]))
        result = enxerto("explain", "demo", "copies", "--show", "nearest", "--k", 2, "--out", "near", "--lang", "pt")
        self.check(result, 0, "the same picture, so the model was trained with it", "training pictures in",
                   "near/explain.html")
        page = (WORK / "near/explain.html").read_text()
        self.assertIn("Esta mesma imagem está entre as de treino", page)
        self.assertNotIn("Nearest training pictures", page)

    def test_pictures_that_moved_are_asked_for(self):
        shutil.copytree(WORK / "demo", WORK / "moved")
        config = json.loads((WORK / "moved/config.json").read_text())
        config["data"] = str(WORK / "gone")
        (WORK / "moved/config.json").write_text(json.dumps(config))
        arguments = ["explain", "moved", "shown0", "--show", "nearest", "--out", "near"]
        self.check_error(enxerto(*arguments), 3, "gone", "--data")
        told = self.told(*arguments, "--data", "demo/data")
        self.assertTrue(told["nearest"]["as_trained"], "the same names and labels")
        alone = ["explain", "demo/model.safetensors", *arguments[2:]]
        self.check_error(enxerto(*alone), 2, "demo/model.safetensors", "--data")
        told = self.told(*alone, "--data", "demo/data")
        self.assertFalse(told["nearest"]["as_trained"], "a file does not say what it was trained with")
        self.check_error(enxerto(*arguments, "--data", "nowhere"), 3, "nowhere")

    def test_few_pictures_of_one_class_one_of_them_damaged(self):
        name = Path(pictures_of("train")[0]).parent.name
        (WORK / f"few/{name}").mkdir(parents=True)
        for file in pictures_of("train")[:3]:
            shutil.copy(file, WORK / f"few/{name}")
        (WORK / f"few/{name}/broken.png").write_bytes(b"no picture")
        result = enxerto("explain", "demo", "shown0", "--show", "nearest", "--data", "few", "--out", "near")
        self.check(result, 0, "broken.png", "1 of 4 pictures cannot be read", "3 training pictures")
        told = self.told("explain", "demo", "shown0", "--show", "nearest", "--data", "few", "--k", 9, "--out", "near")
        self.assertEqual(len(told["pictures"][0]["nearest"]), 3)

    def test_labels_of_other_classes_are_not_compared(self):
        for split in ("train", "val"):
            for number in range(2):
                (WORK / f"other/{split}/zebra{number}").mkdir(parents=True)
                for file in pictures_of(split)[number::5]:
                    shutil.copy(file, WORK / f"other/{split}/zebra{number}")
        told = self.told("explain", "demo", "shown0", "--show", "nearest,embedding", "--data", "other", "--out", "near")
        for each in told["pictures"][0]["nearest"]:
            self.assertIn("zebra", each["label"])
            self.assertIsNone(each["agrees"])
        self.assertIsNone(told["embedding"]["wrong"])


class Embedding(Case):
    def test_a_map_says_where_each_picture_lies_and_what_it_keeps(self):
        told = self.told("explain", "demo", "--show", "embedding", "--out", "map")
        found = told["embedding"]
        self.assertEqual((found["split"], found["pictures"]), ("test", len(pictures_of("test"))))
        self.assertEqual([each["file"] for each in found["points"]], pictures_of("test"))
        answers = self.told_lines("predict", "demo", "demo/data/test")
        for point in found["points"]:
            self.assertEqual(point["label"], Path(point["file"]).parent.name)
            self.assertEqual(point["class"], answers[point["file"]]["class"])
            self.assertAlmostEqual(point["probability"], answers[point["file"]]["probability"], places=4)
        self.assertEqual(found["wrong"], sum(point["label"] != point["class"] for point in found["points"]))
        self.assertGreater(found["explained"][0], found["explained"][1])
        self.assertLessEqual(sum(found["explained"]), 1 + 1e-9)
        self.assertGreater(found["kept"], found["kept_by_chance"])
        self.assertLessEqual(found["kept"], 1)
        self.assertEqual(self.told("explain", "demo", "--show", "embedding", "--out", "map"), told)

    def told_lines(self, *arguments):
        result = enxerto(*arguments, "--json")
        self.check(result, 0)
        told = [json.loads(line) for line in result.stdout.splitlines()]
        return {str(WORK / each["file"]): each for each in told}

    def test_of_many_pictures_some_are_drawn(self):
        arguments = ["explain", "demo", "--show", "embedding", "--split", "train", "--points", 12, "--out", "map"]
        told = self.told(*arguments)["embedding"]
        points = told["points"]
        self.assertLess(len(points), told["pictures"])
        self.assertEqual(len({point["label"] for point in points}), len(list((WORK / "demo/data/train").iterdir())))
        self.check(enxerto(*arguments), 0, f"map of {len(points)} of {told['pictures']} pictures", "(train)")
        self.assertIn(f"Shown are {len(points)} of {told['pictures']}", (WORK / "map/explain.html").read_text())

    def test_heads_that_are_no_layer_have_features_too(self):
        self.check(enxerto("fit", "demo/data", "--weights", "demo", "--recipe", "probe", "--head", "knn",
                           "--out", "voters"), 0)
        told = self.told("explain", "voters", "shown0", "--show", "nearest,embedding", "--out", "map")
        (picture,) = told["pictures"]
        self.assertEqual(picture["class"], self.told("predict", "voters", "shown0/same.png")["class"])
        self.assertEqual(told["nearest"]["computed"], 0, "what fit kept is found again")
        self.assertEqual(len(told["embedding"]["points"]), len(pictures_of("test")))

    def test_what_makes_no_map_is_said(self):
        name = Path(pictures_of("train")[0]).parent.name
        for folder, count in (("two", 2), ("alike", 4)):
            (WORK / f"{folder}/{name}").mkdir(parents=True)
            for number in range(count):
                source = pictures_of("train")[0 if folder == "alike" else number]
                shutil.copy(source, WORK / f"{folder}/{name}/{number}.png")
        for folder, wanted in (("two", "three pictures"), ("alike", "the same")):
            self.check_error(enxerto("explain", "demo", "--show", "embedding", "--data", folder, "--out", "map"), 2,
                             folder, wanted)


class Refusals(Case):
    def test_what_cannot_be_read_is_said_and_the_rest_explained(self):
        result = enxerto("explain", "demo", "bad.png", "shown0", "missing", "--out", "some", "--json")
        self.assertEqual(result.returncode, 3, result.stderr)
        bad, good, missing = json.loads(result.stdout)["pictures"]
        self.assertIn("bad.png", bad["error"])
        self.assertIn("gradcam", good)
        self.assertIn("missing", missing["error"])
        self.assertRegex(result.stderr, r"\A(enxerto: [^\n]+\n){2}\Z")

    def test_wrong_command_lines_end_in_one_line(self):
        for options, code, told in (
                (["shown0", "--class", "nonsense"], 3, "nonsense"),
                (["shown0", "--layer", "nonsense"], 3, "nonsense"),
                (["shown0", "--layer", summary_layers()[-1]["name"]], 2, "output"),
                (["shown0", "--show", "occlusion", "--patch", 4096], 2, "4096"),
                (["shown0", "--show", "occlusion", "--patch", 4, "--stride", 5], 2, "stride"),
                (["shown0", "--show", "occlusion", "--patch", -1], 2, "--patch"),
                (["shown0", "--patch", 4], 2, "--show occlusion"),
                (["shown0", "--show", "maps", "--steps", 4], 2, "--show visualize"),
                (["shown0", "--k", 3], 2, "--show nearest"),
                (["shown0", "--data", "demo/data"], 2, "--show nearest or embedding"),
                (["shown0", "--show", "maps", "--channels", 0], 2, "--channels"),
                (["--show", "visualize", "--channels", 65], 2, "--channels"),
                (["--show", "visualize", "--steps", 0], 2, "steps"),
                (["--show", "visualize", "--painting", 2], 2, "2 pixels"),
                (["--show", "gradcam"], 2, "no pictures"),
                (["--show", "nearest"], 2, "no pictures"),
                (["shown0", "--show", "nearest", "--k", 0], 2, "--k"),
                (["shown0", "--show", "nearest", "--k", 51], 2, "--k"),
                (["--show", "embedding", "--points", 2], 2, "--points"),
                (["--show", "embedding", "--points", 5001], 2, "--points"),
                (["--show", "embedding", "--split", "nonsense"], 2, "--split"),
                (["shown0", "--show", "nonsense"], 2, "--show")):
            with self.subTest(options=options):
                self.check_error(enxerto("explain", "demo", *options, "--out", "refused"), code, told)
        self.check_error(enxerto("explain", "missing", "shown0", "--out", "refused"), 3, "missing")
        self.check_error(enxerto("explain", "demo", "shown0", "--out", "bad.png"), 1, "bad.png")


if __name__ == "__main__":
    on_demo.main()
