#!/usr/bin/python3
"""A client and a gateway with one address family or both: the same one goes directly, different ones through a relay.

    client ── NAT (cone) ── internet ── NAT (cone) ── gateway        relay-1, relay-2: both families

usage: node_family.py 4-4|6-6|46-46|4-6|6-4
"""
import sys

import lab
from node_lab import ROLES, Ends, describe

CASES = {  # kind of the path, family of the datagrams that leave
    "4-4": ("reflexive", 4), "6-6": ("reflexive", 6), "46-46": ("reflexive", None),
    "4-6": ("relayed", None), "6-4": ("relayed", None),
}


def scenario(laboratory, case):
    families = {role: tuple(map(int, word)) for role, word in zip(ROLES, case.split("-"))}
    kind, family = CASES[case]
    ends = Ends(laboratory, {role: "cone" for role in ROLES}, families)
    ends.start()
    ends.wait_connected(4)
    ends.wait_kind(kind)
    path = ends.path()
    lab.check(ends.kind() == kind, f"client with {case.split('-')[0]}, gateway with {case.split('-')[1]}: "
                                    f"{describe(path)}")
    if family:
        lab.check(path["source"].startswith("[") == (family == 6), f"over IPv{family}")
    ends.check_both_families()
    lab.check(ends.client.ping("100.64.0.2", "-s", "1200", "-M", "do", count=20).returncode == 0,
              "packets of the tunnel's MTU pass")
    ends.stop()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CASES:
        sys.exit(__doc__)
    lab.run(scenario, sys.argv[1])
