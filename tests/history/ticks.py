"""Calls ticks one after another in several loops at once, and lets a nemesis at them.

Each tick is the real program with a name that its bodies inherit (HISTORY_TICK). Virtual time is real time plus an
offset that only moves while nothing runs, as if the machine had been away: `--now` tells each tick where it stands.

Holds always: only processes that we started are signalled, and only while they cannot have been waited for.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from schedule import written

IDLE_PAUSE = 0.05
# What a tick may end with when nobody has done anything to it: done, or a pipeline failed.
SOUND = (0, 1)


class World:
    """Where ticks run: the program, its arguments, folder, and the offset of virtual time."""

    def __init__(self, binary, folder, config, url, seed, has_own_clock=False):
        self.binary, self.folder, self.config, self.url = binary, Path(folder), config, url
        self.seed, self.has_own_clock = seed, has_own_clock
        self.offset = 0
        self.ticks, self.unsound = 0, []
        self.lock = threading.Lock()

    def now(self):
        """Virtual time in microseconds."""
        return time.time_ns() // 1000 + self.offset

    def environment(self, tick):
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        return {
            **keep,
            "TICKWARD_STATE_DIR": str(self.folder / "state"),
            "HISTORY_DIR": str(self.folder),
            "HISTORY_SEED": str(self.seed),
            "HISTORY_TICK": tick,
            "HISTORY_OFFSET_US": str(self.offset),
        }

    def line(self, command, *more):
        return [str(self.binary), command, "-c", str(self.config), "--run-log-url", self.url, *more]

    def start(self, name, output):
        clock = [] if self.has_own_clock else ["--now", written(self.now())]
        line = self.line("run-due", "--jobs", "24", "-o", "json", *clock)
        with self.lock:
            self.ticks += 1
        env = self.environment(name)
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)

    def export(self, path):
        with open(path, "wb") as output:
            line = self.line("history", "-n", "100000000", "-o", "json")
            subprocess.run(line, stdout=output, check=True, env=self.environment("-"))

    def left(self):
        """Processes of this history that still run."""
        mark, found = f"HISTORY_DIR={self.folder}".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
            except OSError:
                continue
        return found


class Loop(threading.Thread):
    """Calls tick after tick until told to stop."""

    def __init__(self, world, number, rested):
        super().__init__(name=f"loop {number}", daemon=True)
        self.world, self.number, self.rested = world, number, rested
        self.held = threading.RLock()
        self.process, self.tick, self.struck = None, None, False
        self.idle, self.count, self.stopping = 0, 0, False

    def run(self):
        try:
            while not self.stopping:
                self.one()
                if self.idle >= 2:
                    self.rested.set()
                    time.sleep(IDLE_PAUSE)
        except BaseException as error:  # A loop that dies in silence would leave a round that never ends.
            self.world.unsound.append(f"{self.name}: {error!r}")

    def one(self):
        self.count += 1
        name = f"{self.number}.{self.count}"
        path = self.world.folder / f"tick.{self.number}"
        with open(path, "wb") as output:
            with self.held:
                self.tick, self.struck = name, False
                self.process = self.world.start(name, output)
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            with self.held:
                process, self.process = self.process, None
                code = process.wait()
        self.take(name, code, path.read_text(errors="replace"))

    def take(self, name, code, text):
        """Notes whether the tick was idle, and what it should not have come to."""
        if self.struck:
            self.idle = 0
            return
        try:
            report = json.loads(text[text.index('{"tick"') :])
        except ValueError:
            report = None
        if code not in SOUND or report is None:
            self.world.unsound.append(f"tick {name} ended with {code}: {text[-600:]}")
            self.idle = 0
            return
        busy = any(report[key] for key in ("ran", "failed", "skipped", "missed", "waiting", "claimed_elsewhere"))
        self.idle = 0 if busy else self.idle + 1


class Nemesis(threading.Thread):
    """Kills, freezes and stops ticks and their supervisors at random, and notes what it did.

    By os.kill: subprocess would wait for a process that has ended, which is for its loop alone.
    """

    # How often, what, to whom.
    WAYS = [
        (36, "kill", "tick"),
        (26, "kill", "supervisor"),
        (16, "kill", "both"),
        (12, "freeze", "tick"),
        (8, "freeze", "both"),
        (12, "stop", "tick"),
    ]

    def __init__(self, world, loops, dice, lease):
        super().__init__(name="nemesis", daemon=True)
        self.world, self.loops, self.dice, self.lease = world, loops, dice, lease
        self.stopping, self.frozen, self.done = threading.Event(), [], []

    def run(self):
        while not self.stopping.wait(self.pause()):
            self.thaw()
            self.strike(self.dice.choice(self.loops))
        self.thaw(everything=True)

    def pause(self):
        """Mostly short; now and then so long that what takes its time comes to its end."""
        return self.dice.uniform(0.05, 0.6) if self.dice.random() < 0.9 else self.dice.uniform(1.5, 4)

    def strike(self, loop):
        ways = [way for way in self.WAYS if way[1] != "freeze" or len(self.frozen) < len(self.loops) - 1]
        _, kind, victim = self.dice.choices(ways, [way[0] for way in ways])[0]
        with loop.held:
            process = loop.process
            if process is None or any(frozen[0] is loop for frozen in self.frozen):
                return
            # A tick that stands still starts no supervisor and waits for none: who is its child now stays it.
            os.kill(process.pid, signal.SIGSTOP)
            if not stands_still(process.pid):
                return
            children = [os.pidfd_open(pid) for pid in children_of(process.pid)]
            # To freeze what runs nothing shows nothing.
            if not children and (victim == "supervisor" or kind == "freeze"):
                os.kill(process.pid, signal.SIGCONT)
                return
            loop.struck = True
            note = {"kind": kind, "victim": victim, "tick": loop.tick, "pid": process.pid, "at": self.world.now()}
            self.carry_out(kind, victim, process, children)
            if kind == "freeze":
                lasts = self.lease * self.dice.uniform(1.1, 1.3)
                self.frozen.append((loop, process, children, time.monotonic() + lasts, note))
                return
        self.note(note)
        for child in children:
            os.close(child)

    def carry_out(self, kind, victim, process, children):
        supervisors = lambda what: [send(child, what) for child in children]
        if kind == "kill" and victim != "tick":
            supervisors(signal.SIGKILL)
        if kind == "kill" and victim != "supervisor":
            os.kill(process.pid, signal.SIGKILL)
        if kind == "stop":
            os.kill(process.pid, signal.SIGTERM)
        if kind == "freeze" and victim == "both":
            supervisors(signal.SIGSTOP)
        if kind != "freeze":
            os.kill(process.pid, signal.SIGCONT)

    def thaw(self, everything=False):
        for frozen in list(self.frozen):
            loop, process, children, until, note = frozen
            if time.monotonic() < until and not everything:
                continue
            order = [lambda: [send(child, signal.SIGCONT) for child in children]]
            order.append(lambda: os.kill(process.pid, signal.SIGCONT))
            self.dice.shuffle(order)
            # What is frozen has not been waited for; a tick that goes on first may wait for its supervisor.
            with loop.held:
                self.frozen.remove(frozen)
                self.note({**note, "until": self.world.now()})
                for act in order:
                    act()
                for child in children:
                    os.close(child)

    def note(self, fault):
        fault.setdefault("until", fault["at"])
        self.done.append((fault["kind"], fault["victim"]))
        with open(self.world.folder / "faults.ndjson", "a") as file:
            file.write(json.dumps(fault) + "\n")


def send(child, what):
    """Signals a process by a descriptor of it, if it has not ended meanwhile."""
    try:
        signal.pidfd_send_signal(child, what)
    except ProcessLookupError:
        pass


def stands_still(pid):
    """Waits until every thread of a process that was stopped has noticed; false if it has ended instead."""
    while True:
        try:
            states = [(task / "stat").read_text().rsplit(")", 1)[1].split()[0] for task in tasks_of(pid)]
        except OSError:
            continue  # A thread has ended meanwhile.
        if all(state in "ZX" for state in states):
            return False
        if all(state in "TZX" for state in states):
            return True
        time.sleep(0.0005)


def tasks_of(pid):
    return list(Path(f"/proc/{pid}/task").iterdir())


def children_of(pid):
    """The children of all threads of a process."""
    found = []
    for task in tasks_of(pid):
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def say(line):
    print(line, file=sys.stderr, flush=True)
