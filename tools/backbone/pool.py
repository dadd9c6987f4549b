#!/usr/bin/env python3
"""Pictures to make a backbone of our own from: public photographs out of public repositories.

usage: pool.py REPOSITORIES POOL
  REPOSITORIES  a folder for bare clones, OWNER+NAME each; one that is there already is used as it is
  POOL          the folder to make: POOL/SET/FILE, for `enxerto distill POOL`

Files are written as they are. Left out: the classes bee, ant and Ant, of which the test set hymenoptera is made, and the
files that LEFT_OUT lists (pictures of the check photos, and what equals a validation picture of Tiny ImageNet).
"""
import argparse
import random
import re
import subprocess
from pathlib import Path

SEED = 1
PICTURE = re.compile(r".*\.(jpe?g|png)", re.IGNORECASE)
# The insects of hymenoptera, by ImageNet's and by Caltech's name.
INSECTS = re.compile(r".*(n02206856|n02219486|(^|/)ant/).*")
# set, repository, commit (None: the newest), what of it, how many of them (None: all)
SOURCES = (
    ("mini_imagenet84", "Deo0330/split_minidataset", "557ebcae0db23651f9370f54a5f31b1f0fd4064d", "train/", None),
    ("miniplaces", "rathull/CTFs", "f35c219885f163ca00a045236dd44be489598837", "data/images/train/", 45000),
    ("mirflickr", "VilleAR/dlproject", "926cbca6a1808b90782553eeebc394ba59ee4a5a", "images/", None),
    ("mirflickr2", "VilleAR/IDL_Image_Classification_Project", None, "testimages/images/", None),
    ("imagenette", "thunderInfy/imagenette", "b850f030ff0701c36a4adc8b928ea9483a46915b", "", None),
    ("imagewoof", "q878787/imagewoof2-320", "874e58f0c1acebb0d90e40f48460d65322f09f85", "train/", None),
    ("intel_scenes", "yadavaditya13/Image_Classification_Using_Deep_Learning",
     "029bdafbcdc4b2ab866fd3706487c982be58b54d", "dataset/seg_train/", 8000),
    ("intel_scenes_pred", "yadavaditya13/Image_Classification_Using_Deep_Learning",
     "029bdafbcdc4b2ab866fd3706487c982be58b54d", "dataset/seg_pred/", 2000),
    ("cats_dogs", "karemsaeed21/cat_vs_dog_classification_CNN", "16df905b3e0272c188c89dd050bf9b5d04314720", "PetImages/",
     12000),
    ("caltech101", "MachineLearning2020/Homework2-Caltech101", "836044dd000296b2bb74d0aa4b4e462e459b01d7",
     "101_ObjectCategories/", None),
    ("pacs_photo", "MachineLearning2020/Homework3-PACS", "d586a6cf3db84896fb6cc465c7bf51bdaf6d65d8", "PACS/photo/", None),
    ("samples", "EliSchwartz/imagenet-sample-images", "bc69043e2862758a1906c6a24a792bb28c6bb2ff", "", None),
    ("imagen", "ajschumacher/imagen", "2e8718956e3bb046db9a8e488c2254fd9846b6c5", "imagen/", None),
    ("grocery", "marcusklasson/GroceryStoreDataset", "fc80ba90f803d79d0383df52c5a4ac5de99ff6fc", "dataset/", None),
    ("voc2012", "mateusrafael4/Atividade_programacao_pose_estimation", "dab5c74036184926803e5edcf2082b71e0c85c86",
     "images/20", None),
    ("dtd10", "pan8915/DeepTexture", "522f46f683af11e93673bff29f81df14f49edfb2", "images/", None),
    ("weather", "ndb796/weather_dataset", "e76f86060cea7ee86b7fac924cfe1bb8ae16ecfb", "", None),
    ("tiny_imagenet", "Sachitbansal/DLA", "44579204a3d8506f5aa76fb6695aa3b81eefe66a", "tiny-imagenet-200/train/", None),
    ("fashion_products", "GaneshNeupane01/Fashion-Recommendation-System", "7cf263426a1a818fbcab19006b87c924b4dd0fa1",
     "images/", None),
    ("bsds500", "BIDS/BSDS500", "a04b7c6c3a9f0ace74bf205c72a43d32e1c72722", "BSDS500/data/images/", None),
)
LEFT_OUT = Path(__file__).with_name("left_out.txt")  # git's names of their bytes


def git(clone, *arguments):
    return subprocess.run(["git", f"--git-dir={clone}", *arguments], capture_output=True, check=True).stdout


def clone_of(folder, repository):
    clone = folder / repository.replace("/", "+")
    if not clone.exists():
        subprocess.run(["git", "clone", "--bare", f"https://github.com/{repository}", clone], check=True)
    for inside in (clone / "repo/.git", clone / "repo", clone):
        if (inside / "objects").is_dir():
            return inside
    raise SystemExit(f"{clone}: is no git repository")


def pictures(clone, commit, prefix, left_out):
    """(git's name of the bytes, path) of each picture below the prefix, sorted."""
    found = []
    for entry in git(clone, "ls-tree", "-r", "-z", commit or "HEAD").split(b"\0"):
        if not entry:
            continue
        meta, path = entry.split(b"\t", 1)
        mode, kind, name = meta.split()
        path = path.decode("utf-8", "replace")
        if (kind == b"blob" and mode != b"120000" and path.startswith(prefix) and PICTURE.fullmatch(path)
                and not INSECTS.match(path) and name.decode() not in left_out):
            found.append((name, path))
    return sorted(found, key=lambda each: each[1])


def write(clone, chosen, prefix, folder):
    """Returns how many were there: of files of some megabytes a snapshot may have the name only."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(["git", f"--git-dir={clone}", "cat-file", "--batch"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    written = 0
    for name, path in chosen:
        process.stdin.write(name + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline().split()
        if answer[-1] == b"missing":
            continue
        content = process.stdout.read(int(answer[2]))
        process.stdout.read(1)
        (folder / path[len(prefix):].lstrip("/").replace("/", "_")).write_bytes(content)
        written += 1
    process.stdin.close()
    process.wait()
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", type=Path)
    parser.add_argument("pool", type=Path)
    arguments = parser.parse_args()
    left_out = set(LEFT_OUT.read_text().split()) if LEFT_OUT.exists() else set()
    for name, repository, commit, prefix, most in SOURCES:
        clone = clone_of(arguments.repositories, repository)
        chosen = pictures(clone, commit, prefix, left_out)
        if most and len(chosen) > most:
            chosen = random.Random(SEED).sample(chosen, most)
        print(f"{name}: {write(clone, chosen, prefix, arguments.pool / name):,} of {repository}", flush=True)


if __name__ == "__main__":
    main()
