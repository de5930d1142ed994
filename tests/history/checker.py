#!/usr/bin/env python3
"""Accounts for every occurrence of a history: was each started as often as it had to be, and nothing else?

    checker.py CONFIG HISTORY_DIR --from T --to T [--run-log-export FILE] [--interval 60s]

Reads the configuration, what the bodies wrote and which faults there were (`records`), computes by itself what was due
in (from, to] (`schedule`) and compares. The run-log is believed about nothing that a body could have seen; its export
(`tickward history -o json -n 1000000`) is needed only to explain why an occurrence was not started, and is then held
against the bodies. `rules` has what must hold between the bodies, `account` what must hold for each occurrence.

Prints a table and what is wrong, and ends with 1 if anything is.
"""

import argparse
import sys
from collections import Counter

import account
import records
import rules
import schedule

SHOWN = 40


class Verdict:
    """What the checker has found."""

    def __init__(self, history):
        self.wrong = [("unreadable", text) for text in history.wrong]
        self.counts = Counter()

    def is_wrong(self, rule, text):
        self.wrong.append((rule, text))

    def of(self, rule):
        return sum(found == rule for found, _ in self.wrong)

    def rows(self):
        """The closing table: what was counted, then each rule with how often it was broken."""
        counted = [(name, self.counts[name]) for name in (*rules.COUNTED, *account.COUNTED)]
        broken = [(name, self.of(name)) for name in (*rules.RULES, *account.RULES)]
        return counted, broken + [("unreadable", self.of("unreadable"))]

    def print(self):
        counted, broken = self.rows()
        for name, number in [*counted, *broken]:
            print(f"{name:<44} {number:>9}")
        for rule, text in self.wrong[:SHOWN]:
            print(f"WRONG {rule}: {text}")
        if len(self.wrong) > SHOWN:
            print(f"WRONG and {len(self.wrong) - SHOWN} more")


def check(config, folder, since, until, export=None, interval=60_000_000):
    """The verdict on the history in `folder`; instants in microseconds."""
    pipelines = records.pipelines(config)
    history = records.history(folder)
    attempts, not_run = records.export(export) if export else (None, [])
    verdict = Verdict(history)
    due = {}
    for policy in pipelines.values():
        seconds = schedule.occurrences(policy.schedules, policy.zone, since // 1_000_000, until // 1_000_000)
        due[policy.name] = [second * 1_000_000 for second in seconds]
    workers = rules.Workers(history.faults, attempts)
    rules.judge(verdict, pipelines, history, due, workers)
    span = account.Span(since, until, interval)
    account.judge(verdict, pipelines, history, due, workers, attempts, not_run, span)
    return verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("history")
    parser.add_argument("--from", dest="since", required=True, type=schedule.instant, metavar="T")
    parser.add_argument("--to", dest="until", required=True, type=schedule.instant, metavar="T")
    parser.add_argument("--run-log-export", metavar="FILE")
    parser.add_argument("--interval", default="60s", help="the --interval of the ticks")
    options = parser.parse_args()
    interval = round(schedule.seconds_of(options.interval) * 1_000_000)
    verdict = check(
        options.config, options.history, options.since, options.until, options.run_log_export, interval
    )
    verdict.print()
    sys.exit(1 if verdict.wrong else 0)


if __name__ == "__main__":
    main()
