#!/usr/bin/python3
"""wg-quick brings a device up and down with WG_QUICK_USERSPACE_IMPLEMENTATION: an ordinary prefix, then a default route
of both families with fwmark and policy rules; wg syncconf, wg set … remove and wg show on the way.

    namespace near                                      namespace far
    ┌─────────────────────────────────┐                ┌──────────────────────────────────┐
    │ wg-quick: device 10.77.0.1 fd77::1               │ device 10.77.0.2 fd77::2         │
    │ eth0 10.76.0.1 fd76::1          ├───── veth ─────┤ eth0   10.76.0.2 fd76::2         │
    │ default route via the device    │                │ lo     192.0.2.9  2001:db8::9    │
    └─────────────────────────────────┘                └──────────────────────────────────┘

usage: wg_quick.py [--near PROGRAM] [--far PROGRAM]
"""
import argparse

import lab
from tunnel import OVERLAY, UNDERLAY, Ends, Keys, Tunnel, endpoint, peer

BEHIND = ("192.0.2.9", "2001:db8::9")  # documentation prefixes: reached by the default route alone
END_SECONDS = 2


def scenario(laboratory, near, far):
    ends = Ends(laboratory)
    device = Tunnel(ends.near, near)  # wg-quick starts its program
    right = Tunnel(ends.far, far)
    right.start([f"{OVERLAY['far'][0]}/24", f"{OVERLAY['far'][1]}/64"])
    right.configure(peer(device, ["10.77.0.1/32", "fd77::1/128"]))
    for address in BEHIND:
        ends.far.run("ip", "address", "add", address, "dev", "lo")
    environment = {"WG_QUICK_USERSPACE_IMPLEMENTATION": lab.program(near)}
    path = laboratory.folder / f"{device.interface}.conf"
    rules_before = ends.near.output("ip", "rule") + ends.near.output("ip", "-6", "rule")

    def wg_quick(verb, allowed, *extra):
        path.write_text("\n".join([
            "[Interface]", f"PrivateKey = {device.keys.private}", "ListenPort = 51820",
            "Address = 10.77.0.1/24, fd77::1/64", *extra,
            peer(right, allowed, endpoint(UNDERLAY["far"][0]))]) + "\n")
        path.chmod(0o600)
        return ends.near.run("wg-quick", verb, path, environment=environment)

    def processes():
        return set(ends.near.lab.run("ip", "netns", "pids", ends.near.name).stdout.split())

    for title, allowed in (("a prefix", ["10.77.0.0/24", "fd77::/64"]), ("a default route", ["0.0.0.0/0", "::/0"])):
        before = processes()
        wg_quick("up", allowed)
        lab.check(device.ready() and len(processes() - before) == 1, f"wg-quick up with {title} returns, one daemon runs")
        ends.ping_both_ways()
        ends.tcp_both_ways(families=(0,))
        if title == "a default route":
            default_route(ends, device)
        else:  # a file without FwMark would make syncconf clear the mark by which wg-quick finds its rules
            commands(laboratory, ends, device, right, allowed)
        wg_quick("down", allowed)
        lab.check(not ends.near.has_link(device.interface), "wg-quick down removes the interface")
        lab.wait_until(lambda: processes() <= before, END_SECONDS, "the daemon ends with its interface")
        lab.wait_until(lambda: not device.ready() and not (lab.SOCKETS / f"{device.interface}.sock").exists(),
                       END_SECONDS, "the socket goes")
        rules = ends.near.output("ip", "rule") + ends.near.output("ip", "-6", "rule")
        lab.check(rules == rules_before, "daemon, socket and policy rules are gone")


def default_route(ends, device):
    mark = device.show("fwmark")
    lab.check(mark not in ("", "off"), f"wg-quick set the firewall mark {mark}")
    lab.check(f"not from all fwmark {mark}" in ends.near.output("ip", "rule"), "a policy rule spares marked packets")
    for address in BEHIND:
        ends.near.ping(address)
    lab.check(True, "addresses behind the default route answer, both families")
    ends.near.check_reaches(UNDERLAY["far"][0], "the underlay's own prefix stays outside of the tunnel")


def commands(laboratory, ends, device, right, allowed):
    stripped = ends.near.output("wg-quick", "strip", laboratory.folder / f"{device.interface}.conf")
    handshake = device.handshake_time(right)
    device.load(stripped, "syncconf")
    ends.near.check_reaches(OVERLAY["far"][0], "wg syncconf with the same configuration keeps the peer")
    lab.check(device.handshake_time(right) == handshake, "and the session")
    stranger = Keys()
    device.set("peer", stranger.public, "allowed-ips", "10.99.0.0/16", "persistent-keepalive", "25")
    shown = ends.near.output("wg", "show", device.interface)
    lab.check(f"peer: {stranger.public}" in shown and "10.99.0.0/16" in shown and "every 25 seconds" in shown,
              "wg set adds a peer, wg show tells it")
    device.load(stripped, "syncconf")
    lab.check(stranger.public not in device.show("peers"), "wg syncconf removes the peer that the file does not have")
    device.set("peer", right.keys.public, "remove")
    lab.check(device.show("peers") == "" and not ends.near.reaches(OVERLAY["far"][0]), "wg set … remove cuts the peer off")
    device.load(stripped, "syncconf")
    ends.near.ping(OVERLAY["far"][0])
    lab.check(sorted(device.column("allowed-ips", right).split()) == sorted(allowed), "wg syncconf brings the peer back")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="wireguard-go")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far)
