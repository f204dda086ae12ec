#!/usr/bin/python3
"""ECN both ways: the outer packet carries the inner packet's bits, a congestion mark set on the way reaches the inner
receiver where the inner packet allows it, and the other bits of the traffic class stay inside.

    namespace near ── veth ── namespace router ── veth ── namespace far
    10.76.0.1 fd76::1         marks CE on demand          10.74.0.2 fd74::2

usage: ecn.py [--near PROGRAM] [--far PROGRAM] [--underlay 4|6]
"""
import argparse
import socket

import lab
from tunnel import OVERLAY, PORT, Tunnel, endpoint, peer

NOT_ECT, ECT1, ECT0, CE = range(4)
NAMES = ("Not-ECT", "ECT(1)", "ECT(0)", "CE")
DSCP = 0xB8  # expedited forwarding: must not show outside
ETH_P_ALL = 0x0003
ARRIVAL_SECONDS = 10


def scenario(laboratory, near, far, underlay):
    left_end, router, right_end = (laboratory.namespace(label) for label in ("near", "router", "far"))
    laboratory.link(left_end, ["10.76.0.1/24", "fd76::1/64"], router, ["10.76.0.254/24", "fd76::fe/64"], right_name="eth0")
    laboratory.link(router, ["10.74.0.254/24", "fd74::fe/64"], right_end, ["10.74.0.2/24", "fd74::2/64"], name="eth1",
                    right_name="eth0")
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for end, v4, v6 in ((left_end, "10.76.0.254", "fd76::fe"), (right_end, "10.74.0.254", "fd74::fe")):
        end.run("ip", "route", "add", "default", "via", v4)
        end.run("ip", "-6", "route", "add", "default", "via", v6)
    left, right = Tunnel(left_end, near), Tunnel(right_end, far)
    outer = {"near": ("10.76.0.1", "fd76::1"), "far": ("10.74.0.2", "fd74::2")}
    for tunnel, side, other, other_side in ((left, "near", right, "far"), (right, "far", left, "near")):
        tunnel.start([f"{OVERLAY[side][0]}/24", f"{OVERLAY[side][1]}/64"])
        tunnel.configure(peer(other, [f"{OVERLAY[other_side][0]}/32", f"{OVERLAY[other_side][1]}/128"],
                              endpoint(outer[other_side][underlay == 6])))
    left_end.ping(OVERLAY["far"][0])
    left_end.ping(OVERLAY["far"][1])

    sides = {"near": left_end, "far": right_end}
    for sender, receiver in (("near", "far"), ("far", "near")):
        for family in (0, 1):
            for marked in (False, True):
                mark(router, marked)
                for sent in (NOT_ECT, ECT1, ECT0, CE):
                    outside, inside = observe(sides[sender], sides[receiver], OVERLAY[receiver][family], sent, underlay)
                    expected = CE if marked and sent != NOT_ECT else sent  # RFC 6040, but Not-ECT with CE is kept
                    lab.check((outside, inside) == (CE if marked else sent, DSCP | expected),
                              f"{sender} to {receiver}, IPv{(4, 6)[family]} inside, {NAMES[sent]}"
                              f"{', marked on the way' if marked else ''}: {outside:#04x} outside, {inside:#04x} inside")


def mark(router, on):
    """The router marks every UDP packet as if its queue were full; also those that say they cannot be marked."""
    router.run("nft", "flush", "ruleset")
    if on:
        rules = "\n".join(f"add rule inet congestion forward meta l4proto udp {v} ecn set ce"
                          for v in ("ip", "ip6"))
        router.run("nft", "-f", "/dev/stdin", text="add table inet congestion\nadd chain inet congestion forward "
                   "{ type filter hook forward priority 0; policy accept; }\n" + rules + "\n")


def observe(sender, receiver, address, bits, underlay):
    """Sends one inner datagram; the traffic class of the outer packet that arrives, and of the inner one received."""
    v6 = ":" in address
    family = socket.AF_INET6 if v6 else socket.AF_INET
    level, receive_class, set_class = ((socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS) if v6 else
                                       (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS))
    with receiver.socket(family, socket.SOCK_DGRAM) as inside, sender.socket(family, socket.SOCK_DGRAM) as source, \
            receiver.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as outside:
        outside.bind(("eth0", ETH_P_ALL))
        outside.settimeout(ARRIVAL_SECONDS)
        inside.settimeout(ARRIVAL_SECONDS)
        inside.setsockopt(level, receive_class, 1)
        inside.bind((address, 5300))
        source.setsockopt(level, set_class, DSCP | bits)
        payload = bytes(500)
        source.sendto(payload, (address, 5300))
        _, ancillary, _, _ = inside.recvmsg(1000, 100)
        inner = next(data for _, kind, data in ancillary if kind in (socket.IP_TOS, socket.IPV6_TCLASS))[0]
        while True:
            packet = outside.recv(2000)
            if len(packet) < 500:
                continue
            if underlay == 4 and packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP:
                return packet[1], inner
            if underlay == 6 and packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_UDP:
                return (packet[0] << 4 | packet[1] >> 4) & 0xFF, inner


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="fireline")
    options.add_argument("--underlay", type=int, choices=(4, 6), default=4)
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far, chosen.underlay)
