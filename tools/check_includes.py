#!/usr/bin/env python3
"""Holds the code against the map of the project: who may include whom, what of the outside appears
where, and whether each folder's CMakeLists.txt says the same. Runs as a test; prints every fault.

usage: check_includes.py [ROOT]
"""
import re
import sys
from pathlib import Path

# A folder of enxerto/ may include itself, the folders named first, and, for those named second, also
# whatever they may include.
RULES = {
    "core": ([], []),
    "tensor": (["core"], []),
    "image": (["core"], []),
    "kernels": (["core", "tensor"], []),
    "weights": (["core", "tensor"], []),
    "heads": (["core", "tensor", "kernels"], []),
    "report": (["core", "image"], []),
    "data": (["core", "tensor", "image"], []),
    "doctor": (["core", "image", "data"], []),
    "layers": (["core", "tensor", "kernels"], []),
    "graph": ([], ["layers"]),
    "interop": ([], ["data", "graph", "weights"]),
    "zoo": ([], ["interop", "heads"]),
    "train": ([], ["data", "zoo"]),
    "transfer": ([], ["train"]),
    "explain": ([], ["train"]),
    "detect": ([], ["train"]),
    "track": ([], ["detect"]),
    "serve": ([], ["report", "transfer", "track"]),
}
# testing/ may include anything, and unit tests (*_test.cpp) may include testing/.
FREE_FOLDER = "testing"
UNIT_TEST = "_test.cpp"

# Each outside thing has one place: what to look for in the code, where it may stand, what it is.
SOCKETS = r"#\s*include\s*<(sys/socket|netinet/\w+|arpa/inet|netdb)\.h>"
PLACES = [
    (r"#\s*include\s*<(oneapi/dnnl/)?dnnl\w*\.hp*>", ["enxerto/kernels/onednn/"], "oneDNN"),
    (r"#\s*include\s*<(jpeglib|turbojpeg|png|gif_lib|tiff\w*|webp/\w+|libheif/\w+)\.h>", ["enxerto/image/"], "a codec"),
    (r"#\s*include\s*<(cblas|lapacke?|f77blas)\.h>", ["enxerto/heads/dense.cpp"], "OpenBLAS"),
    (r"#\s*include\s*<CLI/", ["cli/"], "CLI11"),
    (r"#\s*include\s*<zip\.h>", ["enxerto/weights/zip.cpp"], "libzip"),
    (r"#\s*include\s*<hdf5\.h>", ["enxerto/weights/"], "HDF5"),
    (r"#\s*include\s*<google/protobuf|\.pb\.h", ["enxerto/interop/"], "protobuf"),
    (r"#\s*include\s*<(curl/|openssl/)", ["enxerto/zoo/"], "libcurl or OpenSSL"),
    (SOCKETS, ["enxerto/serve/", "tests/"], "sockets"),
    (r"\b(secure_)?getenv\s*\(", ["enxerto/core/environment.cpp", "tests/", "bench/"], "getenv"),
    (r"\bstd::(cout|cerr|clog)\b|(?<!\w)(printf|puts|putchar|perror)\s*\(|\bfprintf\s*\(\s*std(out|err)\b",
     ["cli/", "bench/", "examples/", "tests/", "tools/"], "printing"),
    # hdf5.cpp: a child process that it forks has to end without flushing the parent's buffers.
    (r"(?<![\w.>])_?exit\s*\(", ["enxerto/weights/hdf5.cpp", "cli/", "bench/", "examples/", "tests/", "tools/"], "exit()"),
]
# What a unit test needs beyond this (a child that exits, a variable of the environment) is its own affair.
CHECKED = ["enxerto", "cli", "bench", "examples", "tests"]


def allowed(folder):
    """All folders that `folder` may include."""
    direct, with_theirs = RULES[folder]
    found = {folder, *direct, *with_theirs}
    for other in with_theirs:
        found |= allowed(other)
    return found


def without_comments_and_texts(code):
    """The code with comments and string literals emptied, line by line as before; #include lines stay."""
    token = re.compile(r'^\s*#\s*include[^\n]*|//[^\n]*|/\*.*?\*/|R"(\w*)\((?:.*?)\)\1"|"(?:\\.|[^"\\\n])*"'
                       r"|'(?:\\.|[^'\\\n])'", re.S | re.M)

    def replace(match):
        kept = match.group(0)
        return kept if kept.lstrip().startswith("#") else "\n" * kept.count("\n")

    return token.sub(replace, code)


def sources(root):
    for top in CHECKED:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".inl", ".cpp") and path.is_file():
                yield path


def folder_lists(cmake):
    """The lists of a folder's enxerto_folder() call, e.g. {"DEPENDS": ["core"], ...}; None without one."""
    code = re.sub(r"#[^\n]*", "", cmake)
    call = re.search(r"enxerto_folder\(\s*(\w+)([^)]*)\)", code)
    if not call:
        return None
    lists = {"DEPENDS": [], "LIBRARIES": [], "HEADERS": [], "SOURCES": [], "TESTS": []}
    current = None
    for word in call.group(2).split():
        if word in lists:
            current = lists[word]
        elif current is not None:
            current.append(word)
    return lists


def check_file(path, root, faults):
    """Checks one file and returns what it includes of enxerto/, as paths below it."""
    name = path.relative_to(root).as_posix()
    code = without_comments_and_texts(path.read_text(encoding="utf-8"))
    for pattern, places, what in PLACES:
        if name.endswith(UNIT_TEST) and what not in ("oneDNN", "CLI11"):
            continue
        for match in re.finditer(pattern, code):
            if not any(name.startswith(place) for place in places):
                line = code[:match.start()].count("\n") + 1
                faults.append(f"{name}:{line}: {what} belongs in {' or '.join(places)} only")
    included = []
    for match in re.finditer(r'^\s*#\s*include\s*"([^"]+)"', code, re.M):
        target = match.group(1)
        line = code[:match.start()].count("\n") + 1
        if name.startswith("enxerto/") and not target.startswith("enxerto/"):
            faults.append(f'{name}:{line}: "{target}": the path of a header is its include, from enxerto/ on')
        elif target.startswith("enxerto/"):
            if not (root / target).is_file():
                faults.append(f'{name}:{line}: "{target}" does not exist')
            included.append((target[len("enxerto/"):], line))
    return name, included


def check(root):
    """All faults of the tree below `root`, one line each."""
    faults = []
    includes_of_folder = {}  # of its headers and sources, not of its tests
    includes_of_header = {}
    for path in sources(root):
        name, included = check_file(path, root, faults)
        parts = name.split("/")
        if parts[0] != "enxerto" or parts[1] == FREE_FOLDER:
            continue
        folder = parts[1]
        if folder not in RULES:
            faults.append(f"{name}: folder {folder} is not in the table of tools/check_includes.py")
            continue
        may = allowed(folder)
        if name.endswith(UNIT_TEST):
            may = may | {FREE_FOLDER}
        else:
            includes_of_folder.setdefault(folder, set()).update(t.split("/")[0] for t, _ in included)
            includes_of_header["/".join(parts[1:])] = included
        for target, line in included:
            if target.split("/")[0] not in may:
                faults.append(f"{name}:{line}: {folder} may not include {target.split('/')[0]}")

    lists_of = {}
    for folder in RULES:
        cmake = root / "enxerto" / folder / "CMakeLists.txt"
        if cmake.is_file():
            lists_of[folder] = folder_lists(cmake.read_text(encoding="utf-8"))
            if lists_of[folder] is None:
                faults.append(f"enxerto/{folder}/CMakeLists.txt: has no call of enxerto_folder()")
                del lists_of[folder]
        elif (root / "enxerto" / folder).is_dir() and folder in includes_of_folder:
            faults.append(f"enxerto/{folder}: has no CMakeLists.txt")
    installed = {f"{folder}/{header}" for folder, lists in lists_of.items() for header in lists["HEADERS"]}
    for folder, lists in lists_of.items():
        cmake = f"enxerto/{folder}/CMakeLists.txt"
        used = includes_of_folder.get(folder, set()) - {folder}
        for other in sorted(used - set(lists["DEPENDS"])):
            faults.append(f"{cmake}: DEPENDS lacks {other}, which the folder includes")
        for other in sorted(set(lists["DEPENDS"]) - used):
            faults.append(f"{cmake}: DEPENDS names {other}, which the folder does not include")
        # Read as text, so that files which CMake adds under a condition count as listed too.
        words = set(re.findall(r"[\w./]+", (root / cmake).read_text(encoding="utf-8")))
        for path in sorted((root / "enxerto" / folder).rglob("*.cpp")):
            if path.relative_to(root / "enxerto" / folder).as_posix() not in words:
                faults.append(f"{path.relative_to(root)}: is not listed in {cmake}, so nobody compiles it")
        for header in lists["HEADERS"]:
            for target, line in includes_of_header.get(f"{folder}/{header}", []):
                if target not in installed:
                    faults.append(f"enxerto/{folder}/{header}:{line}: is installed, but {target} is not")
    return faults


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    faults = check(root)
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(f"{len(faults)} faults; the table is in tools/check_includes.py")
    print(f"{sum(1 for _ in sources(root))} files keep the rules")


if __name__ == "__main__":
    main()
