#!/usr/bin/env python3
"""Writes enxerto/zoo/imagenet_classes.inc: WordNet ids and names of ImageNet's 1,000 classes, in the order in
which networks have their outputs (sorted by id).

usage: make_imagenet_classes.py TIMM_WHEEL      (pip download --no-deps timm)
"""
import sys
import zipfile
from collections import Counter
from pathlib import Path

FOLDER = "timm/data/_info/"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wheel = zipfile.ZipFile(sys.argv[1])
    ids = wheel.read(FOLDER + "imagenet_synsets.txt").decode().split()
    lemmas = dict(line.split("\t") for line in
                  wheel.read(FOLDER + "imagenet_synset_to_lemma.txt").decode().splitlines())
    assert len(ids) == 1000 and ids == sorted(ids)
    twice = {name for name, count in Counter(lemmas[each] for each in ids).items() if count > 1}
    lines = ["// Made by tools/make_imagenet_classes.py; WordNet's names, told apart by their id where two are alike."]
    for each in ids:
        name = lemmas[each] + (f" ({each})" if lemmas[each] in twice else "")
        lines.append(f'{{"{each}", "{name}"}},')
    out = Path(__file__).resolve().parent.parent / "enxerto/zoo/imagenet_classes.inc"
    out.write_text("\n".join(lines) + "\n")


main()
