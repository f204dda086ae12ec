#!/usr/bin/python3
"""From a client's intent to the first answer through the tunnel, over runs: p50 and p99 against the limits.

    client ── NAT ── internet ── NAT ── gateway        relay-1, relay-2 on the internet

Both ends have their allocations; a run is an intent, the packet that waits for the path, its answer, a goodbye.

usage: node_latency.py direct|relayed [--runs N] [--wires]
  --wires  the reference's delays: 20 ms from client to gateway and back, 80 ms through a relay
"""
import argparse
import time

import internet
import lab
from node_lab import RELAYS, ROLES, TUNNEL, Ends

LIMITS = {"direct": ("cone", "reflexive", 0.150, 4), "relayed": ("symmetric", "relayed", 0.300, 6)}


def scenario(laboratory, case, runs, wires):
    kind, expected, base, trips = LIMITS[case]
    ends = Ends(laboratory, {role: kind for role in ROLES}, wires=internet.REFERENCE_WIRES if wires else None)
    ends.start("--on-demand")
    for role in ROLES:
        lab.wait_until(lambda: ends.allocated(role, len(RELAYS)), 15, f"the {role} has its allocations")
    times, trip = [], 0
    for _ in range(runs):
        # The packet is there first, as an application's is: the intent is its consequence.
        begin = time.monotonic()
        lab.require(ends.ask("client", "connect") == "connecting\n", "the client takes the order")
        ends.client.run("ping", "-n", "-c", "1", "-W", "10", TUNNEL["gateway"][0])
        times.append(time.monotonic() - begin)
        ends.wait_kind(expected)
        trip = max(trip, round_trip(ends))
        ends.ask("client", "close")
        lab.wait_until(lambda: not ends.status("gateway")["connections"], 10, "the gateway heard the goodbye")
    times.sort()
    p50, p99 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    limit = base + trips * trip
    lab.check(p99 <= limit, f"{case}: intent to first answer p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms over "
                            f"{runs} runs; {limit * 1000:.0f} ms are allowed ({base * 1000:.0f} ms and {trips} times "
                            f"{trip * 1000:.1f} ms)")


def round_trip(ends):
    """The smallest of some pings through the tunnel, in seconds."""
    out = ends.client.output("ping", "-n", "-q", "-c", "5", "-i", "0.02", TUNNEL["gateway"][0])
    return float(out.rpartition("= ")[2].split("/")[0]) / 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=LIMITS)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--wires", action="store_true")
    chosen = parser.parse_args()
    lab.run(scenario, chosen.case, chosen.runs, chosen.wires)
