"""What must hold between the bodies of a history, whatever the run-log says.

Each rule is a function that gets the bodies of one pipeline and tells the verdict what breaks it. Times are only
compared within one machine, and only a fault that the driver has noted excuses anything.
"""

from collections import defaultdict

from schedule import written

COUNTED = ["bodies", "ended", "cut off by a fault", "beside a frozen worker's body (excused)"]
RULES = [
    "doubled",  # one attempt started more than once (I1)
    "invented",  # nothing was due then, or it was started before it was due (I7)
    "out of order",  # attempt n+1 before n was over, or after n had succeeded (I4)
    "beyond policy",  # more starts than the retry policy and reruns allow (P2, I6)
    "fence went back",  # a start without a higher fence than the one before (I9)
    "overlap",  # two bodies of one pipeline at once (I10)
    "vanished",  # a body without an end, and nobody had done anything to its tick
]
FREE_RERUNS = 3


class Workers:
    """Which ticks something was done to; a body's tick is found by the name it inherited, else by the run-log."""

    def __init__(self, faults, attempts):
        self.by_tick, self.by_pid = defaultdict(list), defaultdict(list)
        for fault in faults:
            self.by_tick[fault.tick].append(fault)
            self.by_pid[fault.pid].append(fault)
        self.owner = {}
        for (pipeline, scheduled_for), of_run in (attempts or {}).items():
            for record in of_run:
                self.owner[pipeline, scheduled_for, record["attempt"]] = record["pid"]

    def faults_of(self, body):
        if body.tick:
            return self.by_tick[body.tick]
        return self.by_pid[self.owner.get((body.pipeline, body.scheduled_for, body.attempt))]

    def may_have_outlived_its_lease(self, body, at, lease):
        """Whether nobody could end the body in time: tick and supervisor were frozen, since long before `at`.

        A lease is renewed when a third of it is over, so a frozen worker's holds for two thirds more, less what a busy
        machine delays: half.
        """
        frozen = (f for f in self.faults_of(body) if f.kind == "freeze" and f.victim == "both")
        return any(f.at + lease // 2 <= at and f.until - f.at >= lease // 2 for f in frozen)


def judge(verdict, pipelines, history, due, workers):
    by_pipeline = defaultdict(list)
    for body in history.starts:
        by_pipeline[body.pipeline].append(body)
        verdict.counts["bodies"] += 1
        verdict.counts["ended"] += body.code is not None
        verdict.counts["cut off by a fault"] += body.code is None and bool(workers.faults_of(body))
    for name, bodies in by_pipeline.items():
        if name not in pipelines:
            verdict.is_wrong("invented", f"`{name}` is not configured and was started")
            continue
        bodies.sort(key=lambda body: (body.at or 0, body.fence))
        told = (verdict, pipelines[name], bodies, workers)
        starts_only_what_was_due(*told, set(due[name]))
        starts_each_attempt_once(*told)
        makes_attempts_in_order(*told)
        keeps_to_the_policy(*told)
        raises_the_fence(*told)
        runs_one_at_a_time(*told)
        ends_what_it_starts(*told)


def starts_only_what_was_due(verdict, policy, bodies, _, due):
    for body in bodies:
        if body.scheduled_for not in due:
            verdict.is_wrong("invented", f"{body}: nothing was due then")
        elif body.at is not None and body.at < body.scheduled_for:
            verdict.is_wrong("invented", f"{body}: started at {written(body.at)}, before it was due")


def starts_each_attempt_once(verdict, policy, bodies, _):
    seen = {}
    for body in bodies:
        first = seen.setdefault((body.scheduled_for, body.attempt), body)
        if first is not body:
            verdict.is_wrong("doubled", f"{body}: {first.file} and {body.file}")


def of_each_run(bodies):
    runs = defaultdict(list)
    for body in bodies:
        runs[body.scheduled_for].append(body)
    return runs.values()


def makes_attempts_in_order(verdict, policy, bodies, workers):
    for run in of_each_run(bodies):
        run = sorted(run, key=lambda body: (body.attempt, body.at or 0))
        for before, after in zip(run, run[1:]):
            if before.attempt == after.attempt or after.at is None:
                continue
            faults = workers.faults_of(before)
            late = workers.may_have_outlived_its_lease(before, after.at, policy.lease)
            if before.at is not None and after.at < before.at:
                verdict.is_wrong("out of order", f"{after}: before attempt {before.attempt}")
            elif before.code is not None and before.ended_at > after.at and not late:
                verdict.is_wrong("out of order", f"{after}: while attempt {before.attempt} still ran")
            elif before.code is None and all(fault.at > after.at for fault in faults):
                verdict.is_wrong("out of order", f"{after}: attempt {before.attempt} had not ended")
            elif before.code is not None and not faults and policy.means(before.code) != "retry":
                verdict.is_wrong("out of order", f"{after}: attempt {before.attempt} had ended with {before.code}")


def keeps_to_the_policy(verdict, policy, bodies, workers):
    for run in of_each_run(bodies):
        stops = sum(any(fault.kind == "stop" for fault in workers.faults_of(body)) for body in run)
        allowed = policy.max_attempts + (min(stops, FREE_RERUNS) if policy.reruns else 0)
        attempts = {body.attempt for body in run}
        if len(attempts) > allowed:
            verdict.is_wrong("beyond policy", f"{run[-1]}: {len(attempts)} attempts started, {allowed} allowed")


def raises_the_fence(verdict, policy, bodies, _):
    timed = [body for body in bodies if body.at is not None]
    for before, after in zip(timed, timed[1:]):
        if after.fence <= before.fence:
            verdict.is_wrong("fence went back", f"{after}: {after.fence} after {before.fence}")
    fences = [body.fence for body in bodies]
    for body in bodies:
        if body.at is None and fences.count(body.fence) > 1:
            verdict.is_wrong("fence went back", f"{body}: {body.fence} was given out twice")


def runs_one_at_a_time(verdict, policy, bodies, workers):
    """By the times that bodies wrote, and by the lock whose holder the kernel knew to be alive."""
    by_name = {body.which: body for body in bodies}
    timed = [body for body in bodies if body.at is not None]
    open_bodies = []
    for body in timed:
        open_bodies = [other for other in open_bodies if other.ended_at > body.at]
        beside = {other.file: other for other in open_bodies}
        if body.beside != "-":
            holder = by_name.get(body.beside)
            beside[holder.file if holder else body.beside] = holder
        for name, other in beside.items():
            if other and workers.may_have_outlived_its_lease(other, body.at, policy.lease):
                verdict.counts["beside a frozen worker's body (excused)"] += 1
            else:
                verdict.is_wrong("overlap", f"{body}: beside {other or name}")
        if body.ended_at is not None:
            open_bodies.append(body)


def ends_what_it_starts(verdict, policy, bodies, workers):
    for body in bodies:
        if body.code is None and not workers.faults_of(body):
            verdict.is_wrong("vanished", f"{body}: it has no end")
