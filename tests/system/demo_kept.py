#!/usr/bin/python3
"""What tools/demo --keep leaves stands, does what the demo says that one may type, and goes with tools/lab down.

usage: demo_kept.py
"""
import re
import shlex
import sys

import lab
import standing_lab

DEMO_SECONDS = 120


def scenario(laboratory):
    # tools/demo builds first; this is what it then runs.
    demo = laboratory.run(sys.executable, "-B", lab.ROOT / "tests/system/system_demo.py", "--keep", "--seconds", 1,
                          seconds=DEMO_SECONDS).stdout
    name = re.search(rf"{standing_lab.FOLDER}/(\w+)/", demo)
    lab.require(name, f"the demo names its lab:\n{demo}")
    laboratory.at_end.append(lambda: laboratory.run(lab.ROOT / "tools/lab", "down", "--name", name[1], must=False))
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
