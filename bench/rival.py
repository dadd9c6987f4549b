"""What the rivals of bench_step share: their command line, and the protocol of versus_torch.py."""
import argparse
import json
import statistics
import sys
import time


def arguments(description, tasks):
    """A parser of NET TASK BATCH and the flags that all have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("net", help="a classifier of torchvision, by its name there")
    parser.add_argument("task", choices=tasks)
    parser.add_argument("batch", type=int)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--serve", action="store_true")
    return parser


def run(step, options, program):
    """With --serve answers each line "go" with one step and a line {"seconds": ...}; else prints the median."""
    def seconds():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    if options.serve:
        print(json.dumps({"ready": True, "program": program}), flush=True)
        for line in sys.stdin:
            if line.strip() != "go":
                sys.exit(f"{line!r}: the only command is go")
            print(json.dumps({"seconds": seconds()}), flush=True)
        return
    seconds(), seconds()
    median = statistics.median(seconds() for _ in range(options.runs))
    print(f"{options.net} {options.task} batch {options.batch}, {program}: {median:.4f} s, median of {options.runs}, "
          f"{options.batch / median:.2f} images/s")
