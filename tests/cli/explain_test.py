#!/usr/bin/env python3
"""`enxerto explain`, on a small network that the demo trains.

usage: explain_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import json
import shutil
import struct

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
                (["shown0", "--show", "maps", "--channels", 0], 2, "--channels"),
                (["--show", "visualize", "--channels", 65], 2, "--channels"),
                (["--show", "visualize", "--steps", 0], 2, "steps"),
                (["--show", "visualize", "--painting", 2], 2, "2 pixels"),
                (["--show", "gradcam"], 2, "no pictures"),
                (["shown0", "--show", "nonsense"], 2, "--show")):
            with self.subTest(options=options):
                self.check_error(enxerto("explain", "demo", *options, "--out", "refused"), code, told)
        self.check_error(enxerto("explain", "missing", "shown0", "--out", "refused"), 3, "missing")
        self.check_error(enxerto("explain", "demo", "shown0", "--out", "bad.png"), 1, "bad.png")


if __name__ == "__main__":
    on_demo.main()
