#!/usr/bin/python3
"""What tools/demo --keep leaves stands, does what the demo says that one may type, and goes with tools/lab down.

usage: demo_kept.py
"""
import re
import shlex
import sys
import time

import lab
import standing_lab
from strain import Strain

DEMO_SECONDS = 120


def scenario(laboratory):
    # tools/demo builds first; this is what it then runs.
    strain = Strain()
    process = lab.Process(laboratory, [sys.executable, "-B", str(lab.ROOT / "tests/system/system_demo.py"), "--keep",
                                       "--seconds", "1"], "demo")
    # The lab has the name of the process that builds it, and goes also when that is killed.
    laboratory.at_end.append(lambda: laboratory.run(lab.ROOT / "tools/lab", "down", "--name", process.pid, must=False))
    while process.alive() and strain.allows(DEMO_SECONDS):
        time.sleep(0.2)
    lab.require(not process.alive(), f"the demo ends ({DEMO_SECONDS} s are allowed, {strain})")
    demo = process.text()
    lab.require(process.wait(1) == 0, "the demo's exit code is 0")
    name = re.search(rf"{standing_lab.FOLDER}/(\w+)/", demo)
    lab.require(name and name[1] == str(process.pid), f"the demo names its lab:\n{demo}")
    typed = [shlex.split(line) for line in re.findall(r"^  (tools/lab .*)$", demo, re.MULTILINE)]
    lab.check(len(typed) >= 5 and typed[-1][1] == "down", "the demo says what to type and how to end it")
    for tool, verb, *words in typed:
        if words[-1:] == ["bash"]:
            continue
        # Another test may have a lab of its own; the programs' paths are from the root.
        said = laboratory.run("env", "-C", lab.ROOT, tool, verb, "--name", name[1], *words).stdout
        lab.check(said, f"{tool} {verb} {' '.join(words)}")
    left = [one for one in lab.namespace_names() if one.startswith(f"flab-{name[1]}-")]
    lab.check(not left and name[1] not in standing_lab.names(), "nothing is left")


if __name__ == "__main__":
    lab.run(scenario)
