#!/usr/bin/python3
"""A client and a gateway behind every pair of NAT kinds connect, over the best path that the NATs allow.

    client ── NAT ── internet ── NAT ── gateway        relay-1, relay-2 on the internet

Both NATs symmetric: neither end's packets can pass the other's filter, for nobody knows the port that the other's NAT
will choose. All else goes directly: a symmetric NAT's new port passes a filter that asks for the address alone.

usage: node_nat.py [--families 4|6|46] [CLIENT-GATEWAY…]
  NAT kinds are none, cone, address, symmetric and port; without a pair: all 16 of the first four
"""
import argparse
import itertools
import time

import lab
import nat
from node_lab import ROLES, Ends, describe

KINDS = ("none", "cone", "address", "symmetric")
# Row: client; column: gateway. The worse end's kind: a mapped address is reflexive, also one that ICE found by itself.
EXPECTED = {
    "none":      dict(none="host",      cone="reflexive", address="reflexive", symmetric="reflexive"),
    "cone":      dict(none="reflexive", cone="reflexive", address="reflexive", symmetric="reflexive"),
    "address":   dict(none="reflexive", cone="reflexive", address="reflexive", symmetric="reflexive"),
    "symmetric": dict(none="reflexive", cone="reflexive", address="reflexive", symmetric="relayed"),
    # Filters by port as well: what a symmetric NAT sends comes from a port that was never spoken to.
    "port":      dict(none="reflexive", cone="reflexive", address="reflexive", symmetric="relayed", port="reflexive"),
}
SETTLE_SECONDS = 2  # checks of all pairs have been tried thrice by then


def scenario(laboratory, pairs, families):
    ends = Ends(laboratory, {}, {role: families for role in ROLES})
    for client, gateway in pairs:
        expected = EXPECTED[client].get(gateway) or EXPECTED[gateway][client]
        ends.world.set_nat("client", client)
        ends.world.set_nat("gateway", gateway)
        begin = time.monotonic()
        ends.start()
        ends.wait_connected(4)
        connected = time.monotonic() - begin
        ends.wait_kind(expected)
        if expected == "relayed":
            time.sleep(SETTLE_SECONDS)
        kind = ends.kind()
        lab.check(kind == expected, f"client {client}, gateway {gateway}: {kind} ({expected} is right), "
                                    f"{describe(ends.path())}, first answer {connected:.2f} s after the start")
        ends.check_both_families()
        ends.stop()


def pair(word):
    kinds = tuple(word.split("-"))
    if len(kinds) != 2 or not set(kinds) <= set(nat.KINDS):
        raise argparse.ArgumentTypeError(f"use CLIENT-GATEWAY, each one of {', '.join(nat.KINDS)}")
    return kinds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", type=pair)
    parser.add_argument("--families", choices=("4", "6", "46"), default="46")
    chosen = parser.parse_args()
    lab.run(scenario, chosen.pairs or itertools.product(KINDS, KINDS), tuple(map(int, chosen.families)))
