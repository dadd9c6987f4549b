#!/usr/bin/env python3
"""How our own speed depends on threads and on the size of a batch: images per second by those of batch 32 with the
most threads.

For each network and task one process for each (threads, batch) takes its steps in turns with the others; all are
there at once, which for VGG16's training takes some 20 GB.

usage: scaling.py [--nets resnet18,resnet50] [--tasks train,infer] [--threads 1,2] [--batches 1,8,16,32,64,128]
                  [--size 224] [--runs 5] [--out scaling.json]
Prints a table in Markdown: threads at batch 32, batches with the most threads.
"""
import argparse
import json
import statistics
import time
from pathlib import Path

from versus_torch import Contender, chip, parse_with_ours, widest_instructions

USUAL_BATCH = 32


def measure(options, net, task):
    """Images per second by (threads, batch)."""
    usual = max(options.threads)
    wanted = [(threads, USUAL_BATCH) for threads in options.threads] + [(usual, batch) for batch in options.batches]
    contenders = {}
    try:
        for threads, batch in sorted(set(wanted)):
            name = f"{net} {task} {batch}, {threads} threads"
            contenders[threads, batch] = Contender(
                name, [str(options.ours), net, task, str(batch), "--size", str(options.size), "--threads", str(threads), "--serve"])
            contenders[threads, batch].step()
        for _ in range(options.runs):
            for contender in contenders.values():
                time.sleep(options.pause)
                contender.step()  # wakes the threads, and brings the weights back into the caches
                contender.seconds.append(contender.step())
    finally:
        for contender in contenders.values():
            contender.end()
    return {key: key[1] / statistics.median(contender.seconds) for key, contender in contenders.items()}


def numbers(text):
    return [int(each) for each in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="resnet18,resnet50,vgg16,mobilenet_v3_small")
    parser.add_argument("--tasks", default="train,infer")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--batches", type=numbers, default=[1, 8, 16, 32, 64, 128])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds before each turn")
    parser.add_argument("--out", type=Path, help="a JSON file for all that was measured")
    options = parse_with_ours(parser, "bench_step")

    usual = max(options.threads)
    report = {"chip": chip(), "widest_instructions": widest_instructions(), "results": []}
    print(f"{chip()} ({widest_instructions()}), {options.size}x{options.size}, medians of {options.runs} in turns; images per second by those of "
          f"batch {USUAL_BATCH}, {usual} threads\n")
    columns = [(threads, USUAL_BATCH) for threads in options.threads if threads != usual] + [(usual, batch) for batch in options.batches]
    print("| | " + " | ".join(f"{threads} thread{'s' * (threads > 1)}, batch {batch}" for threads, batch in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for net in options.nets.split(","):
        for task in options.tasks.split(","):
            rates = measure(options, net, task)
            report["results"] += [{"net": net, "task": task, "threads": threads, "batch": batch, "images_per_second": rate}
                                  for (threads, batch), rate in rates.items()]
            cells = " | ".join(f"{rates[column] / rates[usual, USUAL_BATCH]:.2f}" for column in columns)
            print(f"| {net}, {task} | {cells} |", flush=True)
            if options.out:
                options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
