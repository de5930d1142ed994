#!/usr/bin/env python3
"""The checker is tested on planted histories: a sound one passes, and each thing that can go wrong is found.

    python3 tests/history/checker_test.py
"""

import json
import tempfile
import unittest
from pathlib import Path

import checker
import schedule
from schedule import instant

SECOND = 1_000_000
BEGIN = instant("2026-06-10T11:00:00Z")
FIRST, SECOND_ONE, THIRD = (BEGIN + minute * 60 * SECOND for minute in (1, 2, 3))
END = BEGIN + 3 * 60 * SECOND

CONFIG = {
    "defaults": {"lease": "6s", "catch_up": "all", "exit_codes": {"3": "fatal"}},
    "pipelines": {
        "once": {"schedule": "* * * * *"},
        "retried": {"schedule": "every 3m", "retry": {"max_attempts": 2}},
        "newest": {"schedule": "* * * * *", "catch_up": "latest"},
        "thrice": {"schedule": "every 3m", "retry": {"max_attempts": 3}},
    },
}


def body(pipeline, at, attempt=1, fence=None, start=None, takes=1, code=0, tick="0.1", beside="-", pid=100):
    """A body; `start` in seconds after its instant, `takes` none for one that came to no end."""
    began = at + (start if start is not None else 5 * attempt) * SECOND
    fence = fence if fence is not None else (at - BEGIN) // SECOND + attempt
    return {**locals(), "began": began}


SOUND = [
    *(body("once", at) for at in (FIRST, SECOND_ONE, THIRD)),
    body("retried", THIRD, code=1),
    body("retried", THIRD, attempt=2),
    body("newest", THIRD),
    body("thrice", THIRD, code=1),
    body("thrice", THIRD, attempt=2),
]
STRUCK = THIRD + 6 * SECOND
KILLED = {"kind": "kill", "victim": "tick", "tick": "0.1", "pid": 7, "at": STRUCK, "until": STRUCK}
FROZEN = {**KILLED, "kind": "freeze", "victim": "both", "until": THIRD + 20 * SECOND}


class Planted(unittest.TestCase):
    def verdict(self, bodies, faults=(), log=None):
        """What the checker says of a history that is written for it."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "config").write_text(json.dumps(CONFIG))
            (folder / "faults.ndjson").write_text("".join(json.dumps(fault) + "\n" for fault in faults))
            for place, one in enumerate(bodies):
                self.write(folder / "bodies" / one["pipeline"], one, place)
            export = None
            if log is not None:
                export = folder / "export.json"
                export.write_text(json.dumps(log))
            return checker.check(folder / "config", folder, BEGIN, END, export)

    def write(self, folder, one, place):
        folder.mkdir(parents=True, exist_ok=True)
        stamp = schedule.written(one["at"]).replace("-", "").replace(":", "")
        run_id = f"{one['pipeline']}@{stamp}"
        middle = [one["pipeline"], schedule.written(one["at"]), one["attempt"], one["fence"], run_id, one["tick"]]
        middle.append(one["pid"] + place)
        lines = [["start", *middle, one["began"], one["beside"]]]
        if one["takes"] is not None:
            lines.append(["end", *middle, one["began"] + one["takes"] * SECOND, one["code"]])
        text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
        name = f"{run_id}.{one['attempt']}.{one['fence']}.{one['pid'] + place}"
        (folder / name).write_text("" if one["code"] == "unwritten" else text)

    def assert_found(self, rules, bodies, faults=(), log=None):
        verdict = self.verdict(bodies, faults, log)
        self.assertEqual(sorted({rule for rule, _ in verdict.wrong}), sorted(rules), verdict.wrong)

    def test_each_wrong_history_is_found_and_a_sound_one_is_not(self):
        without = lambda *places: [one for place, one in enumerate(SOUND) if place not in places]
        retried_cut = body("retried", THIRD, takes=None)
        again = body("retried", THIRD, attempt=2)
        longer = body("retried", THIRD, takes=20, code=0)
        table = [
            ("sound", SOUND, [], []),
            ("a doubled start", [*SOUND, body("once", FIRST, start=7, fence=62)], [], ["doubled"]),
            ("doubled before its first line", [*SOUND, body("once", FIRST, code="unwritten", fence=62)], [],
             ["doubled", "vanished"]),
            ("a lost occurrence", without(1), [], ["unaccounted"]),
            ("the newest of a pipeline that runs the newest is lost", without(5), [], ["unaccounted"]),
            ("an invented occurrence", [*SOUND, body("retried", FIRST)], [], ["invented"]),
            ("one that nobody configured", [*SOUND, body("stranger", FIRST)], [], ["invented"]),
            ("started before it was due", [*without(0), body("once", FIRST, start=-1)], [], ["invented"]),
            ("the fence goes back", [*without(1), body("once", SECOND_ONE, fence=3)], [], ["fence went back"]),
            ("the fence stays", [*without(1), body("once", SECOND_ONE, fence=61)], [], ["fence went back"]),
            ("bodies overlap", [*without(0), body("once", FIRST, takes=70)], [], ["overlap"]),
            ("the lock tells of an overlap", [*without(1), body("once", SECOND_ONE, beside="?")], [], ["overlap"]),
            ("beyond the policy", [*SOUND, body("retried", THIRD, attempt=3)], [], ["beyond policy", "out of order"]),
            ("again without a policy", [*without(0), body("once", FIRST, code=1), body("once", FIRST, attempt=2)], [],
             ["beyond policy"]),
            ("again after success", [*without(3), body("retried", THIRD)], [], ["out of order"]),
            ("again after a fatal code", [*without(3), body("retried", THIRD, code=3)], [], ["out of order"]),
            ("no end and no fault", [*without(2), body("once", THIRD, takes=None)], [], ["vanished"]),
            ("no end by a fault", [*without(2), body("once", THIRD, takes=None)], [KILLED], []),
            ("again after a fault", [*without(3, 4), retried_cut, again], [KILLED], []),
            ("again before the fault", [*without(3, 4), retried_cut, again], [{**KILLED, "at": THIRD + 30 * SECOND}],
             ["out of order"]),
            ("again though only the tick stood still", [*without(3, 4), longer, again], [{**FROZEN, "victim": "tick"}],
             ["out of order", "overlap"]),
            ("again while both stood still", [*without(3, 4), longer, body("retried", THIRD, attempt=2, start=12)],
             [{**FROZEN, "at": THIRD + 6 * SECOND}], []),
            ("again too early while both stood still", [*without(3, 4), longer, again],
             [{**FROZEN, "at": THIRD + 8 * SECOND}], ["out of order", "overlap"]),
        ]
        for name, bodies, faults, rules in table:
            with self.subTest(name):
                self.assert_found(rules, bodies, faults)

    def log(self, **changes):
        """The run-log of the sound history; a change replaces the record of that key, or leaves it out."""
        records = {}
        for one in SOUND:
            key = f"{one['pipeline']}_{(one['at'] - BEGIN) // (60 * SECOND)}_{one['attempt']}"
            records[key] = {
                "kind": "attempt", "pipeline": one["pipeline"], "scheduled_for": schedule.written(one["at"]),
                "attempt": one["attempt"], "state": "failed" if one["code"] else "succeeded", "fence": one["fence"],
                "pid": 7, "claimed_at": schedule.written(one["began"]), "exit_code": one["code"], "late_outcome": None,
                "ended_at": schedule.written(one["began"] + SECOND),
            }
        records["missed"] = {
            "kind": "not_run", "pipeline": "newest", "reason": "missed", "from": schedule.written(FIRST),
            "to": schedule.written(SECOND_ONE), "count": 2, "decided_at": schedule.written(THIRD + SECOND),
        }
        for key, change in changes.items():
            records[key] = change and {**records.get(key, {}), **change}
        return [record for record in records.values() if record]

    def test_the_run_log_is_held_against_the_bodies(self):
        without_first = SOUND[1:]
        passed = {**self.log()[-1], "pipeline": "once", "to": schedule.written(FIRST), "count": 1}
        overlap = {**passed, "reason": "overlap", "decided_at": schedule.written(FIRST + 2 * SECOND)}
        superseded = {**passed, "pipeline": "retried", "reason": "superseded", "decided_at": schedule.written(END)}
        superseded.update({"from": schedule.written(THIRD), "to": schedule.written(THIRD)})
        lost = {"state": "lost", "exit_code": None}
        failed = {"state": "failed", "exit_code": 1}
        twice = lambda code: [*SOUND[:-2], body("thrice", THIRD, code=code), body("thrice", THIRD, attempt=2, code=1)]
        table = [
            ("sound", SOUND, {}, [], []),
            ("a start without a claim", SOUND, {"once_1_1": None}, [], ["recorded wrongly"]),
            ("a claim of another fence", SOUND, {"once_1_1": {"fence": 60}}, [], ["recorded wrongly"]),
            ("a failure recorded as success", SOUND, {"retried_3_1": {"state": "succeeded"}}, [], ["recorded wrongly"]),
            ("released, and was started", SOUND, {"once_1_1": {"state": "released"}}, [],
             ["given up too early", "recorded wrongly"]),
            ("lost without a fault", SOUND, {"once_1_1": lost}, [], ["recorded wrongly"]),
            ("lost by a fault", SOUND, {"once_1_1": lost}, [KILLED], []),
            ("never decided", SOUND, {"once_1_1": {"state": "running"}}, [], ["unaccounted"]),
            ("success without a body", without_first, {}, [], ["recorded wrongly", "unaccounted"]),
            ("lost before its first line", without_first, {"once_1_1": lost}, [KILLED], []),
            ("lost before its first line, without a fault", without_first, {"once_1_1": lost}, [], ["unaccounted"]),
            ("missed though everything is caught up", without_first, {"once_1_1": None, "more": passed}, [],
             ["unaccounted"]),
            ("skipped while nothing ran", without_first, {"once_1_1": None, "more": overlap}, [], ["unaccounted"]),
            ("run and passed over", SOUND, {"more": passed}, [], ["decided twice"]),
            ("counted wrongly", SOUND, {"missed": {"count": 1}}, [], ["recorded wrongly"]),
            ("missed though it was the newest", SOUND, {"missed": {"decided_at": schedule.written(SECOND_ONE)}}, [],
             ["unaccounted"]),
            ("not even missed", SOUND, {"missed": {"to": schedule.written(FIRST), "count": 1}}, [], ["unaccounted"]),
            ("a retry that was given up for nothing newer", SOUND[:4] + SOUND[5:],
             {"retried_3_2": None, "more": superseded}, [], ["given up too early"]),
            ("no third attempt, for the first has succeeded late", twice(0),
             {"thrice_3_1": {**lost, "late_outcome": "succeeded"}, "thrice_3_2": failed}, [FROZEN], []),
            ("no third attempt, though the first has failed late", twice(1),
             {"thrice_3_1": {**lost, "late_outcome": "failed"}, "thrice_3_2": failed}, [FROZEN], ["given up too early"]),
            ("a retry that was never made", SOUND[:4] + SOUND[5:], {"retried_3_2": None}, [], ["given up too early"]),
        ]
        for name, bodies, changes, faults, rules in table:
            with self.subTest(name):
                self.assert_found(rules, bodies, faults, self.log(**changes))


class Evaluator(unittest.TestCase):
    def test_known_lines_are_due_when_they_are_known_to_be(self):
        spring = ("2026-03-28T23:59:00Z", "2026-03-29T02:00:00Z")
        autumn = ("2026-10-24T23:59:00Z", "2026-10-25T02:40:00Z")
        berlin, plain = "Europe/Berlin", ("2026-06-10T11:00:00Z", "2026-06-10T12:00:00Z")
        leap = ("2028-02-27T23:59:00Z", "2028-03-01T00:00:00Z")
        table = [
            ("*/20 * * * *", "UTC", plain, "06-10T11:20 06-10T11:40 06-10T12:00"),
            ("5/25 11 * * wed", "UTC", plain, "06-10T11:05 06-10T11:30 06-10T11:55"),
            ("every 25m", "UTC", plain, "06-10T11:05 06-10T11:30 06-10T11:55"),
            (["@hourly", "0,30 * * * *"], "UTC", plain, "06-10T11:30 06-10T12:00"),
            ("30 2 * * *", berlin, spring, "03-29T01:00"),
            ("30 1,2,3 * * *", berlin, spring, "03-29T00:30 03-29T01:00 03-29T01:30"),
            ("10,50 2 * * *", berlin, spring, "03-29T01:00"),
            ("*/30 2 * * *", berlin, spring, ""),
            ("30 * * * *", berlin, spring, "03-29T00:30 03-29T01:30"),
            ("30 2 * * *", berlin, autumn, "10-25T00:30"),
            ("30 * * * *", berlin, autumn, "10-25T00:30 10-25T01:30 10-25T02:30"),
            ("0 0-23 * * *", berlin, autumn, "10-25T00:00 10-25T02:00"),
            ("0 12 29 feb *", "UTC", leap, "02-29T12:00"),
            ("0 0 13 * fri", "UTC", ("2026-02-12T00:00:00Z", "2026-02-21T00:00:00Z"), "02-13T00:00 02-20T00:00"),
            ("0 12 30 12 *", "Pacific/Apia", ("2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z"), ""),
            ("30 1 * * *", "Australia/Lord_Howe", ("2026-04-04T12:00:00Z", "2026-04-05T00:00:00Z"), "04-04T14:30"),
        ]
        for text, zone, (after, until), expected in table:
            with self.subTest(f"{text} in {zone}"):
                found = schedule.occurrences(text, zone, instant(after) // SECOND, instant(until) // SECOND)
                self.assertEqual(" ".join(schedule.written(second * SECOND)[5:16] for second in found), expected)


if __name__ == "__main__":
    unittest.main()
