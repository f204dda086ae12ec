#!/usr/bin/env python3
"""What may come to fireline-portal from anywhere, and from who has a token: garbage instead of requests, requests that
are too large, half or slow, frames against RFC 6455, messages of wrong shapes, floods. The portal serves everybody else,
counts what it dropped, and writes no token.

    portal ── lo of a namespace ── raw sockets, and clients on python3-websockets
"""
import asyncio
import json
import os
import random
import resource
import socket
import struct
import sys
import threading
import time

import lab
from portal_host import ACTOR, Portal, document, networks
from portal_peer import AGENTS, Peer, key_of, query_of
from strain import Strain

PATIENCE = 120
REQUEST_SECONDS = 15  # io/websocket_server.h
DRIP_SECONDS = 5  # until a sender of a byte each second notices, and the connections that were made before
SOURCE_CONNECTIONS = 1024
SECRET = "flc_" + "h0stile-" * 5


def dial(portal, source="127.0.0.1"):
    connection = socket.create_connection(("127.0.0.1", portal.port), PATIENCE, (source, 0))
    connection.settimeout(PATIENCE)
    return connection


def read_all(connection):
    """Until it is closed; what came."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def request(query=f"token={SECRET}", path="/client/websocket", **instead):
    headers = {"Host": "h", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "user-agent": AGENTS["client"], **instead}
    lines = [f"GET {path}?{query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
    """RFC 6455 section 5.2, or something like it."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + struct.pack("!H", size)
    else:
        head += bytes([mask | 127]) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def text(value):
    return frame(1, (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass"))


def message(event, payload, topic="client", ref=1):
    return text({"topic": topic, "event": event, "payload": payload, "ref": ref})


# ---- requests ----

def requests(portal):
    """What comes before any token is known."""
    key = key_of("x").replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    chance = random.Random(3)
    rows = [
        ("zeros", bytes(1000), b"HTTP/1.1 400 "),
        ("random bytes", chance.randbytes(5000).replace(b"\r", b"x"), b"HTTP/1.1 4"),
        ("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"HTTP/1.1 400 "),
        ("an endless request line", b"GET /" + b"a" * 40_000, b"HTTP/1.1 4"),
        ("endless headers", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000, b"HTTP/1.1 431 "),
        ("one huge header", request(**{"Cookie": "c" * 30_000}), b"HTTP/1.1 431 "),
        ("a body that never comes", b"POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 4"),
        ("chunks", b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", b"HTTP/1.1 4"),
        ("no key", request(**{"Sec-WebSocket-Key": None}), b"HTTP/1.1 400 "),
        ("version 8", request(**{"Sec-WebSocket-Version": "8"}), b"HTTP/1.1 400 "),
        ("frames before the answer", request() + text("{}"), b"HTTP/1.1 400 "),
        ("a path that there is not", request(path="/admin/websocket"), b"HTTP/1.1 404 "),
        ("a path that climbs", request(path="/client/../../etc/passwd"), b"HTTP/1.1 404 "),
        ("no token", request("external_id=a"), b"HTTP/1.1 401 "),
        ("a wrong token", request(f"token={SECRET}&external_id=a&public_key={key}"), b"HTTP/1.1 401 "),
        ("no device", request(), b"HTTP/1.1 422 "),
        ("a broken escape", request(f"token={SECRET}%zz"), b"HTTP/1.1 401 "),
        ("a zero byte", request(f"token=%00{SECRET}"), b"HTTP/1.1 401 "),
        ("a public key that is none", request(f"token={SECRET}&external_id=a&public_key=AAAA"), b"HTTP/1.1 422 "),
        ("a long name", request(f"token={SECRET}&external_id=a&public_key={key}&name={'n' * 300}"), b"HTTP/1.1 422 "),
        ("a long id", request(f"token={SECRET}&external_id={'a' * 5000}&public_key={key}"), b"HTTP/1.1 422 "),
        ("a query beyond any", request(f"token={SECRET}&name={'n' * 9000}"), b"HTTP/1.1 422 "),
        ("ten thousand parameters", request("&".join(["a=b"] * 2500)), b"HTTP/1.1 4"),
        ("another program", request(**{"user-agent": "curl/8"}), b"HTTP/1.1 422 "),
        ("no program", request(**{"user-agent": None}), b"HTTP/1.1 422 "),
        ("control characters", request(**{"user-agent": "gateway/1\x01.4"}), b"HTTP/1.1 4"),
        ("a relay without address", request(f"token={SECRET}&port=1", "/relay/websocket", **{"user-agent": AGENTS["relay"]}),
         b"HTTP/1.1 422 "),
        ("a relay on port 70000", request(f"token={SECRET}&ipv4=192.0.2.1&port=70000", "/relay/websocket",
                                          **{"user-agent": AGENTS["relay"]}), b"HTTP/1.1 422 "),
    ]
    for sentence, data, expected in rows:
        connection = dial(portal)
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered already
        answer = read_all(connection)
        # Bytes that were on their way when it closed may cost the answer.
        lab.require(answer.startswith(expected) or (not answer and len(data) > 16384), f"{sentence}: {answer[:80]}")
    lab.check(True, f"{len(rows)} requests that are none were refused")

    lab.require(portal.counter("websocket.bad_request") >= 8 and portal.counter("login.drop.bad_request") >= 8
                and portal.counter("login.drop.bad_token") >= 4, f"the counters name them: {portal.status()['counters']}")


class Dripping:
    """Sends a byte each second on every connection, from its making until the portal ends them."""

    def __init__(self, connections):
        self.open, self.ended = set(connections), []
        self.begin, self.strain = time.monotonic(), Strain()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while self.open:
            time.sleep(1)
            for connection in list(self.open):
                try:
                    connection.sendall(b"f")
                except OSError:
                    self.open.discard(connection)
                    self.ended.append(time.monotonic() - self.begin)


def crowd(portal):
    """Connections that send a byte now and then, as many as one source may have, and one more."""
    slow = [dial(portal, "127.0.0.9") for _ in range(SOURCE_CONNECTIONS)]
    for connection in slow:
        connection.sendall(b"GET /client/websocket?token=")
    lab.check(not read_all(dial(portal, "127.0.0.9")), f"one source has {SOURCE_CONNECTIONS} connections at most")
    lab.check(portal.counter("websocket.refused.source") == 1, "it is counted")
    connection = dial(portal, "127.0.0.10")
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    lab.check(read_all(connection).startswith(b"HTTP/1.1 200 "), "others are served")
    return slow, Dripping(slow[:50])


def crowd_ends(portal, slow, dripping):
    """Slow requests are over after their time, however often a byte comes."""
    for connection in slow[50:]:
        read_all(connection)
    lab.wait_until(lambda: not dripping.open, PATIENCE, "those that send a byte each second are closed as well")
    lab.check(portal.counter("websocket.closed.timed_out") >= SOURCE_CONNECTIONS, "requests that do not end are dropped")
    last = max(dripping.ended)
    lab.check(dripping.strain.allows(REQUEST_SECONDS + DRIP_SECONDS, last),
              f"with a byte each second after {last:.0f} s ({REQUEST_SECONDS} s and {DRIP_SECONDS} of ours, {dripping.strain})")


# ---- who has a token ----

def login(portal, name, token):
    connection = dial(portal)
    connection.sendall(request(query_of("client", name, token)))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        lab.require(byte, f"the login is answered: {answer}")
        answer += byte
    lab.require(answer.startswith(b"HTTP/1.1 101 "), f"logged in: {answer[:60]}")
    return connection


def frames(portal, token):
    """Against RFC 6455: each ends its own connection."""
    rows = [("not masked", frame(1, b"{}", masked=False)), ("an unknown kind", frame(3, b"{}")),
            ("a reserved bit", frame(1, b"{}", reserved=4)), ("a ping in two parts", frame(9, b"x", final=False)),
            ("a ping of 200 bytes", frame(9, bytes(200))), ("a part without a beginning", frame(0, b"{}")),
            ("a beginning within another", frame(1, b"{", final=False) + frame(1, b"}")),
            ("more than any message", frame(1, b"", length=300_000)), ("2^62 bytes", frame(1, b"", length=1 << 62)),
            ("2^63 bytes", frame(1, b"", length=1 << 63)), ("a close of one byte", frame(8, b"x")),
            ("parts without an end", frame(1, b"x" * 60_000, final=False) + frame(0, b"x" * 60_000, final=False) * 10),
            ("text that is none", frame(1, b"\xff\xfe\xfd")), ("zeros", bytes(64)), ("ones", b"\xff" * 64)]
    before = portal.counter("websocket.closed.protocol")
    for sentence, data in rows:
        connection = login(portal, "frames", token)
        try:
            connection.sendall(data)
            read_all(connection)
        except ConnectionError:
            pass
        connection.close()
    lab.check(portal.counter("websocket.closed.protocol") - before >= len(rows) - 2,
              f"{len(rows)} kinds of broken frames ended their own connections")


def messages(portal, token):
    """Well-formed frames with anything in them: the connection stays."""
    many = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(4000)]
    deep = "[" * 5000 + "]" * 5000
    before_join = [message("create_flow", {"resource_id": many[0], "connected_gateway_ids": []}),
                   message("phx_leave", {}), message("heartbeat", {})]
    rows = ["", "{", "}", "null", "[]", "1", '"text"', "{}", '{"topic":"client"}', '{"topic":}', '{"topic":1,"event":2}',
            '{"topic":"client","event":"phx_join","payload":null}', '{"topic":"client","event":"phx_join","ref":"0"}',
            '{"topic":"client","event":"create_flow","payload":{},"ref":-1}',
            '{"topic":"client","event":"create_flow","payload":{},"ref":1e400}',
            '{"topic":"client","event":"create_flow","payload":{},"ref":99999999999999999999}',
            '{"topic":"\\u0000","event":"\\ud800","payload":{},"ref":1}', deep,
            '{"topic":"client","event":"x","payload":' + deep + ',"ref":1}', "x" * 200_000]
    payloads = [None, 1, "x", [], {}, {"resource_id": 1}, {"resource_id": "x", "connected_gateway_ids": []},
                {"resource_id": many[0]}, {"resource_id": many[0], "connected_gateway_ids": [1]},
                {"resource_id": many[0], "connected_gateway_ids": many}, {"resource_id": many[0], "connected_gateway_ids": {}}]
    broadcasts = [None, {}, {"gateway_ids": many[:200], "candidates": ["x"] * 2000}, {"gateway_ids": [many[0]], "candidates": {}},
                  {"gateway_ids": "x", "candidates": []}, {"gateway_ids": [many[0]], "candidates": [None, 1, [], {}]}]
    data = [text(row) for row in rows]
    data += [message("create_flow", payload) for payload in payloads]
    data += [message(event, payload) for payload in broadcasts
             for event in ("broadcast_ice_candidates", "broadcast_invalidated_ice_candidates")]
    data += [message(event, {}, topic) for topic in ("client", "gateway", "relay", "phoenix", "", "client" * 1000)
             for event in ("flow_authorized", "init", "phx_close", "phx_reply", "unknown", "", "e" * 5000)]
    data += [frame(2, b"\xff\xfe\x00"), frame(2, b"{}"), frame(9, b"ping"), frame(10, b"pong")]

    connection = login(portal, "messages", token)
    for one in before_join:
        connection.sendall(one)
    connection.sendall(message("phx_join", None, ref=77))
    for one in data:
        connection.sendall(one)
    connection.sendall(message("heartbeat", {}, "phoenix", 4711))
    answered = b""
    while b'"ref":4711' not in answered:
        chunk = connection.recv(65536)
        lab.require(chunk, f"the connection stays: {answered[-200:]}")
        answered += chunk
    counters = portal.status()["counters"]
    lab.require(all(counters[f"frame.drop.{name}"] > 5 for name in ("bad", "topic", "unknown")), f"counted: {counters}")
    lab.check(True, f"{len(data) + len(before_join)} messages of wrong shapes were dropped or answered, the connection stayed")
    connection.close()


def flood(portal, token, good):
    """As much as a connection takes for some seconds, of the dearest kinds, from ten connections."""
    kinds = [message("phx_join", None), message("heartbeat", {}, "phoenix"), text("{}"),
             message("create_flow", {"resource_id": good, "connected_gateway_ids": []})]
    hostile = [login(portal, f"flood-{i}", token) for i in range(10)]
    for connection in hostile:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    begin, sent = time.monotonic(), 0
    while time.monotonic() - begin < 4:
        for i, connection in enumerate(hostile):
            try:
                sent += connection.send(kinds[i % len(kinds)] * 50)
                if i % 2:  # half of them do not read
                    connection.recv(1 << 20)
            except (BlockingIOError, ConnectionError):
                pass
    return hostile, sent


async def served(portal, token):
    """Somebody who behaves gets everything."""
    peer = await Peer(portal, "client", "good", token).login()
    await peer.close()
    return peer.init["resources"][0]["id"]


def scenario(laboratory):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    portal = Portal(laboratory, document(networks(1000)))
    portal.start()
    token = portal.token("client", ACTOR)
    good = asyncio.run(served(portal, token))

    slow, _ = crowd(portal)
    requests(portal)
    # The requests above were failures of this source: it has to wait, or come back to another portal.
    portal.process.signal(15)
    lab.require(portal.process.wait(10) == 0, "it ends with code 0 under attack")
    for connection in slow:
        connection.close()
    portal.check_secret_free(token, SECRET)
    portal.start()

    slow, dripping = crowd(portal)
    frames(portal, token)
    messages(portal, token)
    hostile, sent = flood(portal, token, good)
    began = time.monotonic()
    asyncio.run(served(portal, token))
    print(f"  after {sent >> 10} KiB of flood a login took {time.monotonic() - began:.2f} s")
    for connection in hostile:
        connection.close()
    crowd_ends(portal, slow, dripping)
    portal.check_memory("behind all of that")
    portal.check_secret_free(token, SECRET)
    lab.require(portal.process.stop(10) == 0, "it ends with code 0")


if __name__ == "__main__":
    lab.run(scenario)
    sys.exit(1)
