#!/usr/bin/python3
"""UDP trains through the tunnel: what a program hands to the kernel at once is read from the TUN as one super-packet (USO),
cut, and written as one at the other end, where each datagram arrives as it was sent, or all of them at once (UDP_GRO).
On a kernel without USO guest_wg.py shows what the status says. Topology: tunnel.py.

usage: uso.py
"""
import random
import socket

import kernel
import lab
import ledger
from tunnel import OVERLAY, Ends

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
PORT = 7000
WAIT_SECONDS = 10
TRAINS = 5  # of each kind, one after the other
# What is sent at once, in datagrams of how many bytes. 1,372 is the longest that fits the MTU of 1420 over IPv6. More than 49
# at once the kernel cuts itself: fireline-wg limits what it is given to what one train carries (IFLA_GSO_MAX_SEGS).
KINDS = (("40 datagrams", 1200, 48_000), ("a shorter last one", 1200, 39 * 1200 + 7), ("a last one of one byte", 1001, 20_021),
         ("as long as the MTU allows", 1372, 20 * 1372 + 1), ("tiny ones", 8, 40 * 8 + 3), ("two", 700, 1400),
         ("one alone", 1300, 1300))


def scenario(laboratory):
    ends = Ends(laboratory)
    near, far = ends.tunnels("fireline", "fireline")
    ends.ping_both_ways()
    states = {tunnel.namespace.label: ledger.Ledger(tunnel).offloads["tun_uso"]["state"] for tunnel in (near, far)}
    kernel.require_uso()
    lab.require(set(states.values()) == {"on"}, f"fireline-wg uses USO, which this kernel has: {states}")
    for family in (0, 1):
        for merged in (False, True):
            before = [ledger.Ledger(tunnel) for tunnel in (near, far)]
            errors = checksum_errors(ends.far)
            for title, segment, total in KINDS:
                carried(ends, OVERLAY["far"][family], title, segment, total, merged)
            lab.check(checksum_errors(ends.far) == errors, "no checksum was wrong")
            changes = [ledger.Change(old, ledger.settled(tunnel)) for old, tunnel in zip(before, (near, far))]
            joined = TRAINS * sum(-(-total // segment) - 1 for _, segment, total in KINDS)
            for title, change, side in (("read", changes[0], "tun.read"), ("written", changes[1], "tun.write")):
                found = change(f"{side}.segments") - change(f"{side}.packets")
                # A train that two receives found is two.
                least = joined if title == "read" else joined * 9 // 10
                lab.check(least <= found <= joined, f"IPv{(4, 6)[family]}: {found} of {joined} datagrams were {title} behind others")


def carried(ends, address, title, segment, total, merged):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rng = random.Random(total)
    with ends.far.socket(family, socket.SOCK_DGRAM) as receiver, ends.near.socket(family, socket.SOCK_DGRAM) as sender:
        receiver.bind((address, PORT))
        receiver.settimeout(WAIT_SECONDS)
        if merged:
            receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, segment)
        lengths = []
        for _ in range(TRAINS):
            content = rng.randbytes(total)
            sender.sendto(content, (address, PORT))
            got = []
            while sum(map(len, got)) < total:
                got.append(receiver.recv(65536))
            lab.require(b"".join(got) == content, f"{title}: the bytes are those that were sent")
            lengths.append([len(datagram) for datagram in got])
    singles = [min(segment, total - at) for at in range(0, total, segment)]
    right = [one == singles or (merged and all(length % segment == 0 for length in one[:-1])) for one in lengths]
    how = f"in {max(map(len, lengths))} receives at most" if merged else "each by itself"
    lab.check(all(right), f"IPv{6 if ':' in address else 4}, {title} ({len(singles)} of {segment} bytes), {how}")


def checksum_errors(namespace):
    """Datagrams that the kernel threw away for their checksum, of both families."""
    text = namespace.output("cat", "/proc/net/snmp")
    names, values = (line.split() for line in text.splitlines() if line.startswith("Udp:"))
    of_v6 = dict(line.split() for line in namespace.output("cat", "/proc/net/snmp6").splitlines())
    return int(dict(zip(names, values))["InCsumErrors"]) + int(of_v6["Udp6InCsumErrors"])


if __name__ == "__main__":
    lab.run(scenario)
