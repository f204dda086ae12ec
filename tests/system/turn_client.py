#!/usr/bin/python3
"""A small TURN client (RFC 8656, long-term credentials, channels) and the load programs made of it. Runs inside a
namespace and prints one JSON line per result.

usage: turn_client.py slow --server ADDRESS --peer ADDRESS --port PORT --count N --messages N --seconds S
       turn_client.py flood --server ADDRESS --peer ADDRESS --port PORT --seconds S
       turn_client.py blast --to ADDRESS --port PORT --from-port PORT --seconds S [--rate PACKETS] [--size BYTES]
       turn_client.py garbage --to ADDRESS --port PORT --ports N --rate PACKETS --seconds S
       turn_client.py echo --to ADDRESS --port PORT
       turn_client.py whoami --to ADDRESS --port PORT
       turn_client.py host --server ADDRESS --to ADDRESS --port PORT

slow: N allocations, each sends its messages evenly over S seconds and counts the echoes, and says
how many seconds after its begin the last one that was lost was sent. flood: one allocation sends as
fast as it can, in trains. blast: datagrams from a fixed port in trains. garbage: random bytes of random length to
PORT and the N ports after it. Rate 0 is unpaced. whoami: tells each sender its address. host: an allocation that is
told on standard input to whose relayed port it binds its channel ("bind PORT"), and then to "send BITS SECONDS" or to
"count SECONDS"; before that it asks the whoami of --to and the relay what its own address looks like.
"""
import argparse
import hashlib
import hmac
import json
import os
import random
import select
import socket
import struct
import sys
import time

COOKIE = 0x2112A442
ALLOCATE, CHANNEL_BIND, REFRESH = 3, 9, 4
CHANNEL = 0x4001
UDP_SEGMENT, UDP_GRO = 103, 104
TRAIN, SIZE = 40, 1200
LATE_SECONDS = 3


def attribute(number, value):
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def xor_address(address, port, transaction):
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    mask = struct.pack("!I", COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(packed, mask))
    return struct.pack("!BBH", 0, 2 if ":" in address else 1, port ^ (COOKIE >> 16)) + masked


def attributes(message):
    found, offset = {}, 20
    while offset + 4 <= len(message):
        number, length = struct.unpack_from("!HH", message, offset)
        found.setdefault(number, message[offset + 4:offset + 4 + length])
        offset += 4 + length + (-length % 4)
    return found


class Refused(Exception):
    def __init__(self, method, code):
        super().__init__(f"method {method} is answered {code}")
        self.code = code


class Client:
    """One allocation on one socket."""

    def __init__(self, server, port=3478, user="user", password="secret"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((server, port))
        self.user, self.password = user, password
        self.realm = self.nonce = self.key = None
        self.relayed_port = None

    def request(self, method, *given):
        """The attributes of the success; retransmits, answers 401 and 438."""
        for _ in range(10):
            transaction = os.urandom(12)
            body = b"".join(given(transaction) if callable(given) else given for given in given)
            if self.nonce:
                body += attribute(6, self.user.encode()) + attribute(0x14, self.realm) + attribute(0x15, self.nonce)
                header = struct.pack("!HHI", method, len(body) + 24, COOKIE) + transaction
                body += attribute(8, hmac.new(self.key, header + body, hashlib.sha1).digest())
            self.socket.send(struct.pack("!HHI", method, len(body), COOKIE) + transaction + body)
            answer = self.answer(transaction)
            if answer is None:
                continue
            found = attributes(answer)
            if struct.unpack_from("!H", answer)[0] == method | 0x100:
                return found
            code = found[9][2] * 100 + found[9][3]
            if code not in (401, 438):
                raise Refused(method, code)
            self.realm, self.nonce = found[0x14], found[0x15]
            self.key = hashlib.md5(b":".join((self.user.encode(), self.realm, self.password.encode()))).digest()
        raise RuntimeError(f"method {method} is not answered")

    def answer(self, transaction):
        deadline = time.monotonic() + 1
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                message = self.socket.recv(65535)
            except (TimeoutError, socket.timeout, ConnectionRefusedError):
                continue
            if len(message) >= 20 and message[0] < 4 and message[8:20] == transaction:
                return message
        return None

    def allocate(self, family):
        given = [attribute(0x19, bytes((17, 0, 0, 0)))]
        if family == 6:
            given.append(attribute(0x17, bytes((2, 0, 0, 0))))
        try:
            found = self.request(ALLOCATE, *given)
        except Refused as refused:
            if refused.code != 437:
                raise
            # The port was somebody else's, who left without a word; or our first request was answered and that lost.
            self.request(REFRESH, attribute(0xD, bytes(4)))
            found = self.request(ALLOCATE, *given)
        self.relayed_port = struct.unpack_from("!H", found[0x16], 2)[0] ^ (COOKIE >> 16)

    def bind(self, peer, port):
        self.request(CHANNEL_BIND, attribute(0xC, struct.pack("!HH", CHANNEL, 0)),
                     lambda transaction: attribute(0x12, xor_address(peer, port, transaction)))

    def open(self, peer, port):
        self.allocate(6 if ":" in peer else 4)
        self.bind(peer, port)
        return self


def framed(payload):
    return struct.pack("!HH", CHANNEL, len(payload)) + payload


def report(**values):
    print(json.dumps(values), flush=True)


def slow(options):
    clients = [Client(options.server).open(options.peer, options.port) for _ in range(options.count)]
    poll = select.epoll()
    by_fd = {}
    for number, client in enumerate(clients):
        client.socket.setblocking(False)
        poll.register(client.socket, select.EPOLLIN)
        by_fd[client.socket.fileno()] = (number, client.socket)
    report(ready=len(clients))
    sys.stdin.readline()
    received, sent_at = set(), {}

    def collect(wait):
        for fd, _ in poll.poll(wait):
            number, end = by_fd[fd]
            try:
                while True:
                    data = end.recv(2048)
                    if data[:2] == struct.pack("!H", CHANNEL):
                        received.add((number, struct.unpack_from("!I", data, 4)[0]))
            except (BlockingIOError, ConnectionRefusedError):
                pass

    total = options.count * options.messages
    begin = time.monotonic()
    for sent in range(total):
        sequence, number = divmod(sent, options.count)
        sent_at[number, sequence] = time.monotonic() - begin
        clients[number].socket.send(framed(struct.pack("!I", sequence) + bytes(96)))
        due = begin + options.seconds * (sent + 1) / total
        collect(0)
        while time.monotonic() < due:
            collect(max(0.0, due - time.monotonic()))
    # What is late on a busy machine is not lost: it is waited for as long as anything comes.
    before, deadline = len(received), time.monotonic() + LATE_SECONDS
    while len(received) < total and time.monotonic() < deadline:
        collect(0.1)
        if len(received) > before:
            before, deadline = len(received), time.monotonic() + LATE_SECONDS
    lost = [at for key, at in sent_at.items() if key not in received]
    report(sent=total, received=len(received), last_lost=max(lost, default=0.0))


def trains(end, datagram, seconds, rate=0):
    segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", len(datagram)))]
    buffer, sent = datagram * TRAIN, 0
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        if rate and sent > rate * passed:
            time.sleep(0.0002)
            continue
        try:
            end.sendmsg([buffer], segment)
            sent += TRAIN
        except (BlockingIOError, ConnectionRefusedError, OSError):
            continue
    return sent


def flood(options):
    client = Client(options.server).open(options.peer, options.port)
    report(ready=1, relayed_port=client.relayed_port)
    sys.stdin.readline()
    report(sent=trains(client.socket, framed(bytes(SIZE)), options.seconds))


def blast(options):
    end = socket.socket(socket.AF_INET6 if ":" in options.to else socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(("", options.from_port))
    end.connect((options.to, options.port))
    report(sent=trains(end, bytes(options.size or SIZE), options.seconds, options.rate))


def garbage(options):
    end = socket.socket(socket.AF_INET6 if ":" in options.to else socket.AF_INET, socket.SOCK_DGRAM)
    pieces = []
    for _ in range(1000):
        data = bytearray(os.urandom(random.choice((0, 1, 3, 4, 19, 20, 21, 100, 1200))))
        if len(data) >= 20 and random.random() < 0.6:
            # Nearly a request: the header is right, the rest is not.
            struct.pack_into("!HHI", data, 0, random.choice((1, 3, 4, 8, 9, 0x16)), len(data) - 20, COOKIE)
        elif data and random.random() < 0.5:
            data[0] = random.randrange(0x40, 0x50)
        pieces.append(bytes(data))
    sent, begin = 0, time.monotonic()
    while (passed := time.monotonic() - begin) < options.seconds:
        if options.rate and sent > options.rate * passed:
            time.sleep(0.0005)
            continue
        for _ in range(32):
            try:
                end.sendto(random.choice(pieces), (options.to, options.port + random.randrange(options.ports + 1)))
            except OSError:
                pass
            sent += 1
    report(sent=sent)


def echo(options):
    end = socket.socket(socket.AF_INET6 if ":" in options.to else socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    end.bind((options.to, options.port))
    report(ready=1)
    while True:
        data, source = end.recvfrom(65535)
        end.sendto(data, source)


def whoami(options):
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((options.to, options.port))
    report(ready=1)
    while True:
        _, source = end.recvfrom(65535)
        end.sendto(str(source[1]).encode(), source)


def host(options):
    client = Client(options.server)
    end = client.socket
    end.connect((options.to, options.port))
    end.send(b"?")
    end.settimeout(5)
    seen_there = int(end.recv(100))
    end.connect((options.server, 3478))
    mapped = client.request(1)[0x20]
    client.allocate(4)
    report(seen_there=seen_there, seen_here=struct.unpack_from("!H", mapped, 2)[0] ^ (COOKIE >> 16),
           relayed_port=client.relayed_port)
    end.setsockopt(socket.SOL_UDP if hasattr(socket, "SOL_UDP") else 17, UDP_GRO, 1)
    end.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    for line in sys.stdin:
        word, *values = line.split()
        if word == "bind":
            client.bind(options.server, int(values[0]))
            report(bound=1)
        elif word == "send":
            report(sent=paced(end, framed(bytes(SIZE)), float(values[0]), float(values[1])))
        elif word == "count":
            report(received=counted(end, float(values[0])))


def paced(end, datagram, bits_per_second, seconds):
    segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", len(datagram)))]
    end.setblocking(True)
    buffer, sent, begin = datagram * TRAIN, 0, time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        if sent * 8 > bits_per_second * passed:
            time.sleep(0.0002)
            continue
        end.sendmsg([buffer], segment)
        sent += TRAIN * SIZE
    return sent


def counted(end, seconds):
    """Payload bytes that come within the time."""
    end.settimeout(0.1)
    total, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            total += len(end.recv(65535)) // (SIZE + 4) * SIZE
        except (TimeoutError, socket.timeout):
            pass
    return total


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument("role", choices=["slow", "flood", "blast", "garbage", "echo", "whoami", "host"])
    for name in ("--server", "--peer", "--to"):
        arguments.add_argument(name)
    for name in ("--port", "--count", "--messages", "--from-port", "--ports", "--rate", "--size"):
        arguments.add_argument(name, type=int, default=0)
    arguments.add_argument("--seconds", type=float, default=1.0)
    chosen = arguments.parse_args()
    globals()[chosen.role](chosen)
