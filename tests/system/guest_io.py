#!/usr/bin/python3
"""The unit tests of UDP sockets and data plane, with both UDP backends, in an emulated guest with Debian's kernel: another
io_uring, another limit of segments. The guest is that of guest.py, with the test program and its libraries added.

usage: guest_io.py --program UNIT_IO [--cache FOLDER]      the cache is guest.py's
"""
import argparse

import lab
from guest import Guest, made

TESTS = "ReceiveRing*:SendRing*:UdpOpen*:*UdpPort*:*DataPlane*io_uring"  # a minute, emulated
SHOWN_LINES = 30


def scenario(laboratory, program, cache):
    guest = Guest(laboratory, laboratory.namespace("host"), made(laboratory, cache, [program]))
    lab.check(guest.kernel.startswith("6."), f"the guest runs Linux {guest.kernel}")
    code, output = guest.run(f"unit_io --gtest_color=no --gtest_filter='{TESTS}'", must=False)
    lines = output.splitlines()
    shown = [line for line in lines if "FAILED" in line or "Failure" in line][:SHOWN_LINES]
    lab.require(code == 0, f"unit_io ends with {code}:\n" + "\n".join(shown or lines[-SHOWN_LINES:]))
    skipped = [line for line in lines if "SKIPPED" in line]
    lab.check(not skipped, f"every test ran {skipped[:3] or ''}")
    rings = sum("OK ] " in line and "io_uring" in line for line in lines)
    lab.check(rings > 20, f"{rings} of them with io_uring: {lines[-1].strip()}")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--program", required=True)
    options.add_argument("--cache", default="build/guest")
    chosen = options.parse_args()
    lab.run(scenario, chosen.program, chosen.cache)
