#!/usr/bin/python3
"""Either end changes its address, its port, or its address family's address under traffic; the other end follows, and
the traffic goes on without a new configuration. Topology: tunnel.py.

usage: roaming.py [--near PROGRAM] [--far PROGRAM] [--underlay 4|6]
"""
import argparse

import lab
from tunnel import OVERLAY, UNDERLAY, Ends, endpoint

FOLLOW_SECONDS = 5  # a packet of the roamed end within 0.1 s tells the other; the rest is a loaded machine
# WIREGUARD_GO: Debian's wireguard-go keeps a source address that is gone until a send fails with EINVAL; newer kernels say
# ENETUNREACH over IPv4. Setting its port again makes it forget. Other programs get no such help.
NEW = {"near": ("10.76.0.11", "fd76::11"), "far": ("10.76.0.12", "fd76::12")}


def scenario(laboratory, near, far, underlay):
    family = 0 if underlay == 4 else 1
    ends = Ends(laboratory)
    left, right = ends.tunnels(near, far, underlay=underlay)
    ends.ping_both_ways()
    sides = {"near": (left, ends.near), "far": (right, ends.far)}
    # Traffic of both ends: only an authenticated packet from the new address moves the endpoint.
    traffic = [namespace.start("ping", "-n", "-i", "0.1", OVERLAY[other][0], name=f"{side}-traffic")
               for side, other, namespace in (("near", "far", ends.near), ("far", "near", ends.far))]

    for side, other in (("near", "far"), ("far", "near")):
        tunnel, namespace = sides[side]
        peer, peer_namespace = sides[other]
        old, new = UNDERLAY[side][family], NEW[side][family]
        length = 24 if underlay == 4 else 64
        handshake = peer.handshake_time(tunnel)
        lab.check(peer.column("endpoints", tunnel) == endpoint(old), f"{other} talks to {old}")
        namespace.run("ip", "address", "add", f"{new}/{length}", "dev", "eth0", *(["nodad"] if family else []))
        namespace.run("ip", "address", "delete", f"{old}/{length}", "dev", "eth0")
        if tunnel.program_name == "wireguard-go" and not family:
            tunnel.set("listen-port", tunnel.port)  # see WIREGUARD_GO
        lab.wait_until(lambda: peer.column("endpoints", tunnel) == endpoint(new), FOLLOW_SECONDS,
                       f"{other} follows {side} to {new}; it has {peer.column('endpoints', tunnel)}")
        lab.check(True, f"{other} follows {side} to {new}")
        lab.wait_until(lambda: namespace.reaches(OVERLAY[other][0]) and peer_namespace.reaches(OVERLAY[side][0]),
                       FOLLOW_SECONDS, "ping goes on both ways")
        lab.check(peer.handshake_time(tunnel) == handshake, "ping goes on both ways, without a new handshake")

    tunnel, peer = left, right
    new = endpoint(NEW["near"][family], 51999)
    tunnel.set("listen-port", 51999)
    lab.wait_until(lambda: peer.column("endpoints", tunnel) == new, FOLLOW_SECONDS, "far follows to another port")
    ends.far.check_reaches(OVERLAY["near"][0], "far follows near to another port")
    lab.check(all(process.alive() for process in traffic), "the traffic never ended")
    ends.tcp_both_ways(families=(0,))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="wireguard-go")
    options.add_argument("--underlay", type=int, choices=(4, 6), default=4)
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far, chosen.underlay)
