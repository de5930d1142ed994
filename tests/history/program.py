"""Finds the program that is tested: TICKWARD_BIN, else what cargo builds."""

import json
import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def built(*profile):
    """The path of the program, built with these arguments of cargo unless TICKWARD_BIN names one."""
    if os.environ.get("TICKWARD_BIN"):
        return Path(os.environ["TICKWARD_BIN"]).resolve()
    line = ["cargo", "build", "--locked", "--quiet", "--bin", "tickward", "--message-format=json", *profile]
    made = subprocess.run(line, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    found = [json.loads(message).get("executable") for message in made.stdout.splitlines()]
    return Path(next(executable for executable in found if executable))
