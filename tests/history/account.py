"""Accounts for every occurrence that was due: started, or not started for a reason that holds.

The reasons come from the run-log's export and are tested here against the schedule, the faults and the bodies; without
an export, an occurrence that `latest` or `skip` may pass over needs a later one that was started. What the run-log says
of attempts is held against what their bodies wrote.
"""

from collections import defaultdict
from dataclasses import dataclass

from rules import FREE_RERUNS
from schedule import instant, written

COUNTED = [
    "occurrences due",
    "of these started",
    "missed, as the catch-up policy says",
    "skipped, the one before still ran",
    "lost before the body's first line",
]
RULES = [
    "unaccounted",  # due, and neither started nor passed over for a reason that holds (I7, P3)
    "decided twice",  # run and passed over, or passed over twice (P3)
    "given up too early",  # an attempt was left and not made (I5, P3)
    "recorded wrongly",  # the run-log contradicts what a body wrote (I2, I3, I5)
]
# A rehearsal's clock starts with its process, a little behind the driver's; so do the instants that it records.
SKEW = 2_000_000


@dataclass(frozen=True)
class Span:
    """Occurrences in (since, until] count; `interval` is that of the ticks."""

    since: int
    until: int
    interval: int


def judge(verdict, pipelines, history, due, workers, attempts, not_run, span):
    bodies = defaultdict(lambda: defaultdict(list))
    for body in history.starts:
        bodies[body.pipeline][body.scheduled_for].append(body)
    passed = defaultdict(list)
    for entry in not_run:
        passed[entry["pipeline"]].append(entry)
    for name, policy in pipelines.items():
        log = RunLog(name, attempts, passed[name])
        account = Account(verdict, policy, due[name], bodies[name], workers, log, span)
        account.for_every_occurrence()
        if attempts is not None:
            account.counts_are_right()
            account.attempts_are_told_truly()
            account.retries_are_made()


class RunLog:
    """What the run-log says of one pipeline."""

    def __init__(self, name, attempts, passed):
        self.is_known = attempts is not None
        self.attempts = {at: found for (pipeline, at), found in (attempts or {}).items() if pipeline == name}
        self.passed = [
            (entry["reason"], instant(entry["from"]), instant(entry["to"]), entry) for entry in passed
        ]

    def over(self, at):
        """The stretches that pass over the occurrence of `at`, retries that were given up aside."""
        return [entry for reason, first, last, entry in self.passed if first <= at <= last and reason != "superseded"]

    def superseded_at(self, at):
        """When the retry of that occurrence was given up for a newer one; none if it was not."""
        for reason, first, last, entry in self.passed:
            if reason == "superseded" and first <= at <= last:
                return instant(entry["decided_at"])
        return None

    def was_busy(self, decided_at):
        """Whether an attempt was active then, or a retry waited for."""
        for of_run in self.attempts.values():
            last_end = of_run[-1]["ended_at"]
            has_begun = instant(of_run[0]["claimed_at"]) - SKEW <= decided_at
            if has_begun and (last_end is None or decided_at <= instant(last_end) + SKEW):
                return True
        return False


class Account:
    """The account of one pipeline."""

    def __init__(self, verdict, policy, due, bodies, workers, log, span):
        self.verdict, self.policy, self.due, self.bodies = verdict, policy, due, bodies
        self.workers, self.log, self.span = workers, log, span

    def name(self, at):
        return f"{self.policy.name} of {written(at)}"

    def for_every_occurrence(self):
        for at in self.due:
            over = self.log.over(at)
            started = at in self.bodies
            claimed = at in self.log.attempts
            # Its instant, jitter included, may not have come yet.
            if not (started or claimed or over) and at + self.policy.jitter > self.span.until:
                continue
            self.verdict.counts["occurrences due"] += 1
            self.verdict.counts["of these started"] += started
            stretch_counts_it = any(entry["count"] > self.left_in(entry) for entry in over)
            if len(over) > 1 or ((started or claimed) and stretch_counts_it):
                self.verdict.is_wrong("decided twice", f"{self.name(at)}: {len(over)} times passed over")
            if started:
                continue
            if not self.log.is_known:
                self.explain_without_run_log(at)
            elif claimed:
                self.explain_claimed(at)
            elif over:
                self.explain_passed_over(at, over[0])
            else:
                self.verdict.is_wrong("unaccounted", f"{self.name(at)}: neither started nor passed over")

    def left_in(self, entry):
        """The occurrences of a stretch that have no attempt."""
        first, last = instant(entry["from"]), instant(entry["to"])
        return sum(first <= at <= last and at not in self.log.attempts for at in self.due)

    def explain_without_run_log(self, at):
        later = any(other > at for other in self.bodies)
        if self.policy.catch_up != "all" and later:
            self.verdict.counts["missed, as the catch-up policy says"] += 1
        else:
            self.verdict.is_wrong("unaccounted", f"{self.name(at)}: not started")

    def explain_claimed(self, at):
        """Claimed and never started: only a fault between claim and first line can do that."""
        of_run = self.log.attempts[at]
        states = [record["state"] for record in of_run]
        hit = all(self.workers.by_pid[record["pid"]] for record in of_run if record["state"] != "released")
        if states[-1] in ("lost", "interrupted") and hit:
            self.verdict.counts["lost before the body's first line"] += 1
        elif states[-1] == "released" and self.is_superseded_rightly(at):
            self.verdict.counts["missed, as the catch-up policy says"] += 1
        else:
            self.verdict.is_wrong("unaccounted", f"{self.name(at)}: never started, and is {', '.join(states)}")

    def explain_passed_over(self, at, entry):
        reason, decided_at = entry["reason"], instant(entry["decided_at"])
        if reason == "missed" and self.may_miss(at, decided_at):
            self.verdict.counts["missed, as the catch-up policy says"] += 1
        elif reason == "overlap" and self.log.was_busy(decided_at):
            self.verdict.counts["skipped, the one before still ran"] += 1
        else:
            text = f"{self.name(at)}: `{reason}` at {entry['decided_at']} has no ground"
            self.verdict.is_wrong("unaccounted", text)

    def may_miss(self, at, decided_at):
        """Whether the policy lets a tick of that instant pass over the occurrence as too late."""
        if self.policy.catch_up == "skip":
            return decided_at - at >= self.span.interval - SKEW
        return self.policy.catch_up == "latest" and any(at < other <= decided_at for other in self.due)

    def counts_are_right(self):
        for reason, first, last, entry in self.log.passed:
            within = sum(first <= at <= last for at in self.due)
            if reason != "superseded" and not self.left_in(entry) <= entry["count"] <= within:
                span = f"from {entry['from']} to {entry['to']}"
                text = f"{self.policy.name}: {entry['count']} {reason} {span}, not {within}"
                self.verdict.is_wrong("recorded wrongly", text)

    def attempts_are_told_truly(self):
        for at, of_run in self.log.attempts.items():
            told = {record["attempt"]: record for record in of_run}
            if sorted(told) != list(range(1, len(of_run) + 1)):
                self.verdict.is_wrong("recorded wrongly", f"{self.name(at)}: attempts {sorted(told)}")
            if at not in self.due:
                self.verdict.is_wrong("recorded wrongly", f"{self.name(at)}: claimed, and was not due")
            for number, record in told.items():
                started = [body for body in self.bodies.get(at, []) if body.attempt == number]
                self.is_told_truly(at, record, started[0] if started else None)
        for at, started in self.bodies.items():
            known = {(record["attempt"], record["fence"]) for record in self.log.attempts.get(at, [])}
            for body in started:
                if (body.attempt, body.fence) not in known:
                    self.verdict.is_wrong("recorded wrongly", f"{body}: started without a claim of its fence")

    def is_told_truly(self, at, record, body):
        state, late = record["state"], record["late_outcome"]
        code = body.code if body else None
        what = f"{self.name(at)} attempt {record['attempt']} is {state}"
        meaning = None if code is None else self.policy.means(code)
        expected = {"success": "succeeded", "partial": "partial"}.get(meaning, "failed")
        if state == "running":
            self.verdict.is_wrong("unaccounted", f"{what}: its end was never decided")
        elif state == "released" and body:
            self.verdict.is_wrong("recorded wrongly", f"{what}, and was started")
        elif state in ("succeeded", "partial", "failed"):
            if code is None or state != expected or record["exit_code"] != code:
                self.verdict.is_wrong("recorded wrongly", f"{what} ({record['exit_code']}), its body ended with {code}")
        elif late in ("succeeded", "partial", "failed") and (code is None or late != expected):
            self.verdict.is_wrong("recorded wrongly", f"{what}, late {late}, its body ended with {code}")
        elif state in ("lost", "interrupted") and body and not self.workers.faults_of(body):
            self.verdict.is_wrong("recorded wrongly", f"{what}, and nothing had been done to its tick")

    def retries_are_made(self):
        """A run that failed with attempts left is made again, unless the next occurrence may take its place, or it is
        learnt late that an attempt has succeeded."""
        for at, of_run in self.log.attempts.items():
            last = of_run[-1]
            late = any(record["late_outcome"] in ("succeeded", "partial") for record in of_run)
            ends = ("succeeded", "partial", "cancelled", "running")
            over = late or last["state"] in ends or last["late_outcome"] == "cancelled"
            codes = [last["exit_code"], *(body.code for body in self.bodies.get(at, []) if last["late_outcome"])]
            fatal = any(code is not None and self.policy.means(code) == "fatal" for code in codes)
            interruptions = sum(record["state"] == "interrupted" for record in of_run)
            free = min(interruptions, FREE_RERUNS) if self.policy.reruns else 0
            burned = sum(record["state"] != "released" for record in of_run) - free
            if over or fatal or burned >= self.policy.max_attempts and last["state"] != "released":
                continue
            if not self.is_superseded_rightly(at):
                text = f"{self.name(at)} attempt {last['attempt']} is {last['state']}, and no other follows"
                self.verdict.is_wrong("given up too early", text)

    def is_superseded_rightly(self, at):
        """A pending retry gives way to the next occurrence. Where everything is caught up, in order, only to one that
        fell due after the run had begun, and what never started gives way to none."""
        decided_at, of_run = self.log.superseded_at(at), self.log.attempts[at]
        newer = [other for other in self.due if decided_at and at < other <= decided_at + SKEW]
        if self.policy.catch_up == "all":
            began = instant(of_run[0]["claimed_at"])
            newer = [other for other in newer if other >= began - SKEW and of_run[-1]["state"] != "released"]
        return bool(newer) and not self.policy.finish_first
