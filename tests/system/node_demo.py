#!/usr/bin/python3
"""What tools/demo node shows: a client and a gateway behind NATs connect through relays, because something on the path
keeps their packets apart; when it goes, the connection moves to the direct path by itself.

    client ── NAT ══ ╳ ══ NAT ── gateway        ══ wires of the reference's tests: 20 ms there and back,
               ╚═ relay ══ relay ═╝                140 ms through two relays, 80 ms through one

usage: node_demo.py
"""
import time

import internet
import lab
from node_lab import ROLES, Ends, Pings

APART_SECONDS, DIRECT_SECONDS = 4, 3
STEP_SECONDS = 0.25
MILLISECONDS_PER_MARK = 4


def scenario(laboratory):
    ends = Ends(laboratory, {role: "port" for role in ROLES}, wires=internet.REFERENCE_WIRES)
    ends.world.part(*ROLES)
    ends.start()
    ends.wait_connected()
    print("\n  seconds  path" + " " * 46 + "round trip")
    pings = Pings(ends)
    begin = time.monotonic()
    show(ends, pings, begin, APART_SECONDS)
    lab.require(ends.kind() == "relayed", f"the path is relayed: {ends.describe()}")
    print(f"  {ends.describe()}")
    print(f"  {time.monotonic() - begin:7.2f}  ── what kept the NATs' packets apart is gone ──", flush=True)
    ends.world.part(*ROLES, apart=False)
    lab.wait_until(lambda: show(ends, pings, begin, STEP_SECONDS) == "reflexive", 15, "the path is direct")
    show(ends, pings, begin, DIRECT_SECONDS)
    sent, answered = pings.stop()
    print()
    print(f"  {ends.describe()}")
    lab.check(sent == answered, f"of {sent} packets {answered} were answered")


def show(ends, pings, begin, seconds):
    """A line now and then; the kind of the path at the end."""
    end = time.monotonic() + seconds
    while True:
        path = ends.path()
        answers = pings.milliseconds()
        trip = answers[-1] if answers else 0
        print(f"  {time.monotonic() - begin:7.2f}  {picture(ends):50}{trip:6.1f} ms "
              f"{'▪' * round(trip / MILLISECONDS_PER_MARK)}", flush=True)
        time.sleep(STEP_SECONDS)
        if time.monotonic() >= end:
            return ends.kind() if path else None


def picture(ends):
    paths = [ends.path(role) for role in ROLES]
    if not all(paths):
        return "none"
    relays = list(dict.fromkeys(path["relay"] for path in paths if path["relay"]))
    if not relays and ends.kind() == "relayed":
        relays = ["relay"]
    return " ── ".join(["client", *relays, "gateway"]) if relays else "client ────────── directly ────────── gateway"


if __name__ == "__main__":
    lab.run(scenario)
