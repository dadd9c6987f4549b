#!/usr/bin/env python3
"""Holds docs/environment.md against the code: both name the same variables. Runs as a test."""
import re
import sys
from pathlib import Path


def main():
    root = Path(__file__).parent.parent
    read = {}
    for name, pattern in (("enxerto/core/environment.cpp", r'\b(?:variable|flag)\("(ENXERTO_\w+)"\)'),
                          ("enxerto/core/environment.h", r"///<\s*(ENXERTO_[A-Z_]+)"),
                          ("docs/environment.md", r"^\|\s*`(ENXERTO_\w+)")):
        text = (root / name).read_text(encoding="utf-8")
        read[name] = set(re.findall(pattern, text, re.M))
    everything = set().union(*read.values())
    faults = [f"{name} does not name {variable}"
              for name, found in read.items() for variable in sorted(everything - found)]
    if faults or not everything:
        sys.exit("\n".join(faults) or "no variable was found at all")
    print(f"{len(everything)} variables, the same in {' and '.join(read)}")


if __name__ == "__main__":
    main()
