"""Reads what the checker goes by: the configuration, what bodies wrote, which faults there were, what the run-log says.

Holds always: nothing is skipped in silence; a file or line that is not understood is a fault of the history. Instants
are microseconds since the Unix epoch.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import schedule


@dataclass(frozen=True)
class Policy:
    """What the configuration says of a pipeline, with the defaults filled in."""

    name: str
    schedules: object
    zone: str
    jitter: int
    catch_up: str
    lease: int
    max_attempts: int
    finish_first: bool
    reruns: bool
    exit_codes: dict

    def means(self, code):
        """What an exit code is: success, partial, retry or fatal."""
        return self.exit_codes.get(str(code), "success" if code == 0 else "retry")


@dataclass
class Start:
    """A body that was started; `at` is unknown where it was killed before its first line."""

    pipeline: str
    scheduled_for: int
    attempt: int
    fence: int
    file: str
    tick: str = ""
    at: int = None
    beside: str = "-"
    ended_at: int = None
    code: int = None

    def __str__(self):
        return f"{self.pipeline} of {schedule.written(self.scheduled_for)} attempt {self.attempt}"

    @property
    def which(self):
        """The name by which a body that finds it beside itself calls it."""
        return self.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]


@dataclass(frozen=True)
class Fault:
    """What was done to a tick: kill, freeze or stop; `victim` is tick, supervisor or both; a freeze lasts `until`."""

    kind: str
    victim: str
    tick: str
    pid: int
    at: int
    until: int


@dataclass
class History:
    """All that is known of what happened."""

    starts: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


def pipelines(path):
    """The policies by name. JSON, which is YAML too; another YAML needs PyYAML."""
    text = Path(path).read_text()
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        import yaml

        document = yaml.safe_load(text)
    return {name: policy(name, keys or {}, document) for name, keys in document["pipelines"].items()}


def policy(name, keys, document):
    defaults = document.get("defaults") or {}
    says = lambda key, built_in: keys.get(key, defaults.get(key, built_in))
    retry = {**(defaults.get("retry") or {}), **(keys.get("retry") or {})}
    codes = {**(defaults.get("exit_codes") or {}), **(keys.get("exit_codes") or {})}
    catch_up = says("catch_up", "latest")
    micros = lambda text: round(schedule.seconds_of(text) * 1_000_000)
    return Policy(
        name=name,
        schedules=keys.get("schedule", []),
        zone=keys.get("timezone", document.get("timezone", "UTC")),
        jitter=micros(says("jitter", "0s")),
        catch_up=catch_up["policy"] if isinstance(catch_up, dict) else catch_up,
        lease=micros(says("lease", "5m")),
        max_attempts=retry.get("max_attempts", 1),
        finish_first=retry.get("when_next_due") == "finish_first",
        reruns=says("on_interrupt", "retry") == "rerun",
        exit_codes={str(code): meaning for code, meaning in codes.items()},
    )


def history(folder):
    """What the bodies and the driver have written below `folder`."""
    folder, found = Path(folder), History()
    for path in sorted((folder / "bodies").glob("*/*")):
        try:
            found.starts.append(start(path))
        except (ValueError, IndexError) as error:
            found.wrong.append(f"{path.name}: not understood: {error}")
    faults = folder / "faults.ndjson"
    for line in faults.read_text().splitlines() if faults.exists() else []:
        found.faults.append(Fault(**json.loads(line)))
    return found


def start(path):
    """One body by its file: the name first, then what it came to write."""
    pipeline, name = path.parent.name.replace("%2F", "/"), path.name
    run_id, attempt, fence, _pid = name.rsplit(".", 3)
    body = Start(pipeline, instant_of(run_id), int(attempt), int(fence), f"{path.parent.name}/{name}")
    text = path.read_text()
    for line in text[: text.rfind("\n") + 1].splitlines():
        what, named, scheduled_for, number, its_fence, _, tick, _, at, last = line.split(" ")
        same = (named, schedule.instant(scheduled_for), int(number), int(its_fence))
        if same != (body.pipeline, body.scheduled_for, body.attempt, body.fence):
            raise ValueError(f"the line `{line}` is of another start")
        body.tick = tick
        if what == "start" and body.at is None:
            body.at, body.beside = int(at), last
        elif what == "end" and body.at is not None and body.code is None:
            body.ended_at, body.code = int(at), int(last)
        else:
            raise ValueError(f"the line `{line}` has no place here")
    return body


def instant_of(run_id):
    """The instant in `name@20261025T000100Z`."""
    stamp = run_id.rsplit("@", 1)[1]
    day, _, time = stamp.partition("T")
    clock = f"{time[:2]}:{time[2:4]}:{time[4:]}"
    return schedule.instant(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock}")


def export(path):
    """What the run-log says, as `tickward history -o json` prints it: attempts, and stretches that were not run."""
    attempts, not_run = {}, []
    for record in json.loads(Path(path).read_text()):
        if record["kind"] == "attempt":
            key = (record["pipeline"], schedule.instant(record["scheduled_for"]))
            attempts.setdefault(key, []).append(record)
        else:
            not_run.append(record)
    for of_run in attempts.values():
        of_run.sort(key=lambda record: record["attempt"])
    return attempts, not_run
