#!/usr/bin/python3
"""A Firezone client after relay specification 1.10 against the real program, over thirty minutes, once in user space and
once with XDP attached: first request signed without nonce, stale nonce, dual-stack allocation, refresh and channel
rebinding, revival in the cool-down. Counters say which path carried the data. The program's clocks jump (time_shift).

    client 198.51.100.7, 2001:db8:c::7 ──┐
                                         ├── router ── relay 203.0.113.10, 2001:db8:10::10
    peer   192.0.2.33,   2001:db8:f::33 ─┘

usage: relay_firezone.py [--minutes N] [--real-time]
    --real-time   waits instead of jumping, and lets only the cool-down come: eleven minutes for each path
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import time

import lab
import relay_lab
from relay_demo import xdp_pass
from turn_client import ALLOCATE, CHANNEL_BIND, COOKIE, REFRESH, attribute, attributes, xor_address

CLIENT = ("198.51.100.7", "2001:db8:c::7")
PEER = ("192.0.2.33", "2001:db8:f::33")
RELAY = relay_lab.PUBLIC
PEER_PORT = 52625
CHANNELS = (0x4000, 0x4001)  # to the IPv4 and to the IPv6 peer
SECRET = "4c98bf59c99b3e467ecd7cf9d6b3e5279645fca59be67bc5bb4af3cf653761ab"
EXPIRY = 4102444800
BINDING, CREATE_PERMISSION = 1, 8
NONCE_USES = 10_000
STEP_SECONDS = 25  # between two Binding requests
DATAGRAMS = 4  # each way, on each channel, each step
ARRIVAL_SECONDS = 5  # how long a datagram that must arrive may take on a busy machine
SILENCE_SECONDS = 0.3


class FirezoneClient:
    """Requests with the attributes of 1.10 in their order, and the reactions to 401, 437 and 438."""

    def __init__(self, namespace, family, salt):
        self.socket = namespace.socket(socket.AF_INET6 if family else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((RELAY[family], relay_lab.PORT))
        self.user = f"{EXPIRY}:{salt}"
        digest = hashlib.sha256(f"{EXPIRY}:{SECRET}:{salt}".encode()).digest()
        password = base64.b64encode(digest).decode().rstrip("=")
        self.key = hashlib.md5(f"{self.user}:firezone:{password}".encode()).digest()
        self.nonce = None
        self.relayed = []
        self.refusals = []

    def close(self):
        self.socket.close()

    def binding(self):
        found = self.exchange(BINDING, b"", signed=False)
        lab.require(found and 0x20 in found, "Binding is answered with XOR-MAPPED-ADDRESS")

    def allocate(self):
        given = attribute(0x19, bytes((17, 0, 0, 0))) + attribute(0x8000, bytes((2, 0, 0, 0)))
        code, found = self.request(ALLOCATE, given)
        if code == 437:
            self.refresh(0)
            code, found = self.request(ALLOCATE, given)
        lab.require(code == 0 and 0xD in found, f"Allocate succeeds with a LIFETIME: {code}")

    def refresh(self, lifetime=None):
        given = attribute(0x19, bytes((17, 0, 0, 0))) + attribute(0x8000, bytes((2, 0, 0, 0)))
        code, _ = self.request(REFRESH, given + (b"" if lifetime is None else attribute(0xD, struct.pack("!I", lifetime))))
        lab.require(code == 0, f"Refresh succeeds: {code}")

    def bind(self, channel, address):
        code, _ = self.request(CHANNEL_BIND, lambda transaction: attribute(0x12, xor_address(address, PEER_PORT, transaction))
                               + attribute(0xC, struct.pack("!HH", channel, 0)))
        return code

    def create_permission(self):
        return self.request(CREATE_PERMISSION, b"")[0]

    def request(self, method, given):
        """(0, attributes) or (the code that no retry helps against, {})."""
        for _ in range(2):
            had_nonce = self.nonce is not None
            found = self.exchange(method, given, signed=True)
            lab.require(found is not None, f"method {method} is answered with a valid MESSAGE-INTEGRITY")
            if 9 not in found:
                return 0, found
            code = found[9][2] * 100 + found[9][3]
            self.refusals.append(code)
            if code != 438 and (code != 401 or had_nonce):
                return code, {}
            lab.require(found[0x14] == b"firezone", "the realm is firezone")
            self.nonce = found[0x15]
        return code, {}

    def exchange(self, method, given, signed):
        """Attributes of the answer; None when there is none that the client would believe. Lost data is not answered."""
        transaction = os.urandom(12)
        body = given(transaction) if callable(given) else given
        body += attribute(0x8022, b"snownet; session=0123456789abcdef")
        if signed:
            body += attribute(6, self.user.encode()) + attribute(0x14, b"firezone")
            body += attribute(0x15, self.nonce) if self.nonce else b""
            header = struct.pack("!HHI", method, len(body) + 24, COOKIE) + transaction
            body += attribute(8, hmac.new(self.key, header + body, hashlib.sha1).digest())
        self.socket.send(struct.pack("!HHI", method, len(body), COOKIE) + transaction + body)
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                message = self.socket.recv(2048)
            except (TimeoutError, socket.timeout):
                break
            if len(message) < 20 or message[8:20] != transaction:
                continue
            if signed and not self.is_signed(message):
                return None
            found = attributes(message)
            if struct.unpack_from("!H", message)[0] == ALLOCATE | 0x100:
                self.relayed = relayed_addresses(message, transaction)
            return found
        return None

    def is_signed(self, message):
        begin = len(message) - 24
        if struct.unpack_from("!HH", message, begin) != (8, 20):
            return False
        return hmac.compare_digest(hmac.new(self.key, message[:begin], hashlib.sha1).digest(), message[begin + 4:])


def relayed_addresses(message, transaction):
    found, offset = [], 20
    while offset + 4 <= len(message):
        number, length = struct.unpack_from("!HH", message, offset)
        if number == 0x16:
            value = message[offset + 4:offset + 4 + length]
            mask = struct.pack("!I", COOKIE) + transaction
            packed = bytes(a ^ b for a, b in zip(value[4:], mask))
            family = socket.AF_INET if value[1] == 1 else socket.AF_INET6
            found.append((socket.inet_ntop(family, packed), struct.unpack_from("!H", value, 2)[0] ^ (COOKIE >> 16)))
        offset += 4 + length + (-length % 4)
    return found


class World:
    """Namespaces, one relay, and how its time passes."""

    def __init__(self, laboratory, real_time):
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
        self.shift = 0
        self.shift_file = laboratory.folder / "shift"
        self.process = None

    def attach(self, interface, end, addresses, gateways):
        lengths = [address.partition("/")[2] for address in addresses]
        self.lab.link(self.router, [f"{gateway}/{length}" for gateway, length in zip(gateways, lengths)], end, addresses,
                      name=interface, right_name="eth0")
        end.run("ip", "route", "add", "default", "via", gateways[0])
        end.run("ip", "-6", "route", "add", "default", "via", gateways[1])

    def start(self, *arguments):
        secret = self.lab.folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET)
        self.shift = 0
        self.shift_file.write_bytes(struct.pack("=q", 0))
        environment = {} if self.real_time else {"LD_PRELOAD": time_shift(), "FIRELINE_TIME_SHIFT": str(self.shift_file)}
        self.process = self.relay.start(
            relay_lab.program(), "--public-ip4-addr", RELAY[0], "--public-ip6-addr", RELAY[1], "--secret-file", secret,
            "--log-level", "warn,relay=warn", *arguments, name="fireline-relay", environment=environment)
        lab.wait_until(lambda: self.status() is not None or not self.process.alive(), 10, "the relay listens")
        lab.require(self.process.alive(), "the relay started")

    def advance(self, seconds):
        if self.real_time:
            time.sleep(seconds)
            return
        self.shift += seconds * 1_000_000_000
        with open(self.shift_file, "r+b") as file:  # in place: the program has it mapped
            file.write(struct.pack("=q", self.shift))

    def status(self):
        result = self.relay.run("curl", "-sS", f"http://{relay_lab.CONTROL}/status", must=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def counters(self):
        return self.status()["counters"]


def time_shift():
    path = os.environ.get("FIRELINE_TIME_SHIFT_LIBRARY", str(lab.ROOT / "build/tests/system_time_shift.so"))
    lab.require(os.access(path, os.R_OK), f"no library {path}: build system_time_shift, or name it in FIRELINE_TIME_SHIFT_LIBRARY")
    return path


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


def passed(client, peers, count=DATAGRAMS, wait=ARRIVAL_SECONDS):
    """How many datagrams came through, both ways over both channels."""
    came = 0
    for channel, peer, relayed in zip(CHANNELS, peers.sockets, client.relayed):
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


def both_ways(world, client, peers, xdp, sentence):
    before = world.counters()
    came = passed(client, peers)
    user_space, fast = carried(before, world.counters())
    lab.check(came == 4 * DATAGRAMS and (user_space, fast) == ((0, came) if xdp else (came, 0)),
              f"{sentence}: {came} of {4 * DATAGRAMS} datagrams came, {user_space} by user space, {fast} by XDP")


def thirty_minutes(world, client, peers, xdp, minutes):
    before, sent, came = world.counters(), 0, 0
    for seconds in range(STEP_SECONDS, minutes * 60 + 1, STEP_SECONDS):
        world.advance(STEP_SECONDS)
        client.binding()
        if seconds % 300 == 0:
            client.refresh()
        if seconds % 500 == 0:
            for channel, address in zip(CHANNELS, PEER):
                lab.require(client.bind(channel, address) == 0, f"channel {channel:#x} is bound again after {seconds} s")
        sent += 4
        came += passed(client, peers, count=1)
    user_space, fast = carried(before, world.counters())
    lab.check(came == sent and (user_space, fast) == ((0, came) if xdp else (came, 0)),
              f"{minutes} minutes: {came} of {sent} datagrams came, {user_space} by user space, {fast} by XDP")


def cool_down(world, client, peers, xdp, allocated_for):
    """From a fresh binding: 600 s of use, and then the cool-down."""
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address) == 0, "bound before the cool-down")
    for _ in range(2):
        world.advance(allocated_for)
        client.refresh()
    client.binding()
    before = world.counters()
    came = passed(client, peers, count=1, wait=SILENCE_SECONDS)
    after = world.counters()
    by_name = {name: after[name] - before[name] for name in after
               if ".drop." in f".{name}" and after[name] != before[name]}
    lab.check(came == 0 and sum(carried(before, after)) == 0 and after["channels.expired"] >= 2,
              f"in the cool-down nothing passes, and it is dropped by name: {by_name}")
    lab.check(sum(by_name.values()) == 4, "each of the four datagrams counts once")
    lab.check(client.bind(CHANNELS[1] + 1, PEER[0]) == 400, "another number for the same peer is refused")
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address) == 0, f"channel {channel:#x} is revived")
    lab.check(world.counters()["channels.revived"] == 2, "the same pairs are revived")
    both_ways(world, client, peers, xdp, "after the revival")


def stale_nonce(client):
    """The nonce's uses run out while the client is busy; it continues with the next one."""
    client.refusals.clear()
    requests = 0
    while not client.refusals and requests <= NONCE_USES:
        lab.require(client.create_permission() == 0, "CreatePermission succeeds")
        requests += 1
    lab.check(client.refusals == [438], f"after {requests} more requests the nonce is stale: 438, and the retry succeeds")


def one_path(world, peers, family, arguments, options):
    xdp = bool(arguments)
    name = "XDP" if xdp else "user space"
    print(f"{name}, client over {('IPv4', 'IPv6')[family]}", flush=True)
    world.start(*arguments)
    for either in (0, 1):  # as they choose the family that answers first
        probe = FirezoneClient(world.client, either, "probe")
        probe.binding()
        probe.close()
    client = FirezoneClient(world.client, family, "n23JJ2wKKtt30oXi")
    client.binding()
    client.allocate()
    lab.check(client.refusals == [401], "the first request is signed without nonce and answered 401, signed")
    lab.check([address for address, _ in client.relayed] == list(RELAY) and len({port for _, port in client.relayed}) == 1,
              f"dual-stack allocation: {client.relayed}")
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address) == 0, f"channel {channel:#x} is bound")
    both_ways(world, client, peers, xdp, "bound")
    client.refusals.clear()
    if options.real_time:
        cool_down(world, client, peers, xdp, 303)
    else:
        thirty_minutes(world, client, peers, xdp, options.minutes)
        lab.check(not client.refusals, "and nothing was refused meanwhile")
        cool_down(world, client, peers, xdp, 350)
        if family == 0:
            stale_nonce(client)
    client.nonce = None
    client.relayed = []
    client.refusals.clear()
    client.allocate()
    lab.check(client.refusals == [401, 437], "a client that forgot everything gets 437, refreshes to 0 and allocates again")
    lab.check(world.status()["gauges"]["allocations"] == 1, "and there is one allocation")
    client.close()
    lab.require(world.process.stop() == 0, "the relay ends with code 0")


def scenario(laboratory, options):
    world = World(laboratory, options.real_time)
    peers = Peers(world.peer)
    for arguments in ([], ["--ebpf-offloading", "eth0"]):
        for family in (0,) if options.real_time else (0, 1):
            one_path(world, peers, family, arguments, options)
    peers.close()


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("--minutes", type=int, default=30)
    given.add_argument("--real-time", action="store_true")
    lab.run(scenario, given.parse_args())
