"""Floods: handshake initiations, garbage, plain UDP, random IP packets, or what the caller has. The messages are
prepared here and sent by the program system_sender (sender/main.cpp): Python would cost more than what it tests.
"""
import hashlib
import json
import os
import random
import signal
import socket
import struct

import lab

POOL = 2048  # prepared messages, sent in turn


def start(namespace, kind, rate, seed=1, **arguments):
    """Starts the flood: `rate` per second (0: unpaced), to the UDP endpoint `to`, `port` or raw into `interface`."""
    sender = os.environ.get("FIRELINE_SENDER", str(lab.ROOT / "build/tests/system_sender"))
    lab.require(os.access(sender, os.X_OK), f"no program {sender}: build system_sender, or name it in FIRELINE_SENDER")
    path = namespace.lab.folder / f"messages-{len(namespace.lab.processes)}"
    path.write_bytes(b"".join(struct.pack("<I", len(message)) + message
                              for message in POOLS[kind](random.Random(seed), arguments)))
    target = ("interface", arguments["interface"]) if "interface" in arguments else ("udp", arguments["to"], arguments["port"])
    with open(path, "rb") as messages:
        # Ahead of the others on a busy machine: the rate is part of the question.
        return namespace.start("nice", "-n", "-10", sender, rate, *target, name=f"{namespace.label}-{kind}", stdin=messages)


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


def given(_, arguments):
    """The caller's own."""
    return arguments["messages"]


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


def turn_garbage(rng, arguments):
    """Random bytes, and what looks like requests or channel data at first sight."""
    pool = []
    for _ in range(POOL):
        data = bytearray(rng.randbytes(rng.choice((0, 1, 3, 4, 19, 20, 21, 100, 1200))))
        if len(data) >= 20 and rng.random() < 0.6:
            struct.pack_into("!HHI", data, 0, rng.choice((1, 3, 4, 8, 9, 0x16)), len(data) - 20, 0x2112A442)
        elif data and rng.random() < 0.5:
            data[0] = rng.randrange(0x40, 0x50)
        pool.append(bytes(data))
    return pool


POOLS = {"given": given, "turn_garbage": turn_garbage, "handshakes": handshakes, "garbage": garbage, "plain": plain, "inner": inner}
