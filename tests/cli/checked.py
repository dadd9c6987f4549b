"""What the tests of the command expect of any of its runs."""
import unittest


class Checked(unittest.TestCase):
    def check(self, result, code, *texts):
        """The exit code, and for a failure one line on stderr with each of `texts` in it."""
        self.assertEqual(result.returncode, code, result.stderr)
        if code:
            self.assertRegex(result.stderr, r"\A(.*\n)*enxerto: [^\n]+\n\Z")
            self.assertNotIn("fault of ours", result.stderr)
        for wanted in texts:
            self.assertIn(str(wanted), result.stderr if code else result.stdout)
