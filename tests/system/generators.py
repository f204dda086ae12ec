"""Programs that send: handshake floods, garbage, plain UDP. Each runs as its own process with a bounded rate, prints one
line of JSON with what it sent and received when SIGTERM ends it, and is started with start(namespace, KIND, …).

usage (by start() only): generators.py KIND ARGUMENTS-AS-JSON
"""
import hashlib
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time

POOL = 2048  # prepared messages, sent in turn: making one costs more than sending it
BURST_SECONDS = 0.002  # pacing interval: far below the socket buffers of the receiver


def start(namespace, kind, **arguments):
    return namespace.start("/usr/bin/python3", "-B", os.path.abspath(__file__), kind, json.dumps(arguments), name=kind)


def stop(process, seconds=5):
    """Ends it and returns its report."""
    process.signal(signal.SIGTERM)
    process.wait(seconds)
    return json.loads(process.text().strip().splitlines()[-1])


def initiation(public_key, rng):
    """A handshake initiation with a valid mac1 and nothing else right: it costs the receiver a key exchange."""
    message = struct.pack("<II", 1, rng.getrandbits(32)) + rng.randbytes(108)
    key = hashlib.blake2s(b"mac1----" + public_key).digest()
    return message + hashlib.blake2s(message, digest_size=16, key=key).digest() + bytes(16)


def handshakes(rng, arguments):
    public_key = bytes.fromhex(arguments["public_key"])
    return [initiation(public_key, rng) for _ in range(POOL)]


def garbage(rng, arguments):
    """Random bytes of every length, and the four message types with right lengths and wrong contents."""
    public_key = bytes.fromhex(arguments["public_key"])
    pool = []
    for i in range(POOL):
        kind = i % 8
        if kind == 0:
            pool.append(rng.randbytes(rng.randrange(0, 1400)))
        elif kind == 1:  # initiation, a byte changed after mac1 was made
            message = bytearray(initiation(public_key, rng))
            message[rng.randrange(len(message))] ^= 1 << rng.randrange(8)
            pool.append(bytes(message))
        elif kind == 2:  # response and cookie reply
            kind, length = rng.choice(((2, 92), (3, 64)))
            pool.append(struct.pack("<II", kind, rng.getrandbits(32)) + rng.randbytes(length - 8))
        elif kind == 3:  # lengths next to the right ones
            kind, length = rng.choice(((1, 148), (2, 92), (3, 64), (4, 32)))
            pool.append((struct.pack("<I", kind) + rng.randbytes(200))[: length + rng.choice((-1, 1))])
        elif kind == 4:  # type with bits in the reserved bytes
            pool.append(struct.pack("<I", rng.getrandbits(32)) + rng.randbytes(rng.randrange(0, 200)))
        else:  # transport data for any session
            index = rng.getrandbits(32) if kind < 7 else rng.randrange(0, 1024)
            pool.append(struct.pack("<IIQ", 4, index, rng.getrandbits(16)) + rng.randbytes(rng.randrange(0, 1300)))
    return pool


def plain(rng, arguments):
    return [rng.randbytes(arguments.get("bytes", 1200)) for _ in range(16)]


def inner(rng, arguments):
    """What a host may put into the device: IP packets of both versions, headers half right, and no IP at all."""
    pool = []
    for i in range(POOL):
        body = rng.randbytes(rng.randrange(0, 1300))
        kind = i % 6
        if kind == 0:
            pool.append(body)
        elif kind in (1, 2):
            length = 20 + len(body) if kind == 1 else rng.getrandbits(16)
            header = struct.pack(">BBHHHBBH4s4s", 0x40 | rng.choice((5, 5, 5, 0, 4, 6, 15)), rng.getrandbits(8), length,
                                 rng.getrandbits(16), rng.getrandbits(16), 64, rng.choice((1, 6, 17, 50)), 0,
                                 rng.randbytes(4), socket.inet_aton(arguments["to4"]))
            pool.append(header + body)
        elif kind in (3, 4):
            length = len(body) if kind == 3 else rng.getrandbits(16)
            header = struct.pack(">IHBB16s16s", 0x60000000 | rng.getrandbits(28), length, rng.choice((0, 6, 17, 43, 44, 58)),
                                 64, rng.randbytes(16), socket.inet_pton(socket.AF_INET6, arguments["to6"]))
            pool.append(header + body)
        else:
            pool.append(bytes([rng.choice((0x45, 0x60, 0x4F))]) + body[: rng.randrange(0, 40)])
    return pool


POOLS = {"handshakes": handshakes, "garbage": garbage, "plain": plain, "inner": inner}


def open_socket(arguments):
    """Where it sends: a UDP endpoint, or (`interface`) raw packets into a device."""
    if "interface" in arguments:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        return sender, lambda data: sender.sendto(
            data, (arguments["interface"], 0x86DD if data[:1] >= b"\x60" and data[:1] < b"\x70" else 0x0800))
    family = socket.AF_INET6 if ":" in arguments["to"] else socket.AF_INET
    sender = socket.socket(family, socket.SOCK_DGRAM)
    sender.connect((arguments["to"], arguments["port"]))
    return sender, sender.send


def main(kind, arguments):
    rng = random.Random(arguments.get("seed", 1))
    pool = POOLS[kind](rng, arguments)
    sender, send = open_socket(arguments)
    report = {"sent": 0, "refused": 0, "cookie_replies": 0, "received": 0, "seconds": 0}
    ended = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(1))
    rate = arguments.get("rate", 0)  # per second; 0: as fast as it goes
    begin, position = time.monotonic(), 0
    while not ended:
        due = rate * (time.monotonic() - begin) - report["sent"] - report["refused"] if rate else 64
        for _ in range(int(max(0, min(due, rate * 0.05 or 64)))):
            try:
                send(pool[position % len(pool)])
                report["sent"] += 1
            except OSError:  # ECONNREFUSED while the receiver restarts, ENOBUFS, EMSGSIZE
                report["refused"] += 1
            position += 1
        if "interface" not in arguments:
            receive(sender, report)
        if rate:
            time.sleep(BURST_SECONDS)
    report["seconds"] = time.monotonic() - begin
    print(json.dumps(report), flush=True)


def receive(sender, report):
    while select.select([sender], [], [], 0)[0]:
        try:
            answer = sender.recv(2048)
        except OSError:
            return
        report["received"] += 1
        report["cookie_replies"] += len(answer) == 64 and answer[:4] == b"\x03\0\0\0"


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
