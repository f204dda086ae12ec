#!/usr/bin/python3
"""How a NAT maps and filters, after RFC 5780: a responder with two addresses and two ports, and a prober.

usage: stun_behaviour.py respond ADDRESS OTHER-ADDRESS
       stun_behaviour.py map ADDRESS OTHER-ADDRESS       one line of JSON: behaviour, mapped addresses
       stun_behaviour.py filter ADDRESS OTHER-ADDRESS    one line of JSON: behaviour

Numbers follow RFC 5780 sections 4.3 and 4.4. Every probe has a socket of its own, so that one leaves no mapping or
permission to another.
"""
import json
import os
import select
import socket
import struct
import sys
import time

PORTS = (3478, 3479)
COOKIE = 0x2112A442
REQUEST, RESPONSE = 0x0001, 0x0101
CHANGE_REQUEST, XOR_MAPPED_ADDRESS = 0x0003, 0x0020
CHANGE_PORT, CHANGE_ADDRESS = 2, 4
TRIES, TRY_SECONDS = 4, 0.2  # nothing is lost here on purpose; a busy machine may be late
LAST_SECONDS = 0.6
ENDPOINT, ADDRESS, ADDRESS_AND_PORT = "endpoint-independent", "address-dependent", "address- and port-dependent"


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound(address, port):
    made = socket.socket(family_of(address), socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def respond(addresses):
    sockets = {(address, port): bound(address, port) for address in addresses for port in PORTS}
    print("listens", flush=True)
    while True:
        for ready in select.select(list(sockets.values()), [], [])[0]:
            message, source = ready.recvfrom(2048)
            kind, length, cookie = struct.unpack_from("!HHI", message)
            if kind != REQUEST or cookie != COOKIE:
                continue
            change = struct.unpack_from("!I", message, 24)[0] if length == 8 else 0
            address, port = ready.getsockname()[:2]
            if change & CHANGE_ADDRESS:
                address = addresses[1 - addresses.index(address)]
            if change & CHANGE_PORT:
                port = PORTS[1 - PORTS.index(port)]
            sockets[address, port].sendto(response(message[8:20], source), source)


def response(transaction, source):
    raw = socket.inet_pton(family_of(source[0]), source[0])
    mask = struct.pack("!I", COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(raw, mask))
    value = struct.pack("!BBH", 0, 1 if len(raw) == 4 else 2, source[1] ^ COOKIE >> 16) + masked
    attribute = struct.pack("!HH", XOR_MAPPED_ADDRESS, len(value)) + value
    return struct.pack("!HHI", RESPONSE, len(attribute), COOKIE) + transaction + attribute


def mapped_address(message, transaction):
    """[address, port] of a response to this transaction, else None."""
    if len(message) < 32 or message[8:20] != transaction or struct.unpack_from("!H", message)[0] != RESPONSE:
        return None
    port = struct.unpack_from("!H", message, 26)[0] ^ COOKIE >> 16
    raw = message[28:32 if message[25] == 1 else 44]
    mask = struct.pack("!I", COOKIE) + transaction
    return [socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6,
                             bytes(a ^ b for a, b in zip(raw, mask))), port]


def ask(sender, destination, change=0):
    """The mapped address that an answer tells, from wherever it comes; None without an answer."""
    transaction = os.urandom(12)
    body = struct.pack("!HHI", CHANGE_REQUEST, 4, change) if change else b""
    message = struct.pack("!HHI", REQUEST, len(body), COOKIE) + transaction + body
    for number in range(TRIES):
        sender.sendto(message, destination)
        deadline = time.monotonic() + (TRY_SECONDS if number + 1 < TRIES else LAST_SECONDS)
        while (left := deadline - time.monotonic()) > 0 and select.select([sender], [], [], left)[0]:
            mapped = mapped_address(sender.recv(2048), transaction)
            if mapped:
                return mapped
    return None


def probe_socket(address):
    return socket.socket(family_of(address), socket.SOCK_DGRAM)


def mapping(first, second):
    """Section 4.3: the same socket towards another address, then towards another port there."""
    with probe_socket(first) as sender:
        mapped = [ask(sender, destination)
                  for destination in ((first, PORTS[0]), (second, PORTS[0]), (second, PORTS[1]))]
        local_port = sender.getsockname()[1]
    if None in mapped:
        behaviour = "no answer"
    elif mapped[0] == mapped[1]:
        behaviour = ENDPOINT if mapped[1] == mapped[2] else "inconsistent"
    else:
        behaviour = ADDRESS if mapped[1] == mapped[2] else ADDRESS_AND_PORT
    return {"behaviour": behaviour, "mapped": mapped, "local_port": local_port}


def filtering(first):
    """Section 4.4: answers from another address and port, then from another port of the same address."""

    def passes(change):
        with probe_socket(first) as sender:
            if not ask(sender, (first, PORTS[0])):
                raise SystemExit(f"no answer from {first}")
            return ask(sender, (first, PORTS[0]), change) is not None

    if passes(CHANGE_ADDRESS | CHANGE_PORT):
        return {"behaviour": ENDPOINT}
    return {"behaviour": ADDRESS if passes(CHANGE_PORT) else ADDRESS_AND_PORT}


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("respond", "map", "filter"):
        sys.exit(__doc__)
    if sys.argv[1] == "respond":
        respond(sys.argv[2:4])
    print(json.dumps(mapping(*sys.argv[2:4]) if sys.argv[1] == "map" else filtering(sys.argv[2])))
