#!/usr/bin/env python3
"""Runs the demonstration for a few seconds and looks at its table.

    python3 tests/history/prove_test.py
"""

import os
import subprocess
import unittest

import servers
from program import REPOSITORY, built

PROVE = REPOSITORY / "demo" / "prove"


class Demonstration(unittest.TestCase):
    def prove(self, *arguments, kinds=()):
        """On SQLite, and on servers of these kinds."""
        env = {**os.environ, "TICKWARD_BIN": str(built(*servers.FEATURES if kinds else ()))}
        for variable in ("TICKWARD_PROVE_URL", *(servers.VARIABLES[kind] for kind in {*servers.VARIABLES} - {*kinds})):
            env.pop(variable, None)
        done = subprocess.run([PROVE, *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            self.assertLessEqual(len(line), 80, line)
        return done

    def test_a_few_seconds_double_and_lose_nothing_and_the_naive_tick_does_both(self):
        done = self.prove("--seconds", "8", "--seed", "3")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = {line[:40].strip(): line[40:].split() for line in done.stdout.splitlines() if line[40:].strip()}
        number = lambda name, column: int(rows[name][column])
        for name in ("doubled", "unaccounted for", "invented"):
            self.assertEqual(number(name, 0), 0, name)
        once, lost = number("started exactly once", 0), number("killed before it began, recorded as lost", 0)
        self.assertEqual(once, number("starts", 0))
        self.assertEqual(once + lost, number("occurrences due", 0))
        self.assertEqual(number("ticks", 0), 40 * number("clock calls", 0))
        self.assertGreater(number("ticks killed", 0), 0)
        self.assertGreater(number("doubled", 1), 0)
        self.assertGreater(number("unaccounted for", 1), 0)
        self.assertGreater(number("unaccounted for", 2), 0)
        self.assertEqual(number("occurrences due", 0), number("occurrences due", 1))
        self.assertIn("again: demo/prove --seconds 8 --ticks 40 --seed 3", done.stdout)

    def test_servers_that_are_there_are_proved_too(self):
        kinds = servers.reachable()
        if not kinds:
            self.assertNotIn("CI", os.environ, "no server is there: tests/servers/run starts them")
            self.skipTest("no server is there")
        done = self.prove("--seconds", "15", kinds=kinds)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for kind in ("sqlite", *kinds):
            self.assertIn(f"run-log: {kind};", done.stdout)
        doubled = [line[40:].split()[0] for line in done.stdout.splitlines() if line.startswith("doubled")]
        self.assertEqual(doubled, ["0"] * (1 + len(kinds)))

    def test_a_run_log_that_cannot_be_used_is_not_proved_and_its_password_not_shown(self):
        done = self.prove("--seconds", "8", "--run-log-url", "nosuch://user:pass-4711@127.0.0.1:1/db?key=4712")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("not proved on nosuch://***@127.0.0.1:1/db:\n  run-log: unknown scheme `nosuch`", done.stdout)
        self.assertNotIn("471", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
