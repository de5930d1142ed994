"""Says by brute force when a schedule is due: walks every minute of a span and looks whether it matches.

It shares nothing with the program that it judges, neither code nor zone database (the system's is taken, by zoneinfo).
Daylight saving is Debian cron's: a line whose minute or hour starts with `*` follows real time; any other runs once
right after a skipped time that held it, and on the first pass only of a repeated one. Shifts of more than three hours
are corrections of the calendar and change nothing.

Instants are whole seconds since the Unix epoch, all of them multiples of 60.
"""

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
FIELDS = [(0, 59, [], 0), (0, 23, [], 0), (1, 31, [], 0), (1, 12, MONTHS, 1), (0, 7, DAYS, 0)]
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LARGEST_SHIFT = timedelta(hours=3)


def occurrences(schedules, zone, after, until):
    """The instants in (after, until] at which any of `schedules` is due, in order, each once."""
    due = set()
    for text in [schedules] if isinstance(schedules, str) else schedules:
        due.update(of_one(text.strip(), zone, after, until))
    return sorted(due)


def of_one(text, zone, after, until):
    minutes = range((after // 60 + 1) * 60, until + 1, 60)
    if re.match("@?every ", text):
        length = seconds_of(text.split(None, 1)[1])
        return [minute for minute in minutes if minute % length == 0]
    fields = NICKNAMES.get(text.lower(), text).split()
    if len(fields) != 5:
        raise ValueError(f"`{text}` is no schedule that this evaluator reads")
    line = Line(fields)
    place = ZoneInfo(zone)
    return [minute for minute in minutes if line.is_due(minute, place)]


def seconds_of(text):
    """A duration such as `90s`, `1h30m` or `500ms`, in seconds; a fraction stays one."""
    parts = re.findall(r"(\d+)\s*(ms|[smhdw])[a-z]*", text.strip())
    if not parts or re.sub(r"\d+\s*[a-z]+\s*", "", text.strip()):
        raise ValueError(f"`{text}` is no duration")
    return sum(int(number) / 1000 if unit == "ms" else int(number) * UNITS[unit] for number, unit in parts)


class Line:
    """A crontab line."""

    def __init__(self, fields):
        sets = [values_of(field, *FIELDS[place]) for place, field in enumerate(fields)]
        self.minutes, self.hours, self.days, self.months, self.weekdays = sets
        self.weekdays = {day % 7 for day in self.weekdays}
        self.either_day = not (fields[2].startswith("*") or fields[4].startswith("*"))
        self.follows_real_time = fields[0].startswith("*") or fields[1].startswith("*")

    def names(self, wall):
        """Whether the line names this minute of a clock on the wall."""
        day, weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        on_day = day or weekday if self.either_day else day and weekday
        return on_day and wall.minute in self.minutes and wall.hour in self.hours and wall.month in self.months

    def is_due(self, minute, place):
        wall = datetime.fromtimestamp(minute, place)
        if self.follows_real_time:
            return self.names(wall)
        if self.names(wall) and not is_second_pass(wall):
            return True
        before = datetime.fromtimestamp(minute - 60, place)
        skipped = wall.utcoffset() - before.utcoffset()
        if not timedelta(0) < skipped <= LARGEST_SHIFT:
            return False
        first = before.replace(tzinfo=None, fold=0) + timedelta(minutes=1)
        return any(self.names(first + timedelta(minutes=n)) for n in range(int(skipped.total_seconds() // 60)))


def is_second_pass(wall):
    """Whether the clock on the wall has shown this minute before, because it was set back by a little."""
    back = wall.replace(fold=0).utcoffset() - wall.replace(fold=1).utcoffset()
    return wall.fold == 1 and timedelta(0) < back <= LARGEST_SHIFT


def values_of(field, low, high, names, first_name):
    """The numbers that one field of a line allows."""
    number = lambda word: names.index(word.lower()) + first_name if word.lower() in names else int(word)
    allowed = set()
    for entry in field.split(","):
        span, _, step = entry.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = map(number, span.split("-"))
        else:
            first = number(span)
            last = high if step else first
        if not low <= first <= last <= high:
            raise ValueError(f"`{entry}` is out of range")
        allowed.update(range(first, last + 1, int(step or 1)))
    return allowed


def instant(text):
    """Microseconds since the epoch of an RFC 3339 text in UTC."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    second = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    return int(second.timestamp()) * 1_000_000 + int((fraction + "000000")[:6])


def written(micros):
    """The RFC 3339 text of an instant in microseconds."""
    text = datetime.fromtimestamp(micros // 1_000_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{micros % 1_000_000:06d}" if micros % 1_000_000 else "") + "Z"
