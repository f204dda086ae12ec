#!/usr/bin/python3
"""The prefetches of the packet path are in the program: a compiler may take a function that only prefetches for one
without effect and leave it out, which no other test would notice.

usage: prefetches.py
"""
import platform
import re
import shutil
import subprocess
import sys

import lab

INSTRUCTION = {"x86_64": r"\bprefetch\w+", "aarch64": r"\bprfm\b"}
# The table's slot, the peer's lines, its session's.
LEAST = {"plan_tun": 6, "plan_udp": 6}


def main():
    machine = platform.machine()
    if machine not in INSTRUCTION or shutil.which("objdump") is None:
        print(f"skipped: no objdump, or no name of the instruction on {machine}")
        sys.exit(77)
    listing = subprocess.run(["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", lab.built("fireline-wg")],
                             capture_output=True, text=True, check=True).stdout
    found = dict.fromkeys(LEAST, 0)
    function = ""
    for line in listing.splitlines():
        if header := re.match(r"[0-9a-f]+ <fireline::wireguard::(\w+)\(", line):
            function = header.group(1)
        elif not line.strip():
            function = ""
        elif function in found and re.search(INSTRUCTION[machine], line):
            found[function] += 1
    print("prefetches:", found)
    for name, least in LEAST.items():
        assert found[name] >= least, f"{name}: {found[name]} prefetches in the program, not {least}"


if __name__ == "__main__":
    main()
