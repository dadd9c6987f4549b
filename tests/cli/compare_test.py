#!/usr/bin/env python3
"""`enxerto compare`, `enxerto advise` and `enxerto fit` without a recipe, on a small network that the demo trains.

usage: compare_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import json
import random
import shlex
import shutil
import time

import on_demo
from on_demo import Case, enxerto

WORK = None  # on_demo's


def setUpModule():
    global WORK
    WORK = on_demo.WORK
    on_demo.make_demo()
    # Data with val/ and no test/.
    for split in ("train", "val"):
        shutil.copytree(WORK / "demo/data" / split, WORK / "two" / split)


SOURCE = ["demo/data", "--weights", "demo"]


class Compare(Case):
    def test_recipes_are_judged_by_the_same_pictures(self):
        told = self.told("compare", *SOURCE, "--recipes", "probe,probe:svm,scratch", "--epochs", 1, "--seeds", 2,
                         "--out", "three")
        self.assertEqual([each["recipe"] for each in told["recipes"]], ["probe", "probe:svm", "scratch"])
        pairs = [(each["first"], each["second"]) for each in told["pairs"]]
        self.assertEqual(pairs, [("probe", "probe:svm"), ("probe", "scratch"), ("probe:svm", "scratch")])
        for each in told["recipes"]:
            self.assertEqual(len(each["seeds"]), 2)
            low, high = each["top1_interval"]
            self.assertTrue(0 <= low <= each["top1"] <= high <= 1)
            for run, top1 in zip(each["runs"], each["seeds"]):
                # The saved model, asked again.
                self.assertAlmostEqual(self.told("evaluate", f"three/{run}", "demo/data")["top1"], top1)
        pair = told["pairs"][1]
        self.assertAlmostEqual(pair["difference"], told["recipes"][0]["top1"] - told["recipes"][2]["top1"])
        self.assertAlmostEqual(pair["only_first"] - pair["only_second"], pair["difference"])
        self.assertGreaterEqual(pair["p_adjusted"], pair["p"])
        # People are told the same, and nothing is trained again.
        shown = enxerto("compare", *SOURCE, "--recipes", "probe,probe:svm,scratch", "--epochs", 1, "--seeds", 2, "--out",
                        "three")
        self.check(shown, 0, "done before", "probe - scratch", "p (McNemar, Holm)")
        self.assertNotIn("Kept: epoch", shown.stdout)

    def test_validation_pictures_judge_where_there_is_no_test(self):
        told = self.told("compare", "two", "--weights", "demo", "--recipes", "probe,probe:ridge", "--seeds", 1, "--out",
                         "by_val")
        count = len(list((WORK / "two/val").rglob("*.png")))
        self.assertEqual(told["n"], count)
        config = json.loads((WORK / "by_val/probe-0/config.json").read_text())
        self.assertTrue(config["val_as_test"])
        self.assertEqual(config["splits"]["test"]["pictures"], count)
        self.assertGreater(config["splits"]["val"]["pictures"], 0)

    def test_what_was_stopped_goes_on_with_the_same_bits(self):
        flags = [*SOURCE, "--recipes", "probe,warmup+finetune", "--epochs", 4, "--seeds", 2]
        began = time.monotonic()
        self.check(enxerto("compare", *flags, "--out", "whole"), 0)
        longest = time.monotonic() - began
        rng = random.Random(3)
        killed = 0
        while killed < 8:
            if not self.is_killed(["compare", *flags, "--out", "killed"], rng.uniform(0.05, longest)):
                break
            killed += 1
        self.check(enxerto("compare", *flags, "--out", "killed"), 0)
        whole, parts = (json.loads((WORK / out / "comparison.json").read_text()) for out in ("whole", "killed"))
        self.assertEqual(whole["pairs"], parts["pairs"])
        for run in whole["runs"]:
            self.assertEqual(whole["runs"][run]["right"], parts["runs"][run]["right"])
            self.assertEqual((WORK / "whole" / run / "model.safetensors").read_bytes(),
                             (WORK / "killed" / run / "model.safetensors").read_bytes(), run)

    def test_errors_say_what_is_wrong(self):
        (WORK / "full").mkdir(exist_ok=True)
        (WORK / "full/file").write_text("mine")
        (WORK / "damaged").mkdir(exist_ok=True)
        (WORK / "damaged/comparison.json").write_text('{"asked": 1, ')
        for code, texts, *arguments in (
                (2, ["--recipes"], *SOURCE),
                (2, ["two or more"], *SOURCE, "--recipes", "probe"),
                (2, ["twice"], *SOURCE, "--recipes", "probe,probe"),
                (2, ["graft"], *SOURCE, "--recipes", "probe,graft"),
                (2, ["for a probe"], *SOURCE, "--recipes", "probe,finetune:svm"),
                (2, ["for a probe"], *SOURCE, "--recipes", "probe,probe:oak"),
                (2, ["--seeds"], *SOURCE, "--recipes", "probe,scratch", "--seeds", 0),
                (2, ["not empty"], *SOURCE, "--recipes", "probe,scratch", "--out", "full"),
                (3, ["damaged/comparison.json"], *SOURCE, "--recipes", "probe,scratch", "--out", "damaged"),
                (3, ["nowhere"], "nowhere", "--weights", "demo", "--recipes", "probe,scratch")):
            self.check_error(enxerto("compare", "--quiet", *arguments), code, *texts)
        self.check(enxerto("compare", *SOURCE, "--recipes", "probe,probe:svm", "--seeds", 1, "--out", "one"), 0)
        self.check_error(enxerto("compare", *SOURCE, "--recipes", "probe,probe:svm", "--seeds", 2, "--out", "one", "--quiet"), 2,
                         "asked for otherwise")
        shutil.copytree(WORK / "demo", WORK / "changing")
        flags = ["changing/data", "--weights", "changing", "--recipes", "probe,probe:svm", "--seeds", 1, "--out", "changed"]
        self.check(enxerto("compare", *flags), 0)
        self.check(enxerto("train", "demo/data", "--weights", "demo", "--epochs", 1, "--out", "later"), 0)
        shutil.copy(WORK / "later/model.safetensors", WORK / "changing/model.safetensors")
        self.check_error(enxerto("compare", *flags, "--quiet"), 2, "changed", "another network", "--out")
        state = json.loads((WORK / "one/comparison.json").read_text())
        for broken in ({"right": "01"}, {"right": 7}, {}):
            state["runs"]["probe-0"] = broken
            (WORK / "one/comparison.json").write_text(json.dumps(state))
            self.check_error(enxerto("compare", *SOURCE, "--recipes", "probe,probe:svm", "--seeds", 1, "--out", "one",
                                     "--quiet"), 3, "one/comparison.json")


class Advise(Case):
    def test_measures_and_recommends(self):
        told = self.told("advise", *SOURCE, "--epochs", 3, "--price", 0.5)
        depths = told["depths"]["probes"]
        self.assertGreater(len(depths), 1)
        self.assertEqual([point["share"] for point in told["learning_curve"]["points"]], [0.25, 0.5, 1])
        self.assertEqual({pilot["recipe"] for pilot in told["pilots"]}, {"warmup+finetune", "finetune"})
        self.assertEqual(told["choices"][0]["recipe"], "probe")
        for choice in told["choices"]:
            self.assertGreater(choice["minutes"], 0)
            self.assertAlmostEqual(choice["money"], choice["minutes"] / 60 * 0.5)
        self.assertIn(told["recommended"]["recipe"], {choice["recipe"] for choice in told["choices"]})
        self.assertIn("enxerto fit demo/data --weights demo --recipe", told["recommended"]["command"])
        self.check(enxerto("advise", *SOURCE, "--pilot", 0), 0, "Where to cut", "No pilot", "Take probe",
                   "twice as many")

    def test_pilots_are_short_where_there_is_little_time(self):
        told = self.told("advise", *SOURCE, "--budget", 0.0005)
        self.assertEqual([pilot["recipe"] for pilot in told["pilots"] if "skipped" in pilot], ["warmup+finetune", "finetune"])
        told = self.told("advise", *SOURCE, "--budget", 0.0005, "--pilot", 1)
        self.assertFalse(any("skipped" in pilot for pilot in told["pilots"]))

    def test_the_command_is_that_of_what_was_measured(self):
        (WORK / "my pictures").symlink_to("demo/data")
        given = ["--size", "48", "--fit", "pad", "--val-fraction", "0.3", "--seed", "4", "--head", "svm", "--class-weights",
                 "balanced", "--feature-cache", "my features"]
        flags = ["--weights", "builtin", *given, "--pca", 8, "--lr", 0.002, "--epochs", 3]
        told = self.told("advise", "my pictures", *flags, "--pilot", 0, "--price", 2, "--budget", 9)
        words = shlex.split(told["recommended"]["command"])
        self.assertEqual(words[:7], ["enxerto", "fit", "my pictures", "--weights", "builtin", "--recipe",
                                     "probe"])
        self.assertEqual(words[-2:], ["--out", "run"])
        shown = " ".join(words)
        for flag, value in zip(given[::2], given[1::2]):
            self.assertIn(f" {flag} {value} ", shown)
        self.assertIn(" --pca 8 ", shown)
        for flag in ("--lr", "--epochs", "--pilot", "--price", "--budget", "--json"):
            self.assertNotIn(flag, words)
        # It runs, and finds the features and the accuracy that were promised.
        result = self.told(*words[1:])
        self.assertEqual(result["transfer"]["computed"], 0)
        self.assertEqual(result["val"]["top1"], told["choices"][0]["top1"])
        # Of fit it is the same, resumed or not.
        auto = self.told("fit", "demo/data", *flags, "--pilot", 0, "--out", "told_by_fit")
        auto = auto["transfer"]["auto"]["advice"]["recommended"]["command"]
        self.assertEqual(auto, told["recommended"]["command"].replace("'my pictures'", "demo/data"))

    def test_its_probes_have_the_head_that_was_asked_for(self):
        tops = set()
        for head in ([], ["--head", "knn"], ["--head", "tree", "--pca", 1], ["--c", 1e-4]):
            told = self.told("advise", *SOURCE, "--pilot", 0, *head)
            tops.add(tuple(each["top1"] for each in told["depths"]["probes"]))
            self.assertEqual(told["learning_curve"]["points"][-1]["top1"], told["choices"][0]["top1"])
        self.assertEqual(len(tops), 4)

    def test_errors_say_what_is_wrong(self):
        for code, texts, *arguments in (
                (2, ["DATA"], "--weights", "demo"),
                (2, ["--val-fraction"], "demo/data/train", "--weights", "demo", "--val-fraction", 0),
                (2, ["--budget"], *SOURCE, "--budget", -1),
                (3, ["nowhere"], "nowhere", "--weights", "demo")):
            self.check_error(enxerto("advise", "--quiet", *arguments), code, *texts)


class Auto(Case):
    def recommend(self, out, recipe):
        """What the advice would have been, had it found this."""
        state = json.loads((WORK / out / "auto.json").read_text())
        state["recipe"]["name"] = recipe
        for key in ("chosen", "advised", "ended"):
            state.pop(key, None)
        (WORK / out / "auto.json").write_text(json.dumps(state))

    def test_the_better_one_is_the_run(self):
        told = self.told("fit", *SOURCE, "--epochs", 4, "--out", "auto")
        auto = told["transfer"]["auto"]
        self.assertIn(auto["chosen"], ("probe", "advised"))
        self.assertEqual(told["run"], "auto")
        best = max(auto[key]["val_top1"] for key in ("probe", "advised") if auto[key])
        self.assertEqual(told["val"]["top1"], best)
        self.assertEqual(self.told("evaluate", "auto", "demo/data", "--split", "val")["top1"], best)
        self.check(enxerto("fit", "--resume", "auto"), 0, "ended already")
        self.assertTrue((WORK / "auto/report.html").exists())

    def test_what_was_stopped_goes_on_wherever_that_was(self):
        arguments = ["fit", *SOURCE, "--epochs", 4, "--pilot", 0, "--out", "stopped"]
        self.check(enxerto(*arguments), 0)
        self.recommend("stopped", "warmup+finetune")
        probe = (WORK / "stopped/model.safetensors").read_bytes()
        rng = random.Random(5)
        elsewhere = WORK / "elsewhere"
        elsewhere.mkdir()
        killed = 0
        while killed < 8:
            if not self.is_killed(["fit", "--resume", "../stopped"], rng.uniform(0.05, 1.5), elsewhere):
                break
            killed += 1
            # There is a model at any moment.
            self.check(enxerto("predict", "stopped", sorted((WORK / "demo/data/test/cross").iterdir())[0]), 0)
        result = enxerto("fit", "--resume", "../stopped", "--json", cwd=elsewhere)
        self.check(result, 0)
        auto = json.loads(result.stdout)["transfer"]["auto"]
        self.assertEqual(auto["advised"]["recipe"], "warmup+finetune")
        if auto["chosen"] == "advised":
            self.assertEqual((WORK / "stopped/probe/model.safetensors").read_bytes(), probe)
            self.assertNotEqual((WORK / "stopped/model.safetensors").read_bytes(), probe)
            self.assertFalse((WORK / "stopped/advised").exists())
        else:
            self.assertEqual((WORK / "stopped/model.safetensors").read_bytes(), probe)

    def test_other_data_than_it_began_with_are_refused(self):
        shutil.copytree(WORK / "demo/data", WORK / "altered")
        self.check(enxerto("fit", "altered", "--weights", "demo", "--epochs", 2, "--pilot", 0, "--out", "other"), 0)
        self.recommend("other", "warmup+finetune")
        sorted((WORK / "altered/val/cross").iterdir())[0].unlink()
        self.check_error(enxerto("fit", "--resume", "other", "--quiet"), 2, "other: cannot go on", "pictures in val")

    def test_a_damaged_state_is_told(self):
        self.check(enxerto("fit", *SOURCE, "--pilot", 0, "--out", "broken"), 0)
        for state in ("{", "[]", '{"asked": 3}', '{"asked": {"words": ["fit", "--recipe"], "folder": "."}}'):
            (WORK / "broken/auto.json").write_text(state)
            self.check_error(enxerto("fit", "--resume", "broken", "--quiet"), 3, "broken/auto.json")

    def test_a_budget_is_kept(self):
        told = self.told("fit", *SOURCE, "--epochs", 100000, "--budget", 0.2, "--out", "hurry")
        for choice in told["transfer"]["auto"]["advice"]["choices"]:
            self.assertLessEqual(choice.get("epochs", 0), 100000)
        recommended = told["transfer"]["auto"]["advice"]["recommended"]["recipe"]
        chosen = next(each for each in told["transfer"]["auto"]["advice"]["choices"] if each["recipe"] == recommended)
        self.assertLessEqual(chosen["minutes"], 0.2)


if __name__ == "__main__":
    on_demo.main()
