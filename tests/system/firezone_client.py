"""A TURN client as Firezone's is (relay specification 1.10), for scenarios with `--secret-file`."""
import base64
import hashlib
import hmac
import os
import socket
import struct
import time

import lab
import relay_lab
from turn_client import ALLOCATE, CHANNEL_BIND, COOKIE, REFRESH, attribute, attributes, xor_address

SECRET = "4c98bf59c99b3e467ecd7cf9d6b3e5279645fca59be67bc5bb4af3cf653761ab"
EXPIRY = 4102444800
BINDING, CREATE_PERMISSION = 1, 8
ANSWER_SECONDS = 5


def write_secret(folder):
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    return secret


def long_term_key(salt):
    digest = hashlib.sha256(f"{EXPIRY}:{SECRET}:{salt}".encode()).digest()
    password = base64.b64encode(digest).decode().rstrip("=")
    return hashlib.md5(f"{EXPIRY}:{salt}:firezone:{password}".encode()).digest()


class FirezoneClient:
    """Requests with the attributes of 1.10 in their order, and the reactions to 401, 437 and 438."""

    def __init__(self, namespace, family, salt):
        self.socket = namespace.socket(socket.AF_INET6 if family else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((relay_lab.PUBLIC[family], relay_lab.PORT))
        self.user = f"{EXPIRY}:{salt}"
        self.key = long_term_key(salt)
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

    def bind(self, channel, address, port):
        code, _ = self.request(CHANNEL_BIND, lambda transaction: attribute(0x12, xor_address(address, port, transaction))
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
        deadline = time.monotonic() + ANSWER_SECONDS
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
