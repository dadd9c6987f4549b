#!/usr/bin/env python3
"""bench_step against PyTorch and, for answers, onnxruntime, in turns.

Starts our program, PyTorch in each of its variants (rival_torch.py) and onnxruntime (rival_onnx.py, the network as
our `enxerto convert` writes it), lets all of them make their plans and
warm up, then goes round: one step of each, one process at a time, so that whatever slows the machine down slows
all alike. Compares medians.

Threads of a process that has just answered spin for some milliseconds before they sleep (both OpenMP runtimes
do); OMP_WAIT_POLICY=PASSIVE would forbid that, but changes the speed of what is measured. So there is a pause
before each turn instead. And a turn of less than a second starts with a step that is not counted: it wakes the
threads and brings the weights back into the caches that the process before has swept.

usage: versus_torch.py --python VENV/bin/python --net resnet18 --task train --batch 32
       versus_torch.py --python VENV/bin/python --all --enxerto build/release/cli/enxerto --out versus_torch.json
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VARIANTS = ("eager", "channels_last", "compile", "compile_channels_last")
ALL = [(net, task, batch) for net in ("resnet18", "resnet50", "vgg16", "mobilenet_v3_small")
       for task, batch in (("train", 32), ("infer", 1), ("infer", 32))]
WARM_UPS = 3  # the first compiles
SHORT = 1.0   # seconds; a shorter turn starts with a step that is not counted


class Contender:
    """A process that does one step for each line "go"."""

    def __init__(self, name, command):
        self.name = name
        self.seconds = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.program = self.read()["program"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self.process.wait()}")
        return json.loads(line)

    def step(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.read()["seconds"]

    def peak_bytes(self):
        """The most memory that the process itself held at once (a compiler that it starts is not counted)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise SystemExit(f"{self.name}: /proc says nothing of its memory")

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def chip():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def widest_instructions():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            flags = line.split()
            order = ("amx_tile", "avx512_bf16", "avx512f", "avx2", "avx")
            return next((each for each in order if each in flags), "sse")
    return "unknown"


def parse_with_ours(parser, target):
    """The options, with --ours: our program, which has to be there."""
    parser.add_argument("--ours", type=Path, default=HERE.parent / "build/release/bench" / target)
    options = parser.parse_args()
    if not options.ours.is_file():
        parser.error(f"{options.ours} is not there: build the target {target}, or say --ours")
    return options


def compare(options, net, task, batch):
    """One row for each contender, ours first."""
    common = [net, task, str(batch), "--size", str(options.size), "--threads", str(options.threads), "--serve"]
    contenders = []
    try:
        def enter(name, command):
            contenders.append(Contender(name, command + common))
            for _ in range(WARM_UPS):
                last = contenders[-1].step()
            contenders[-1].short = last < SHORT

        enter("enxerto", [str(options.ours)] + ["--bf16"] * options.bf16 + ["--recompute"] * options.recompute)
        if options.enxerto and task == "infer":
            enter("onnxruntime", [options.python, str(HERE / "rival_onnx.py"), "--enxerto", str(options.enxerto)])
        for variant in options.variants:
            enter(f"torch {variant}", [options.python, str(HERE / "rival_torch.py"), "--variant", variant])
        for _ in range(options.runs):
            for contender in contenders:
                time.sleep(options.pause)
                if contender.short:
                    contender.step()
                contender.seconds.append(contender.step())
        rows = [{"name": each.name, "program": each.program, "seconds": statistics.median(each.seconds),
                 "all_seconds": each.seconds, "peak_bytes": each.peak_bytes()} for each in contenders]
    finally:
        for contender in contenders:
            contender.end()
    for row in rows:
        row["images_per_second"] = batch / row["seconds"]
        row["ratio"] = row["seconds"] / rows[0]["seconds"]
    of_torch = [row for row in rows if row["name"].startswith("torch")]
    fastest = min(of_torch, key=lambda row: row["seconds"])
    onnx = next((row for row in rows if row["name"] == "onnxruntime"), None)
    as_it_comes = next((row for row in rows if row["name"] == "torch eager"), None)
    return {"net": net, "task": task, "batch": batch, "bf16": options.bf16, "recompute": options.recompute, "size": options.size, "runs": options.runs, "rows": rows,
            "fastest_of_torch": fastest["name"], "ratio_to_fastest": fastest["ratio"],
            "ratio_to_torch_as_it_comes": as_it_comes and as_it_comes["ratio"],
            "ratio_to_onnxruntime": onnx and onnx["ratio"],
            "memory_of_fastest": fastest["peak_bytes"] / rows[0]["peak_bytes"],
            "least_memory_of_torch": min(row["peak_bytes"] for row in of_torch) / rows[0]["peak_bytes"]}


def show(result, options):
    print(f"\n{result['net']} {result['task']}{' in bfloat16' if result['bf16'] else ''}{', ours recomputing' if result['recompute'] else ''}, batch {result['batch']}, {result['size']}x{result['size']}, "
          f"{options.threads} threads, median of {result['runs']} in turns; {chip()} ({widest_instructions()})")
    print(f"{'':30} {'ms':>10} {'least':>10} {'most':>10} {'images/s':>10} {'ratio':>7} {'peak MB':>9}")
    for row in result["rows"]:
        print(f"{row['name']:30} {row['seconds'] * 1e3:10.1f} {min(row['all_seconds']) * 1e3:10.1f} "
              f"{max(row['all_seconds']) * 1e3:10.1f} {row['images_per_second']:10.2f} {row['ratio']:6.2f}x "
              f"{row['peak_bytes'] / 1e6:9.0f}")
    print(f"fastest of torch ({result['fastest_of_torch']}): {result['ratio_to_fastest']:.2f}x our time, "
          f"{result['memory_of_fastest']:.2f}x our memory")
    if result["ratio_to_torch_as_it_comes"]:
        print(f"torch as it comes (eager): {result['ratio_to_torch_as_it_comes']:.2f}x our time")
    if result["ratio_to_onnxruntime"]:
        print(f"onnxruntime: {result['ratio_to_onnxruntime']:.2f}x our time")
    print(f"least memory of torch: {result['least_memory_of_torch']:.2f}x ours", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="a Python that has torch")
    parser.add_argument("--net", default="resnet18")
    parser.add_argument("--task", choices=("train", "infer"), default="train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.3, help="seconds before each turn")
    parser.add_argument("--variants", type=lambda text: text.split(","), default=VARIANTS,
                        help="of torch, with commas between: " + ",".join(VARIANTS))
    parser.add_argument("--bf16", action="store_true", help="ours and torch's in bfloat16 (autocast)")
    parser.add_argument("--recompute", action="store_true", help="ours keeps less for the backward pass and computes it anew")
    parser.add_argument("--all", action="store_true", help="ResNet-18 and -50, VGG16, MobileNetV3-small; train 32, infer 1 and 32")
    parser.add_argument("--enxerto", type=Path, help="the command: onnxruntime takes part, where the Python has it")
    parser.add_argument("--out", type=Path, help="a JSON file for all that was measured")
    options = parse_with_ours(parser, "bench_step")
    if options.bf16:
        options.variants = [f"{each}_bf16" for each in options.variants]

    report = {"chip": chip(), "widest_instructions": widest_instructions(), "threads": options.threads,
              "cores": os.cpu_count(), "results": []}
    for net, task, batch in ALL if options.all else [(options.net, options.task, options.batch)]:
        result = compare(options, net, task, batch)
        show(result, options)
        report["results"].append(result)
        if options.out:
            options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
