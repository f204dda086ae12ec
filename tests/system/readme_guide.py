#!/usr/bin/python3
"""README's guide "A protected service in five minutes", run literally: its fenced commands of language sh, in one
shell, in a network namespace with a /run and a /var/lib of its own.

usage: readme_guide.py
"""
import os
import re
import signal
from pathlib import Path

import lab

GUIDE = "## A protected service in five minutes"
SECONDS = 120
PROGRAMS = ("fireline-portal", "fireline-relay", "fireline-gateway", "fireline-client")


def scenario(laboratory):
    text = (lab.ROOT / "README.md").read_text()
    section = re.search(rf"^{re.escape(GUIDE)}$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    lab.require(section, f"README has a section \"{GUIDE}\"")
    commands = re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    lab.check(len(commands) >= 3, f"the guide has {len(commands)} blocks of commands")
    machine = laboratory.namespace("machine")
    machine.own_files()
    # Where a user builds: the programs of this run.
    tree = laboratory.folder / "clone"
    (tree / "build/bin").mkdir(parents=True)
    for program in PROGRAMS:
        (tree / "build/bin" / program).symlink_to(lab.built(program))
    script = laboratory.folder / "guide.sh"
    # A user looks at what happens; here the first command that fails ends it.
    script.write_text(f"set -e\ncd {tree}\n" + "\n".join(f"echo '== block {number}'\n{block}"
                                                         for number, block in enumerate(commands, 1)))
    before = everything(machine)
    guide = machine.start("bash", script, name="guide")
    laboratory.at_end.append(lambda: end_all(guide.pid))
    lab.require(guide.wait(SECONDS) == 0, "every command of the guide succeeds")
    said = guide.text()
    lab.check(said.count("Hello from the office") == 1, "the laptop reaches the web server, with the tunnel alone")
    lab.check("not reachable, as it should be" in said, "without the tunnel it does not")
    lab.check(re.search(r'"gateway.inner.drop.filtered": [1-9]', said), "another port of that host the gateway refuses")
    lab.check(re.search(r"^resources: 1\n +NAME .*\n +Intranet +\w+ +10\.20\.0\.2", said, re.MULTILINE), "the client's status is a table")
    # The kernel takes a removed namespace's interfaces away a moment later.
    lab.wait_until(lambda: everything(machine) == before, 10, "nothing is left")


def everything(machine):
    """What the guide makes: interfaces, rules, namespaces, files, processes."""
    files = sorted(str(path.relative_to(machine.files)) for path in machine.files.rglob("*") if not path.is_dir())
    return (machine.output("ip", "-br", "link"), machine.output("nft", "list", "ruleset"),
            machine.output("ip", "netns", "list"), files,
            machine.output("sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"))


def end_all(session):
    """Ends what a guide that broke off left: all of its session."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text().rpartition(")")[2].split()[3]) == session:
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            pass


if __name__ == "__main__":
    lab.run(scenario)
