#!/usr/bin/python3
"""The systemd units as systemd reads them: no complaint, hardened, and room for the programs' own filters.

usage: units.py    Exit code 77 without systemd-analyze.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lab

UNITS = sorted(lab.ROOT.glob("tools/*/*.service"))
# What a program calls to drop its privileges and to install its filter.
NEEDED_CALLS = {"capset", "prctl", "seccomp", "clone", "clone3"}
# systemd-analyze's 0 (nothing exposed) to 10; 2.5 is "OK", a root service without settings 9.6.
EXPOSURE_MAX = 4.0


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=180)


def settings(unit, key):
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(key + "=")]


def calls_of(group, known={}):
    """System calls of @group, those of the groups in it included."""
    if group not in known:
        names = set()
        for line in analyze("syscall-filter", group).stdout.splitlines()[1:]:
            word = line.partition("#")[0].strip()
            names |= calls_of(word) if word.startswith("@") else {word} - {""}
        known[group] = names
    return known[group]


def allowed_calls(unit):
    """What SystemCallFilter= lines leave, in their order."""
    allowed = set()
    for value in settings(unit, "SystemCallFilter"):
        denies = value.startswith("~")
        for word in value.lstrip("~").split():
            names = calls_of(word) if word.startswith("@") else {word}
            allowed = allowed - names if denies else allowed | names
    return allowed


def check_unit(unit, folder):
    # Neither program nor man page is installed here: any program that exists stands for ours.
    text = re.sub(r"/usr/bin/fireline-\S+", "/bin/true", unit.read_text())
    copy = folder / unit.name
    copy.write_text("\n".join(line for line in text.splitlines() if not line.startswith("Documentation=")) + "\n")
    verdict = analyze("verify", "--man=no", "--recursive-errors=no", copy)
    lab.check(verdict.returncode == 0 and not verdict.stderr.strip(),
              f"{unit.name}: systemd has nothing to say against it {verdict.stderr.strip()}")
    missing = NEEDED_CALLS - allowed_calls(unit)
    lab.check(not missing, f"{unit.name}: the program may drop its privileges and install its filter {missing or ''}")
    security = analyze("security", "--offline=yes", "--no-pager", copy)
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", security.stdout)
    lab.require(exposure, f"systemd-analyze security says:\n{security.stdout}{security.stderr}")
    lab.check(float(exposure[1]) <= EXPOSURE_MAX, f"{unit.name}: exposure {exposure[1]} of 10")


def check_folders():
    """systemd gives the folder of a dynamic user to that user: nobody else may need it."""
    owners = {}
    for unit in UNITS:
        for name in " ".join(settings(unit, "RuntimeDirectory")).split():
            owners.setdefault(name, []).append(unit)
    shared = {name: [unit.name for unit in units] for name, units in owners.items()
              if len(units) > 1 and any(settings(unit, "DynamicUser") for unit in units)}
    lab.check(not shared, f"no dynamic user's runtime folder is another unit's {shared or ''}")


def main():
    if not shutil.which("systemd-analyze"):
        print("skipped: there is no systemd-analyze on this machine")
        return 77
    lab.require(UNITS, "there are units")
    with tempfile.TemporaryDirectory() as folder:
        for unit in UNITS:
            check_unit(unit, Path(folder))
    check_folders()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except lab.Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
