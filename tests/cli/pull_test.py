#!/usr/bin/env python3
"""`enxerto pull` and `enxerto models` against a server on this machine that misbehaves on demand.

usage: pull_test.py PATH_OF_ENXERTO [unittest arguments]
"""
import contextlib
import hashlib
import http.server
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from checked import Checked

ENXERTO = ""
PATIENCE = 60  # seconds for one command; far more than needed
BYTES = bytes(i * 7919 % 251 for i in range(300_000))
SHA256 = hashlib.sha256(BYTES).hexdigest()
HALF = len(BYTES) // 2


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.content at every path, as server.behaviour says; notes each request."""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, dict(self.headers)))
        server.behaviour(self)
        self.close_connection = True

    def answer(self, status, length, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def body(self, content):
        with contextlib.suppress(OSError):  # the client may leave
            self.wfile.write(content)

    def serve(self, knows_ranges=True, etag='"one"', cut=None, pause=0, extra=b"", announce=None, **headers):
        """The file. `cut`: the connection ends after so many bytes; `pause`: seconds of silence there."""
        content, start = self.server.content, 0
        if etag:
            headers["ETag"] = etag
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if knows_ranges and wanted and condition in (None, etag, headers.get("Last_Modified")):
            start = int(wanted[1])
            if start >= len(content):
                return self.answer(416, 0, Content_Range=f"bytes */{len(content)}")
            self.answer(206, len(content) - start,
                        Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}", **headers)
        else:
            self.answer(200, announce or len(content), **headers)
        end = len(content) if cut is None else cut
        self.body(content[start:end] + extra)
        if pause:
            self.wfile.flush()
            self.server.release.wait(pause)
            self.body(content[end:])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.requests, self.release = BYTES, [], threading.Event()
        self.behaviour = lambda handler: handler.serve()

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        pass


class Case(Checked):
    maxDiff = None

    def setUp(self):
        self.cache = Path(tempfile.mkdtemp(prefix="enxerto_pull_"))
        self.addCleanup(shutil.rmtree, self.cache, ignore_errors=True)
        self.server = Server()
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.server.release.set)
        self.url = self.server.base + "/weights/net.pth"
        self.file, self.part = self.cache / "net.pth", self.cache / "net.pth.part"

    def behave(self, **how):
        self.server.behaviour = lambda handler: handler.serve(**how)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("ENXERTO_", "XDG_")) and not name.lower().endswith("_proxy")}
        return {**kept, "LC_ALL": "C.UTF-8", "ENXERTO_CACHE": str(self.cache), **more}

    def run_enxerto(self, *arguments, file_limit=None, **variables):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        return subprocess.run([ENXERTO, *map(str, arguments)], env=self.environment(**variables),
                              timeout=PATIENCE, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              preexec_fn=limit if file_limit else None)

    def pull(self, *more, sha256=SHA256, **options):
        return self.run_enxerto("pull", "--url", self.url, "--sha256", sha256, *more, **options)

    def check_done(self, result, *texts):
        """The file is there and right, with its record, and nothing is left over but the lock."""
        self.check(result, 0, *texts)
        self.assertEqual(self.file.read_bytes(), BYTES)
        self.assertEqual(sorted(each.name for each in self.cache.iterdir()),
                         ["net.pth", "net.pth.json", "net.pth.lock"])
        record = json.loads((self.cache / "net.pth.json").read_text())
        self.assertEqual((record["sha256"], record["bytes"], record["url"]), (SHA256, len(BYTES), self.url))

    def cut_half_way(self, **how):
        self.behave(cut=HALF, **how)
        self.check(self.pull(), 1, "cut", "kept", self.url, self.cache)
        self.assertEqual(self.part.stat().st_size, HALF)
        self.assertFalse(self.file.exists())


class Pull(Case):
    def test_a_file_is_downloaded_once(self):
        self.check_done(self.pull(), SHA256, self.file, "hash checked")
        self.check_done(self.pull(), "already there, hash checked")
        self.assertEqual(len(self.server.requests), 1)
        self.server.shutdown()
        self.check_done(self.pull("--offline"), "already there")

    def test_json(self):
        result = self.pull("--json")
        self.check_done(result)
        self.assertEqual(result.stdout.count("\n"), 1)
        out = json.loads(result.stdout)
        self.assertLessEqual({"path": str(self.file), "sha256": SHA256, "bytes": len(BYTES), "url": self.url,
                              "from": self.url, "already_there": False}.items(), out.items())
        self.assertIs(json.loads(self.pull("--json").stdout)["already_there"], True)

    def test_the_first_digits_of_a_hash_are_enough(self):
        self.check_done(self.pull(sha256=SHA256[:8].upper()))

    def test_without_a_hash_the_file_is_taken_as_it_is_and_watched(self):
        self.check_done(self.run_enxerto("pull", "--url", self.url), "nobody published a hash")
        self.file.write_bytes(BYTES[:-1] + b"x")
        self.check(self.run_enxerto("pull", "--url", self.url), 3, self.file, "delete it")

    def test_what_was_cut_off_goes_on(self):
        self.cut_half_way()
        self.behave()
        self.check_done(self.pull())
        self.assertEqual(self.server.requests[-1][1]["Range"], f"bytes={HALF}-")
        self.assertEqual(self.server.requests[-1][1]["If-Range"], '"one"')

    def test_it_goes_on_by_the_date_where_there_is_no_strong_etag(self):
        date = "Wed, 25 Nov 2026 03:00:00 GMT"
        self.cut_half_way(etag='W/"weak"', Last_Modified=date)
        self.behave(etag='W/"weak"', Last_Modified=date)
        self.check_done(self.pull())
        self.assertEqual(self.server.requests[-1][1]["If-Range"], date)
        self.assertIn("Range", self.server.requests[-1][1])

    def test_it_starts_again_where_nothing_tells_that_the_file_is_the_same(self):
        self.cut_half_way(etag=None)
        self.behave(etag=None)
        self.check_done(self.pull())
        self.assertNotIn("Range", self.server.requests[-1][1])

    def test_it_starts_again_where_the_server_knows_no_ranges(self):
        self.cut_half_way()
        self.behave(knows_ranges=False)
        self.check_done(self.pull())

    def test_the_halves_of_two_files_are_not_glued(self):
        self.server.content = bytes(len(BYTES))
        self.cut_half_way(etag='"old"')
        self.server.content = BYTES
        self.behave(etag='"new"')
        self.check_done(self.pull())
        self.assertEqual(self.server.requests[-1][1]["If-Range"], '"old"')

    def test_a_part_of_another_address_is_not_used(self):
        self.cut_half_way()
        self.behave()
        self.url = self.server.base + "/other/net.pth"
        self.check_done(self.pull())
        self.assertNotIn("Range", self.server.requests[-1][1])

    def test_a_part_that_is_too_long_is_dropped(self):
        self.cut_half_way()
        self.part.write_bytes(bytes(len(BYTES) + 5))
        self.behave()
        self.check_done(self.pull())
        self.assertEqual(len(self.server.requests), 3)

    def test_a_damaged_note_beside_the_part_means_starting_again(self):
        self.cut_half_way()
        (self.cache / "net.pth.part.json").write_text('{"url": ')
        self.behave()
        self.check_done(self.pull())

    def test_a_server_that_sends_another_part_than_was_asked_for_is_refused(self):
        self.cut_half_way()

        def wrong(handler):
            handler.answer(206, 10, Content_Range=f"bytes 0-9/{len(BYTES)}", ETag='"one"')
            handler.body(BYTES[:10])
        self.server.behaviour = wrong
        self.check(self.pull(), 1, "another part")
        self.assertEqual(self.part.stat().st_size, HALF)

    def test_what_comes_behind_the_announced_end_is_left_out(self):
        self.behave(extra=b"more" * 1000)
        self.check_done(self.pull())

    def test_a_file_without_a_length_is_taken_to_the_end(self):
        def endless(handler):
            handler.answer(200, None)
            handler.body(BYTES)
        self.server.behaviour = endless
        self.check_done(self.pull())

    def test_a_file_of_any_length_is_stopped_at_the_bound(self):
        self.behave(announce=5 << 20)
        self.check(self.pull("--max-mib", "1"), 3, "5.0 MiB", "1.0 MiB")

        def flood(handler):
            handler.answer(200, None)
            for _ in range(40):
                handler.body(bytes(100_000))
        self.server.behaviour = flood
        self.check(self.pull("--max-mib", "1"), 3, "1.0 MiB")
        self.assertLessEqual(self.part.stat().st_size, 1 << 20)

    def test_the_wrong_hash_leaves_nothing(self):
        self.server.content = BYTES[::-1]
        found = hashlib.sha256(BYTES[::-1]).hexdigest()
        self.check(self.pull(), 3, SHA256, found, "removed")
        self.check(self.pull(sha256=SHA256[:10]), 3, f"begins with {found[:10]}, expected was {SHA256[:10]}")
        self.assertEqual([each.name for each in self.cache.iterdir()], ["net.pth.lock"])

    def test_answers_of_a_server_that_does_not_have_it(self):
        for status, code, what in [(404, 3, "no such file"), (410, 3, "no such file"), (500, 1, "500"),
                                   (503, 1, "503"), (403, 1, "403"), (416, 1, "416")]:
            with self.subTest(status):
                def refuse(handler, status=status):
                    handler.answer(status, 4)
                    handler.body(b"page")
                self.server.behaviour = refuse
                self.check(self.pull(), code, what, self.url, "by other means", self.file)
                self.assertFalse(self.file.exists())

    def test_a_wrong_answer_leaves_the_part(self):
        self.cut_half_way()
        self.server.behaviour = lambda handler: handler.answer(500, 0)
        self.check(self.pull(), 1, "500")
        self.assertEqual(self.part.stat().st_size, HALF)

    def test_an_empty_file_is_none(self):
        self.server.content = b""
        self.check(self.pull(), 3, "empty")

    def test_redirects_are_followed_where_they_are_safe(self):
        def redirect(handler):
            if handler.path.endswith("/real"):
                return handler.serve()
            handler.answer(302, 4, Location="/real")
            handler.body(b"page")
        self.server.behaviour = redirect
        self.check_done(self.pull())

    def test_redirects_elsewhere_without_https_are_refused(self):
        for target in ["http://example.org/net.pth", "file:///etc/passwd", "ftp://example.org/net.pth",
                       "http://127.0.0.1.example.org/"]:
            with self.subTest(target):
                self.server.behaviour = lambda handler, target=target: handler.answer(302, 0, Location=target)
                self.check(self.pull(), 1, "redirects to", target, "refused")
        self.server.behaviour = lambda handler: handler.answer(302, 0, Location="/again")
        self.check(self.pull(), 1, "redirects")
        self.server.behaviour = lambda handler: handler.answer(302, 0)
        self.check(self.pull(), 1, "302")

    def test_a_server_that_falls_silent_is_left(self):
        self.behave(cut=HALF, pause=30)
        began = time.monotonic()
        self.check(self.pull("--timeout", "1"), 1, "nothing came for 1 s", "kept")
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(self.part.stat().st_size, HALF)

    def test_an_answer_that_is_no_http(self):
        self.server.behaviour = lambda handler: handler.body(bytes(range(256)) * 10)
        self.check(self.pull(), 1, self.url)

    def test_no_server_at_all(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth"
            self.check(self.pull(), 1, "cannot be reached", self.url, SHA256, self.file)

    def test_an_interrupt_keeps_what_has_arrived(self):
        self.behave(cut=HALF, pause=30)
        process = subprocess.Popen([ENXERTO, "pull", "--url", self.url, "--sha256", SHA256],
                                   env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        deadline = time.monotonic() + PATIENCE
        while not (self.part.exists() and self.part.stat().st_size == HALF) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, errors)
        self.assertRegex(errors, r"\Aenxerto: [^\n]*interrupted[^\n]*goes on\n\Z")
        self.assertEqual(self.part.stat().st_size, HALF)
        self.server.release.set()
        self.behave()
        self.check_done(self.pull())
        self.assertIn("Range", self.server.requests[-1][1])

    def test_two_at_once_take_turns(self):
        self.behave(cut=HALF, pause=1)
        processes = [subprocess.Popen([ENXERTO, "pull", "--url", self.url, "--sha256", SHA256, "--json"],
                                      env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True) for _ in range(2)]
        outs = []
        for process in processes:
            out, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0, errors)
            outs.append(json.loads(out)["already_there"])
        self.assertEqual(sorted(outs), [False, True])
        self.assertEqual(len(self.server.requests), 1)
        self.check_done(self.pull())

    def test_a_full_disk_keeps_what_fits(self):
        self.check(self.pull(file_limit=100_000), 1, self.part, "free some space")
        self.assertEqual(self.part.stat().st_size, 100_000)
        self.check_done(self.pull())
        self.assertEqual(self.server.requests[-1][1]["Range"], "bytes=100000-")

    def test_a_file_in_the_way_of_the_cache(self):
        self.check(self.pull(ENXERTO_CACHE=str(Path(ENXERTO).resolve())), 1, ENXERTO.rsplit("/", 1)[-1],
                   "ENXERTO_CACHE")
        self.file.mkdir()
        self.check(self.pull(), 1, self.file, "folder")

    def test_a_file_put_there_by_hand_is_checked_and_taken(self):
        self.file.write_bytes(BYTES)
        self.check(self.pull("--offline"), 0, "already there, hash checked")
        self.assertEqual(json.loads((self.cache / "net.pth.json").read_text())["from"], "put there by hand")
        self.file.write_bytes(BYTES[1:])
        self.check(self.pull(), 3, SHA256, self.file, "delete it")
        self.assertEqual(self.file.read_bytes(), BYTES[1:])
        self.assertEqual(self.server.requests, [])

    def test_offline_it_says_what_to_put_where(self):
        self.check(self.run_enxerto("pull", "resnet50:v1", "--offline"), 3, "0676ba61",
                   "https://download.pytorch.org/models/resnet50-0676ba61.pth",
                   self.cache / "resnet50-0676ba61.pth")
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_a_mirror_is_asked_for_the_same_file_and_its_hash_counts(self):
        for mirror in ["/mirror", "/mirror/"]:
            self.check(self.run_enxerto("pull", "resnet18", "--from", self.server.base + mirror), 3, "f37072fd",
                       SHA256[:8])
            self.assertEqual(self.server.requests[-1][0], "/mirror/resnet18-f37072fd.pth")
        self.check(self.run_enxerto("pull", "vgg16:keras", ENXERTO_MIRROR=self.server.base), 3, "MD5",
                   "64373286793e3c8b2b4e3219cbf3544b", hashlib.md5(BYTES).hexdigest())
        result = self.run_enxerto("pull", "mobilenet_v1_0.25", "--json", ENXERTO_MIRROR=self.server.base)
        self.check(result, 0)
        out = json.loads(result.stdout)
        self.assertEqual(out["from"], self.server.base + "/mobilenet_2_5_224_tf.h5")
        self.assertTrue(out["url"].startswith("https://storage.googleapis.com/"))
        self.assertEqual(out["license"], "Apache-2.0")
        # The same without the mirror.
        self.check(self.run_enxerto("pull", "mobilenet_v1_0.25"), 0, "already there")

    def test_the_cache_is_where_the_variables_say(self):
        home, xdg = self.cache / "home", self.cache / "xdg"
        for variables, folder in [({"HOME": str(home)}, home / ".cache/enxerto"),
                                  ({"HOME": str(home), "XDG_CACHE_HOME": str(xdg)}, xdg / "enxerto"),
                                  ({"HOME": str(home), "XDG_CACHE_HOME": "relative"}, home / ".cache/enxerto")]:
            self.check(self.pull(ENXERTO_CACHE="", **variables), 0, folder / "net.pth")
        self.check(self.pull(ENXERTO_CACHE="", HOME=""), 2, "ENXERTO_CACHE")

    def test_wrong_command_lines(self):
        for arguments, texts in [([], ["--url", "enxerto models"]),
                                 (["resnet50", "--url", self.url], ["--url"]),
                                 (["resnet50", "--sha256", SHA256], ["--sha256"]),
                                 (["--url", self.url, "--from", self.url], ["--from"]),
                                 (["resnet9"], ["resnet9", "resnet18"]),
                                 (["resnet50:v9"], ["resnet50:v9", "resnet50:v1", "resnet50:v2"]),
                                 (["lenet5"], ["lenet5"]),
                                 (["resnet50", "--from", "http://example.org/x"], ["https://"]),
                                 (["resnet50", "--from", "https://me:secret@example.org"], ["password"]),
                                 (["--url", "http://example.org/net.pth"], ["https://"]),
                                 (["--url", "file:///etc/passwd"], ["https://"]),
                                 (["--url", "nonsense"], ["nonsense"]),
                                 (["--url", self.server.base + "/"], ["cannot be a file of the cache"]),
                                 (["--url", self.server.base + "/.bashrc"], [".bashrc"]),
                                 (["--url", self.server.base + "/a%2fb"], ["a%2fb"]),
                                 (["--url", self.url, "--sha256", "xyz"], ["xyz", "hexadecimal"]),
                                 (["--url", self.url, "--timeout", "0"], ["--timeout"]),
                                 (["--url", self.url, "--timeout", "nan"], ["--timeout"]),
                                 (["--url", self.url, "--max-mib", "0"], ["--max-mib"])]:
            with self.subTest(arguments):
                self.check(self.run_enxerto("pull", *arguments), 2, *texts)
        self.assertEqual(self.server.requests, [])
        self.assertEqual(list(self.cache.iterdir()), [])


class Models(Case):
    def test_the_table_fits_100_columns(self):
        result = self.run_enxerto("models")
        self.check(result, 0, "resnet18", "11,689,512", "3x224x224", "69.8/89.1", "torchvision", "lenet5",
                   "resnet50:v1", "BSD-3-Clause", str(self.cache))
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 100)

    def test_json_has_all_of_it_and_says_what_is_here(self):
        result = self.run_enxerto("models", "--json")
        self.check(result, 0)
        models = {each["name"]: each for each in json.loads(result.stdout)["models"]}
        net = models["resnet50"]
        self.assertEqual(net["parameters"], 25_557_032)
        self.assertEqual((net["image"], net["classes"]), ([3, 224, 224], 1000))
        v2, v1 = net["weights"]
        self.assertEqual((v2["name"], v2["top1"], v2["preprocess"]["crop_fraction"]), ("resnet50", 0.80858, 224 / 232))
        self.assertEqual((v1["name"], v1["sha256"], v1["cached"]), ("resnet50:v1", "0676ba61", None))
        self.assertTrue(v1["license"] and v1["figures_page"] and v1["url"].startswith("https://"))
        self.assertEqual(models["lenet5"]["weights"], [])

    def test_it_tells_what_is_here(self):
        # No hash of it is published, so anything may stand for it.
        self.check(self.run_enxerto("pull", "mobilenet_v1", ENXERTO_MIRROR=self.server.base), 0)
        models = json.loads(self.run_enxerto("models", "--json").stdout)["models"]
        here = [each["file"] for net in models for each in net["weights"] if each["cached"]]
        if any(net["name"] == "mobilenet_v1" for net in models):
            self.assertEqual(here, ["mobilenet_1_0_224_tf.h5"])

    def test_counting_takes_little_time_and_memory(self):
        began = time.monotonic()
        result = subprocess.run([sys.executable, "-c", """
import resource, subprocess, sys
subprocess.run([sys.argv[1], "models", "--json"], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)""", ENXERTO], env=self.environment(), check=True,
                                capture_output=True, text=True, timeout=PATIENCE)
        self.assertLess(int(result.stdout), 700_000, "KiB")
        self.assertLess(time.monotonic() - began, 30)


if __name__ == "__main__":
    ENXERTO = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
