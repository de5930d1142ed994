#!/usr/bin/env python3
"""Tries every small change of a crate in one build: weave.py CRATE LIST.json FOUND EXPLAINED.md

LIST.json is what `cargo mutants --list --json` says. In each function that a change is in, the body becomes a `match` over
the number of the change that is chosen, with an arm for each: the body with that change. The variable MUTANT chooses. So
one build has all of them, and a change costs what its tests take until the first of them fails.

An arm that the compiler refuses is a change that does not build; it goes, and the rest is built again. What is in no
function body (a constant) is built by itself. FOUND gets one line for each change: how it ended, of which text of its file,
and its name. What is there as caught, or as not to be built, is not tried again until its file is another.

Prints what was missed and is in no row of EXPLAINED.md, and the counts; ends with 1 if there is such a change.
"""

import collections
import concurrent.futures
import hashlib
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import threading

# What is tried first, by where the change is: most changes end there. Random lives are the last to be asked.
FIRST = {
    "src/schedule": ["schedule_suite::", "schedule::"],
    "src/plan": ["plan_suite::", "plan::"],
    "src/lease": ["lease::", "plan_suite::"],
    "src/runlog": ["runlog_suite::", "runlog::"],
}
# These take longer than all others of their subject.
HEAVY = ["vectors::", "schedule::date::", "schedule::zone::"]
LAWS = ["laws::", "law::"]
# What a run may hoard, in bytes, and how often the CPU time of an unchanged run it may take, in times and seconds.
ROOM = 2 << 30
TIMES, SECONDS = 2, 1
# The most passes that `passes` answers.
MOST = 5


def offset(starts, place):
    return starts[place["line"] - 1] + place["column"] - 1


def body(text, start, end):
    """Where the braces of a function are, or nothing where it can't be told apart by a choice at run time."""
    head = re.compile(r"^\s*(?://[^\n]*\n\s*|#\[[^\n]*\n\s*)*").match(text[start:end]).end() + start
    depth, at = 0, head
    while at < end and not (text[at] == "{" and depth == 0):
        depth += (text[at] in "([") - (text[at] in ")]")
        at += 1
    signature = text[head:at]
    if at >= end or re.search(r"\bconst fn\b|-> *impl\b", signature):
        return None
    return at, end - 1


def changed(text, starts, mutant, start, end):
    """The text from start to end with the change."""
    first, last = offset(starts, mutant["span"]["start"]), offset(starts, mutant["span"]["end"])
    assert start <= first <= last <= end, mutant["name"]
    return text[start:first] + mutant["replacement"] + " " + text[last:end]


class File:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.digest = hashlib.sha256(self.text.encode()).hexdigest()[:8]
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.functions = {}
        self.alone = []
        self.arms = []

    def add(self, mutant):
        function = mutant["function"]
        span = function and (offset(self.starts, function["span"]["start"]), offset(self.starts, function["span"]["end"]))
        braces = span and body(self.text, *span)
        if braces:
            self.functions.setdefault(braces, []).append(mutant)
        else:
            self.alone.append(mutant)

    def part(self):
        """Functions within functions are left as they are in the others' arms: their changes are built alone."""
        for inner in list(self.functions):
            if any(outer[0] < inner[0] and inner[1] < outer[1] for outer in self.functions):
                self.alone += self.functions.pop(inner)

    def weave(self, refused):
        self.arms, parts, at, line = [], [], 0, 1

        def put(piece):
            nonlocal line
            parts.append(piece)
            line += piece.count("\n")

        for (opens, closes), mutants in sorted(self.functions.items()):
            put(self.text[at : opens + 1])
            put(" match crate::chosen() {\n")
            for mutant in mutants:
                if mutant["number"] in refused:
                    continue
                first = line
                put(f"{mutant['number']} => {{")
                put(changed(self.text, self.starts, mutant, opens + 1, closes))
                put("\n}\n")
                self.arms.append((first, line - 1, mutant["number"]))
            put("_ => {" + self.text[opens + 1 : closes] + "}\n}")
            at = closes
        put(self.text[at:])
        self.path.write_text("".join(parts))


def cargo(crate, *arguments):
    """What the compiler complains about, and the test program if there is one."""
    command = ["cargo", *arguments, "--quiet", "--lib", "--message-format=json"]
    built = subprocess.run(command, cwd=crate, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    errors, program = [], None
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-message" and message["message"]["level"].startswith("error"):
            errors.append(message["message"])
        program = message.get("executable") or program
    return built.returncode == 0, errors, program, built.stderr


def blamed(crate, files, error):
    """The changes that an error of the compiler is in."""
    numbers = set()
    for span in error["spans"]:
        while span["expansion"] and not span["file_name"].startswith("src/"):
            span = span["expansion"]["span"]
        file = files.get(span["file_name"])
        if file and span["is_primary"]:
            numbers |= {number for first, last, number in file.arms if first <= span["line_start"] <= last}
    return numbers


def weave_all(crate, files, needless):
    """Weaves what builds together, without the needless; answers the test program and what else is not in it."""
    refused = set(needless)
    while True:
        for file in files.values():
            file.weave(refused)
        fine, errors, _, said = cargo(crate, "check", "--profile", "test")
        if fine:
            break
        new = set().union(*(blamed(crate, files, error) for error in errors)) - refused
        if not new:
            sys.exit(said + "\n".join(error["rendered"] for error in errors) + "what is woven does not build")
        print(f"{len(new)} do not build", flush=True)
        refused |= new
    fine, errors, program, said = cargo(crate, "test", "--no-run")
    if not fine:
        sys.exit(said + "\n".join(error["rendered"] for error in errors))
    return program, refused


def passes(path):
    """The arguments of the runs that a change of this file has to live through, one after the other."""
    own = path.removeprefix("src/").removesuffix(".rs").replace("/", "::") + "::tests::"
    first = next(names for start, names in FIRST.items() if path.startswith(start))
    # Schedules know nothing of what lies above them, and have tests of their own.
    if path.startswith("src/schedule"):
        return [(own,), (*first, *skip([*HEAVY, *LAWS])), tuple(HEAVY), skip([*first, *LAWS]), tuple(LAWS)]
    others = ["schedule_suite::", *HEAVY]
    return [(own,), (*first, *skip(LAWS)), skip([*first, *others, *LAWS]), (*LAWS, *skip(others))]


def skip(names):
    return tuple(word for name in names for word in ("--skip", name))


def run(program, crate, arguments, number, limit):
    """How the tests end: passed, caught or slow; and what CPU time they took."""
    bounds = ["prlimit", f"--cpu={limit}", f"--as={ROOM}", "--core=0", program]
    # The test harness ends at the first failure only where it takes itself for an unstable one.
    whole = [*bounds, "--quiet", "--test-threads=1", "-Zunstable-options", "--fail-fast", *arguments]
    environment = {**os.environ, "MUTANT": str(number), "RUSTC_BOOTSTRAP": "1", "PROPTEST_MAX_SHRINK_ITERS": "0"}
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(whole, cwd=crate, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
    # Who waits for ever takes no CPU time, and is ended some time.
    timer = threading.Timer(60 + 20 * limit, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = code = os.waitstatus_to_exitcode(status)
    return "passed" if code == 0 else "slow" if code in (-9, -24) else "caught", usage.ru_utime + usage.ru_stime


def measure(program, crate, runs, limits):
    """Adds how much CPU time each of these runs may take; unchanged, all must pass."""
    for arguments in sorted(set(runs) - set(limits)):
        ended, spent = run(program, crate, arguments, 0, 600)
        if ended != "passed":
            sys.exit(f"unchanged, the tests do not pass: {program} {' '.join(arguments)}")
        limits[arguments] = math.ceil(TIMES * spent + SECONDS)
        print(f"{spent:5.1f} s for {' '.join(arguments)}", flush=True)


def explained(page):
    """The names, without their lines, that a row of the page begins with."""
    return {name.replace("\\|", "|") for name in re.findall(r"^\| `(src[^`]*)` ", page.read_text(), re.MULTILINE)}


def tell(mutants, ways, rows):
    """The counts of each file, and whether everything that is missed has its row."""
    counts, unexplained = {}, []
    for mutant in mutants:
        way = ways.get(mutant["number"], "untried")
        counts.setdefault(mutant["file"], collections.Counter())[way] += 1
        if way == "missed" and re.sub(r":\d+:\d+: ", ": ", mutant["name"]) not in rows:
            unexplained.append(mutant["name"])
    kinds = ["caught", "slow", "unviable", "missed", "untried"]
    for file, count in [*sorted(counts.items()), ("all", sum(counts.values(), collections.Counter()))]:
        print(f"{file}: {count.total()} changes: " + ", ".join(f"{count[kind]} {kind}" for kind in kinds))
    print(f"{len(unexplained)} are missed and not explained", *unexplained, sep="\n  ")
    return not unexplained


def main():
    crate, listed, found, page = map(pathlib.Path, sys.argv[1:5])
    mutants = json.loads(listed.read_text())
    files, ways = {}, {}
    for number, mutant in enumerate(mutants, 1):
        mutant["number"] = number
        if mutant["file"] not in files:
            files[mutant["file"]] = File(crate / mutant["file"])
        files[mutant["file"]].add(mutant)
    for file in files.values():
        file.part()
    before = dict(reversed(line.split(" ", 1)) for line in found.read_text().splitlines()) if found.exists() else {}

    def settled(mutant):
        way = before.get(named(mutant))
        if way in ("caught", "slow", "unviable"):
            ways[mutant["number"]] = way
        return mutant["number"] in ways

    def named(mutant):
        return f"{files[mutant['file']].digest} {mutant['name']}"

    with open(found, "a") as out:

        def note(way, mutant):
            ways[mutant["number"]] = way
            print(way, named(mutant), file=out, flush=True)
            if way in ("missed", "slow"):
                print(way, mutant["name"], flush=True)

        left = [m for file in files.values() for ms in file.functions.values() for m in ms if not settled(m)]
        alone = [mutant for file in files.values() for mutant in file.alone if not settled(mutant)]
        program, refused = weave_all(crate, files, {mutant["number"] for mutant in mutants} - {m["number"] for m in left})
        limits = {}
        for mutant in left:
            if mutant["number"] in refused:
                note("unviable", mutant)
        left = [mutant for mutant in left if mutant["number"] not in refused]
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("MUTANTS_JOBS", "2"))) as pool:
            for turn in range(MOST):
                lived = [mutant for mutant in left if turn >= len(passes(mutant["file"]))]
                due = [mutant for mutant in left if turn < len(passes(mutant["file"]))]
                runs = [passes(mutant["file"])[turn] for mutant in due]
                measure(program, crate, runs, limits)
                ended = pool.map(lambda m, tests: run(program, crate, tests, m["number"], limits[tests]), due, runs)
                for mutant, (way, _) in zip(due, ended):
                    if way != "passed":
                        note(way, mutant)
                        continue
                    lived.append(mutant)
                    if turn > 0:
                        print(f"has lived through pass {turn + 1}:", mutant["name"], flush=True)
                left = lived
        for mutant in left:
            note("missed", mutant)

        # One build for each of the rest.
        for file in files.values():
            file.path.write_text(file.text)
        measure(program, crate, [tests for mutant in alone for tests in passes(mutant["file"])], limits)
        for mutant in alone:
            file = files[mutant["file"]]
            file.path.write_text(changed(file.text, file.starts, mutant, 0, len(file.text)))
            fine, _, program, _ = cargo(crate, "test", "--no-run")
            tries = (run(program, crate, arguments, 0, limits[arguments])[0] for arguments in passes(mutant["file"]))
            note(next((way for way in tries if way != "passed"), "missed") if fine else "unviable", mutant)
            file.path.write_text(file.text)

    sys.exit(0 if tell(mutants, ways, explained(page)) else 1)


main()
