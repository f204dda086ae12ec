"""What the relay's scenarios with XDP share: one router, so that frames may leave by where they came from, and clocks of
the program that jump.

    client 198.51.100.7, 2001:db8:c::7 ──┐
                                         ├── router ── relay 203.0.113.10, 2001:db8:10::10
    peer   192.0.2.33,   2001:db8:f::33 ─┘
"""
import json
import os
import socket
import struct
import time

import lab
import relay_lab
from relay_demo import xdp_pass
from shifted_clock import ShiftedClock

CLIENT = ("198.51.100.7", "2001:db8:c::7")
PEER = ("192.0.2.33", "2001:db8:f::33")
RELAY = relay_lab.PUBLIC
PEER_PORT = 52625
CHANNELS = (0x4000, 0x4001)  # to the IPv4 and to the IPv6 peer
DATAGRAMS = 4  # each way, on each channel
ARRIVAL_SECONDS = 5  # how long a datagram that must arrive may take on a busy machine
SILENCE_SECONDS = 0.3


class World:
    """Namespaces, one relay, and how its time passes."""

    def __init__(self, laboratory, real_time=False):
        self.lab, self.real_time = laboratory, real_time
        self.router, self.relay, self.client, self.peer = (
            laboratory.namespace(label) for label in ("router", "relay", "client", "peer"))
        self.attach("relay0", self.relay, (f"{RELAY[0]}/24", f"{RELAY[1]}/64"), ("203.0.113.1", "2001:db8:10::1"))
        self.attach("client0", self.client, (f"{CLIENT[0]}/24", f"{CLIENT[1]}/64"), ("198.51.100.1", "2001:db8:c::1"))
        self.attach("peer0", self.peer, (f"{PEER[0]}/24", f"{PEER[1]}/64"), ("192.0.2.1", "2001:db8:f::1"))
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # A frame that XDP sends is received only where a program waits, and it must come with its checksum.
        self.router.run(xdp_pass(), "attach", "relay0")
        self.router.run("ethtool", "-K", "relay0", "tx", "off", must=False)
        self.clock = ShiftedClock(laboratory.folder)
        self.process = None

    def attach(self, interface, end, addresses, gateways):
        lengths = [address.partition("/")[2] for address in addresses]
        self.lab.link(self.router, [f"{gateway}/{length}" for gateway, length in zip(gateways, lengths)], end, addresses,
                      name=interface, right_name="eth0")
        end.run("ip", "route", "add", "default", "via", gateways[0])
        end.run("ip", "-6", "route", "add", "default", "via", gateways[1])

    def start(self, *arguments):
        """Credentials and log level are the caller's."""
        self.clock.reset()
        environment = {} if self.real_time else self.clock.environment()
        self.process = self.relay.start(
            relay_lab.program(), "--public-ip4-addr", RELAY[0], "--public-ip6-addr", RELAY[1], *arguments,
            name="fireline-relay", environment=environment)
        lab.wait_until(lambda: self.status() is not None or not self.process.alive(), 10, "the relay listens")
        lab.require(self.process.alive(), "the relay started")

    def advance(self, seconds):
        if self.real_time:
            time.sleep(seconds)
            return
        self.clock.advance(seconds)

    def status(self):
        result = self.relay.run("curl", "-sS", f"http://{relay_lab.CONTROL}/status", must=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def counters(self):
        return self.status()["counters"]


class Peers:
    """One socket of each family on the peer's host."""

    def __init__(self, namespace):
        self.sockets = []
        for family, address in zip((socket.AF_INET, socket.AF_INET6), PEER):
            end = namespace.socket(family, socket.SOCK_DGRAM)
            end.bind((address, PEER_PORT))
            self.sockets.append(end)

    def close(self):
        for end in self.sockets:
            end.close()


def arrives(end, expected, wait):
    """Whether this datagram comes; others before it are late answers of an earlier step."""
    deadline = time.monotonic() + wait
    while (left := deadline - time.monotonic()) > 0:
        end.settimeout(left)
        try:
            if end.recv(2048) == expected:
                return True
        except (TimeoutError, socket.timeout):
            break
    return False


def passed(client, peers, count=DATAGRAMS, wait=ARRIVAL_SECONDS, families=(0, 1)):
    """How many datagrams came through, both ways over the channels to peers of those families."""
    came = 0
    for family in families:
        channel, peer, relayed = CHANNELS[family], peers.sockets[family], client.relayed[family]
        for _ in range(count):
            payload = os.urandom(40)
            data = struct.pack("!HH", channel, len(payload)) + payload
            client.socket.send(data)
            came += arrives(peer, payload, wait)
            peer.sendto(payload, relayed)
            came += arrives(client.socket, data, wait)
    return came


def carried(before, after):
    """Datagrams forwarded in user space, and by XDP."""
    moved = {name: value - before.get(name, 0) for name, value in after.items()}
    return (moved["client.to_peer"] + moved["peer.to_client"],
            sum(value for name, value in moved.items() if name.startswith("xdp.relayed.")))


def both_ways(world, client, peers, xdp, sentence, families=(0, 1)):
    before, sent = world.counters(), 2 * DATAGRAMS * len(families)
    came = passed(client, peers, families=families)
    user_space, fast = carried(before, world.counters())
    lab.check(came == sent and (user_space, fast) == ((0, came) if xdp else (came, 0)),
              f"{sentence}: {came} of {sent} datagrams came, {user_space} by user space, {fast} by XDP")
