#!/usr/bin/python3
"""Two devices carry ping and TCP both ways, over IPv4 and IPv6 outside and inside, with and without preshared key,
either side initiating. Topology: tunnel.py.

usage: interop.py [--near PROGRAM] [--far PROGRAM] [--underlay 4|6] [--psk] [--initiator near|far] [--matrix]
       --matrix: all eight combinations of the last three for this pair of programs
"""
import argparse

import lab
from tunnel import Ends


def scenario(laboratory, near, far, cases):
    for underlay, psk, initiator in cases:
        print(f"{near} to {far}, IPv{underlay} outside, {'with' if psk else 'no'} preshared key, {initiator} initiates")
        inner = lab.Lab("interop") if len(cases) > 1 else laboratory
        try:
            case(inner, near, far, underlay, psk, initiator)
        except BaseException:
            inner.print_logs()
            raise
        finally:
            if inner is not laboratory:
                inner.close()


def case(laboratory, near, far, underlay, psk, initiator):
    ends = Ends(laboratory)
    left, right = ends.tunnels(near, far, underlay=underlay, psk=psk, initiator=initiator)
    ends.ping_both_ways(first=initiator)
    ends.tcp_both_ways()
    for tunnel, other in ((left, right), (right, left)):
        received, sent = tunnel.transfer(other)
        lab.check(received > 1_000_000 and sent > 1_000_000, f"wg show counts {received} bytes in and {sent} out")
        lab.check(tunnel.handshake_time(other) > 0, "wg show has a handshake")
        lab.check(tunnel.process.alive(), f"{tunnel.program_name} is alive")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="wireguard-go")
    options.add_argument("--underlay", type=int, choices=(4, 6), default=4)
    options.add_argument("--psk", action="store_true")
    options.add_argument("--initiator", choices=("near", "far"), default="near")
    options.add_argument("--matrix", action="store_true")
    chosen = options.parse_args()
    cases = [(chosen.underlay, chosen.psk, chosen.initiator)]
    if chosen.matrix:
        cases = [(u, p, i) for u in (4, 6) for p in (False, True) for i in ("near", "far")]
    lab.run(scenario, chosen.near, chosen.far, cases)
