#!/usr/bin/env python3
"""Tests of check_includes.py on small trees that it has to refuse, or to leave alone."""
import tempfile
import unittest
from pathlib import Path

from check_includes import check

GOOD = {
    "enxerto/core/CMakeLists.txt": "enxerto_folder(core HEADERS a.h SOURCES a.cpp)",
    "enxerto/core/a.h": "#pragma once\n",
    "enxerto/core/a.cpp": '#include "enxerto/core/a.h"\n',
    "enxerto/tensor/CMakeLists.txt": "enxerto_folder(tensor\n  DEPENDS core\n  HEADERS t.h TESTS t_test.cpp)",
    "enxerto/tensor/t.h": '#include "enxerto/core/a.h"\n',
    "enxerto/tensor/t_test.cpp": '#include "enxerto/testing/near.h"\n',
    "enxerto/testing/near.h": '#include "enxerto/tensor/t.h"\n',
    "cli/main.cpp": '#include <CLI/CLI.hpp>\n#include "enxerto/tensor/t.h"\nint x = printf("hello");\n',
}


class CheckIncludes(unittest.TestCase):
    def faults(self, changed):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**GOOD, **changed}.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check(Path(folder))

    def refused(self, said, changed):
        faults = self.faults(changed)
        self.assertEqual(len(faults), 1, faults)
        self.assertIn(said, faults[0])

    def test_a_tree_that_keeps_the_rules_has_no_faults(self):
        self.assertEqual(self.faults({}), [])

    def test_comments_and_texts_are_not_code(self):
        code = """// std::cout
            /* getenv("A") */ auto s = "printf(";
            auto r = R"(exit(1))"; int n = snprintf(b, 1, "x");
            """
        self.assertEqual(self.faults({"enxerto/core/a.h": code}), [])

    def test_a_folder_may_not_include_what_comes_after_it(self):
        self.refused("core may not include tensor", {
            "enxerto/core/a.cpp": '#include "enxerto/tensor/t.h"\n',
            "enxerto/core/CMakeLists.txt": "enxerto_folder(core DEPENDS tensor HEADERS a.h SOURCES a.cpp)"})

    def test_headers_are_named_by_their_whole_path_and_exist(self):
        self.refused("the path of a header", {"enxerto/core/a.cpp": '#include "a.h"\n'})
        self.refused("does not exist", {"enxerto/core/a.cpp": '#include "enxerto/core/b.h"\n'})

    def test_outside_things_have_one_place(self):
        for code in ("#include <dnnl.hpp>", "#include <oneapi/dnnl/dnnl.hpp>", "#include <jpeglib.h>",
                     "#include <png.h>", "#include <CLI/CLI.hpp>", "#include <sys/socket.h>",
                     'auto a = std::getenv("A");', "std::cout << 1;", 'printf("x");',
                     'std::fprintf(stderr, "x");', "std::exit(1);"):
            self.refused("only", {"enxerto/core/a.cpp": code + "\n"})

    def test_cmake_says_what_the_code_includes(self):
        self.refused("DEPENDS lacks core", {
            "enxerto/tensor/CMakeLists.txt": "enxerto_folder(tensor HEADERS t.h TESTS t_test.cpp)"})
        self.refused("DEPENDS names core", {"enxerto/tensor/t.h": "\n"})
        self.refused("nobody compiles it", {"enxerto/core/lost_test.cpp": "\n"})
        self.refused("is installed, but core/a.h is not", {
            "enxerto/core/CMakeLists.txt": "enxerto_folder(core SOURCES a.h a.cpp)"})

    def test_an_unknown_folder_is_refused(self):
        self.refused("not in the table", {"enxerto/misc/a.h": "\n"})


if __name__ == "__main__":
    unittest.main()
