#!/usr/bin/python3
"""Tunnel MTUs from 576 to 9000: packets of exactly the MTU pass, longer ones come back as "too big" to the sender behind
the tunnel's router, TCP works at each, and the underlay may be narrower than the outer packets.

    namespace user ── veth ── namespace near ── veth ── namespace far
    10.73.0.2 fd73::2         10.73.0.1 fd73::1         tunnel.py: device and eth0
    MTU 9200                  routes, device            device

usage: mtu.py [--near PROGRAM] [--far PROGRAM]
"""
import argparse
import re

import lab
from tunnel import OVERLAY, Ends, endpoint, peer

ICMP_HEADERS = {0: 28, 1: 48}  # IP and ICMP header by family
UNDERLAY_MTU = 9200
USER = ("10.73.0.2", "fd73::2")


def scenario(laboratory, near, far):
    ends = Ends(laboratory, mtu=UNDERLAY_MTU)
    user = laboratory.namespace("user")
    laboratory.link(user, [f"{USER[0]}/24", f"{USER[1]}/64"], ends.near, ["10.73.0.1/24", "fd73::1/64"], mtu=UNDERLAY_MTU,
                    right_name="eth1")
    ends.near.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    user.run("ip", "route", "add", "default", "via", "10.73.0.1")
    user.run("ip", "-6", "route", "add", "default", "via", "fd73::1")
    left, right = ends.tunnels(near, far, mtu=1420)
    # The user's prefix belongs to near's end of the tunnel.
    right.load("\n".join([f"[Interface]\nPrivateKey = {right.keys.private}\nListenPort = {right.port}",
                          peer(left, ["10.77.0.1/32", "fd77::1/128", "10.73.0.0/24", "fd73::/64"],
                               endpoint("10.76.0.1"))]) + "\n")
    for prefix in ("10.73.0.0/24", "fd73::/64"):
        ends.far.run("ip", "route", "add", prefix, "dev", right.interface)

    # IPv6 leaves a link below its minimum and does not come back by itself: 576 is last.
    for mtu in (1280, 1420, 1500, 9000, 576):
        for tunnel in (left, right):
            tunnel.namespace.run("ip", "link", "set", tunnel.interface, "mtu", mtu)
        for family in (0, 1) if mtu >= 1280 else (0,):
            user.run("ip", *(["-6"] if family else []), "route", "flush", "cache")
            sizes(user, family, mtu)
        rate, back = (lab.goodput(lab.iperf(ends.far, user, OVERLAY["far"][0], reverse=reverse, amount=lab.TCP_BYTES))
                      for reverse in (False, True))
        lab.check(min(rate, back) > 1e6, f"MTU {mtu}: TCP {rate / 1e6:.0f} and {back / 1e6:.0f} Mbit/s")

    # Outer packets longer than the underlay's MTU are fragmented there: nothing is lost, only slow.
    for end, interface in ((ends.near, "eth0"), (ends.far, "eth0")):
        end.run("ip", "link", "set", interface, "mtu", 1000)
    for tunnel in (left, right):
        tunnel.namespace.run("ip", "link", "set", tunnel.interface, "mtu", 1420)
    user.run("ip", "route", "flush", "cache")
    user.ping(OVERLAY["far"][0], "-s", 1420 - 28, "-M", "do")
    lab.check(True, "1420 bytes pass an underlay of 1000")
    rate = lab.goodput(lab.iperf(ends.far, user, OVERLAY["far"][0], amount=lab.TCP_BYTES))
    lab.check(rate > 1e6, f"and TCP: {rate / 1e6:.0f} Mbit/s")


def sizes(user, family, mtu):
    exact = mtu - ICMP_HEADERS[family]
    user.ping(OVERLAY["far"][family], "-s", exact, "-M", "do")
    for smaller in (1, 15, 16, 17):  # around the padding to 16
        user.ping(OVERLAY["far"][family], "-s", exact - smaller, "-M", "do", count=1)
    refused = user.ping(OVERLAY["far"][family], "-s", exact + 1, "-M", "do", count=2, must=False)
    said = refused.stdout + refused.stderr
    match = re.search(r"mtu ?= ?(\d+)", said)
    lab.check(refused.returncode != 0 and match is not None and int(match[1]) == mtu,
              f"IPv{(4, 6)[family]}: {mtu} bytes pass, {mtu + 1} come back as too big with MTU {match and match[1]}")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="wireguard-go")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far)
