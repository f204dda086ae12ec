#!/usr/bin/python3
"""All allocations of a relay, 16,384 with a channel each, made and freed again and again: its memory does not grow, an
allocation takes at most 4 KiB of it, and every port and descriptor comes back.

    namespace client, 65,536 addresses of 10.90.0.0/16 on one socket ── namespace relay (relay_lab.py)

usage: relay_churn.py [--generations N] [--dual]
    --dual   two sockets for each allocation: where the limit of open files ends them earlier, the rest must be answered
             508, and as many must fit the next time
"""
import argparse
import collections
import hmac
import socket
import struct
import time

import lab
from firezone_client import EXPIRY, long_term_key, write_secret
from relay_lab import PEER, PORT, PUBLIC, Relay
from turn_client import ALLOCATE, CHANNEL, CHANNEL_BIND, COOKIE, REFRESH, attribute, attributes, xor_address

ALLOCATIONS = 16384
WINDOW = 128  # requests in flight: few enough for any receive buffer
RETRY_SECONDS = 0.5
GIVE_UP_SECONDS = 60  # without any answer
BYTES_PER_ALLOCATION_MAX = 4096
GROWTH_BYTES_MAX = 1 << 20  # over all generations: 64 bytes of one generation's each
DESCRIPTORS_SPARE = 104  # of the limit: what the relay keeps for listeners, timers and log
PKTINFO = struct.Struct("=I4s4s")


class Crowd:
    """Clients that differ in their address, all on one socket."""

    def __init__(self, namespace, count, dual):
        self.socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.socket.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        self.socket.bind(("0.0.0.0", 40000))
        self.addresses = [bytes((10, 90, number >> 8, number & 255)) for number in range(count)]
        self.number_of = {address: number for number, address in enumerate(self.addresses)}
        self.keys = [long_term_key(number) for number in range(count)]
        self.nonces = [None] * count
        self.dual = dual

    def request(self, number, method, given):
        transaction = struct.pack("!III", method, number, 0)
        body = given + attribute(6, f"{EXPIRY}:{number}".encode())
        body += attribute(0x15, self.nonces[number]) if self.nonces[number] else b""
        header = struct.pack("!HHI", method, len(body) + 24, COOKIE) + transaction
        body += attribute(8, hmac.digest(self.keys[number], header + body, "sha1"))
        return header + body

    def send(self, number, message):
        source = [(socket.IPPROTO_IP, 8, PKTINFO.pack(0, self.addresses[number], bytes(4)))]
        self.socket.sendmsg([message], source, 0, (PUBLIC[0], PORT))

    def all(self, numbers, method, given, accepted=()):
        """Each client's request, until each is answered. {number: code} of refusals in `accepted`."""
        waiting, asked, refused = collections.deque(numbers), {}, {}
        last = time.monotonic()
        while waiting or asked:
            while waiting and len(asked) < WINDOW:
                number = waiting.popleft()
                asked[number] = time.monotonic()
                self.send(number, self.request(number, method, given(number)))
            self.socket.settimeout(RETRY_SECONDS)
            try:
                message, ancillary, _, _ = self.socket.recvmsg(2048, 128)
                last = time.monotonic()
            except (TimeoutError, socket.timeout):
                lab.require(time.monotonic() - last < GIVE_UP_SECONDS, f"the relay answers: {len(asked)} wait")
                waiting.extendleft(asked)
                asked.clear()
                continue
            number = self.number_of[PKTINFO.unpack(ancillary[0][2])[2]]
            kind = struct.unpack_from("!H", message)[0]
            if number not in asked or kind & ~0x110 != method:
                continue  # of a request that was repeated
            del asked[number]
            if kind == method | 0x100:
                continue
            found = attributes(message)
            code = found[9][2] * 100 + found[9][3]
            if code in (401, 438):
                self.nonces[number] = found[0x15]
                waiting.append(number)
            elif code == 437:
                pass  # a repeated request whose first copy was served
            else:
                lab.require(code in accepted, f"method {method} is answered {code}")
                refused[number] = code
        return refused

    def allocate(self, numbers):
        given = attribute(0x19, bytes((17, 0, 0, 0)))
        given += attribute(0x8000, bytes((2, 0, 0, 0))) if self.dual else b""
        return self.all(numbers, ALLOCATE, lambda _: given, accepted=(508,))

    def bind(self, numbers):
        transaction = bytes(12)  # of no matter for an IPv4 peer
        given = attribute(0xC, struct.pack("!HH", CHANNEL, 0)) + attribute(0x12, xor_address(PEER[0], 5000, transaction))
        self.all(numbers, CHANNEL_BIND, lambda _: given)

    def free(self, numbers):
        self.all(numbers, REFRESH, lambda _: attribute(0xD, bytes(4)))


def memory(process):
    """Bytes that are the process's own."""
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) * 1024


def descriptor_limit(process):
    with open(f"/proc/{process.pid}/limits") as file:
        return next(int(line.split()[3]) for line in file if line.startswith("Max open files"))


def scenario(laboratory, generations, dual):
    ends = Relay(laboratory)
    ends.client.run("ip", "route", "add", "local", "10.90.0.0/16", "dev", "lo")
    ends.relay.run("ip", "route", "add", "10.90.0.0/16", "via", "10.81.0.1")
    process = ends.start_firezone(write_secret(laboratory.folder), "--max-answers-total", "1000000", "--log-level", "warn")
    limit = descriptor_limit(process)
    crowd = Crowd(ends.client, ALLOCATIONS, dual)
    fits = min(ALLOCATIONS, (limit - DESCRIPTORS_SPARE) // (2 if dual else 1))
    print(f"  {limit} open files are allowed: {fits} allocations of {ALLOCATIONS} fit", flush=True)

    before, freed, peaks, first = memory(process), [], [], 0
    begin = time.monotonic()
    for generation in range(generations):
        refused = crowd.allocate(range(ALLOCATIONS))
        made = [number for number in range(ALLOCATIONS) if number not in refused]
        if generation == 0:
            first = len(made)
            lab.check(first >= fits and (fits == ALLOCATIONS or first < ALLOCATIONS),
                      f"{first} are made, {len(refused)} refused with 508")
        lab.require(len(made) == first, f"as many in generation {generation}: {len(made)}")
        crowd.bind(made)
        gauges = ends.status()["gauges"]
        lab.require(gauges["allocations"] == gauges["channels.bound"] == first and gauges["ports.unusable"] == 0,
                    f"all of them live with a channel, and no port is lost: {gauges}")
        peaks.append(memory(process))
        crowd.free(made)
        gauges = ends.status()["gauges"]
        lab.require((gauges["allocations"], gauges["channels.bound"], gauges["sockets"]) == (0, 0, 2), f"freed: {gauges}")
        freed.append(memory(process))
    each = (peaks[0] - before) / first
    lab.check(0 < each <= BYTES_PER_ALLOCATION_MAX,
              f"an allocation with a channel takes {each:.0f} bytes of the process ({before >> 10} KiB without, "
              f"{peaks[0] >> 10} KiB with all of them)")
    lab.check(freed[-1] - freed[0] <= GROWTH_BYTES_MAX and peaks[-1] - peaks[0] <= GROWTH_BYTES_MAX,
              f"{generations} generations in {time.monotonic() - begin:.0f} s: {freed[0] >> 10} KiB after the first, "
              f"{freed[-1] >> 10} KiB after the last; full, {peaks[0] >> 10} and {peaks[-1] >> 10} KiB")
    counters = ends.counters()
    lab.check((counters["limit.sockets"] > 0) == (first < ALLOCATIONS), f"limit.sockets: {counters['limit.sockets']}")
    lab.require(process.text().count("new allocations are answered 508") == (generations if first < ALLOCATIONS else 0),
                "one line in the log for each time of need")
    lab.require(process.stop() == 0, "the relay ends with code 0")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--generations", type=int, default=20)
    options.add_argument("--dual", action="store_true")
    chosen = options.parse_args()
    lab.run(scenario, chosen.generations, chosen.dual)
