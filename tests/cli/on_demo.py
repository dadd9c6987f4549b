"""What the tests that work on a small network and its pictures share: the demo, the command, kills at random moments."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ENXERTO = ""
WORK = None  # a folder for all of it; has demo/, a run with data/train, data/val, data/test
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "ENXERTO_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
PATIENCE = 300



def command(arguments):
    return [ENXERTO, *map(str, arguments)]


def enxerto(*arguments, cwd=None):
    return subprocess.run(command(arguments), cwd=cwd or WORK, env=ENVIRONMENT, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def make_demo():
    ENVIRONMENT["ENXERTO_CACHE"] = str(WORK / "cache")
    made = enxerto("demo", "--out", "demo", "--pictures", 96, "--epochs", 2, "--quiet")
    assert made.returncode == 0, made.stderr


class Case(unittest.TestCase):
    maxDiff = None

    def check(self, result, code, *texts):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        for text in texts:
            self.assertIn(text, result.stdout + result.stderr)

    def check_error(self, result, code, *texts):
        self.check(result, code, *texts)
        self.assertRegex(result.stderr, r"\Aenxerto: [^\n]+\n\Z")
        self.assertNotIn("fault of ours", result.stderr)

    def told(self, *arguments):
        result = enxerto(*arguments, "--json")
        self.check(result, 0)
        return json.loads(result.stdout)

    def is_killed(self, arguments, seconds, cwd=None):
        """Whether the command had to be killed after so many seconds; where not, it ended well."""
        process = subprocess.Popen(command(arguments), cwd=cwd or WORK, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        try:
            _, error = process.communicate(timeout=seconds)
            self.assertEqual(process.returncode, 0, error)
            return False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True


def main():
    """Runs the tests of the program that was started: PATH_OF_ENXERTO [unittest arguments]."""
    global ENXERTO, WORK
    ENXERTO = str(Path(sys.argv.pop(1)).resolve())
    with tempfile.TemporaryDirectory() as folder:
        WORK = Path(folder)
        unittest.main()
