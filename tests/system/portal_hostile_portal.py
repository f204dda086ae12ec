#!/usr/bin/env python3
"""What a portal may do to client, gateway and relay: garbage instead of HTTP, half answers, frames against RFC 6455,
messages of wrong shapes, floods, silence. None of them ends, each counts what it dropped, and each comes back at the pace
of the rules (portal specification 1.7): never at once, unless its last connection was good.

    scripted portal ── a link each ── fireline-client, fireline-gateway, fireline-relay
"""
import asyncio
import base64
import hashlib
import json
import re
import struct
import sys
import time

import lab
import portal_host

ROLES = ("client", "gateway", "relay")
PORT = 8081
TOKEN = "t0ken-of-a-hostile-portal"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# The shortest wait after a connection that was not joined for a second: half of the first interval. Only the first failure
# and those after a longer connection may be tried again at once: there are four rows of that kind,
# and a busy machine makes others last so long.
PACE_MILLISECONDS, AT_ONCE_MAX = 250, 10
PATIENCE = 240
SITE = {"id": "5f0c0a46-8c88-4c39-8b0a-8f7a6d2f9b10", "name": "lab"}
ID = "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"
INTERFACE = {"ipv4": "100.70.3.4", "ipv6": "fd00:2021:1111::6:304"}
INIT = {"client": {"interface": INTERFACE}, "relay": {},
        "gateway": {"interface": INTERFACE, "config": {"ipv4_masquerade_enabled": True, "ipv6_masquerade_enabled": True}}}


def frame(opcode, payload=b"", final=True, reserved=0, length=None, mask=b""):
    size = len(payload) if length is None else length
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + mask + payload


def text(value):
    return frame(1, value.encode() if isinstance(value, str) else json.dumps(value).encode())


class Connection:
    """One connection of a program: its request has been read, everything else is the script's."""

    def __init__(self, reader, writer, role, key):
        self.reader, self.writer, self.role, self.key = reader, writer, role, key
    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def accept(self, key=None, more=""):
        accept = base64.b64encode(hashlib.sha1(((key or self.key) + GUID).encode()).digest()).decode()
        await self.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Accept: {accept}\r\n{more}\r\n".encode())

    async def read_frame(self):
        """Opcode and text of what the program sent."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", await self.reader.readexactly(2))[0]
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))

    async def push(self, event, payload):
        await self.write(text({"topic": self.role, "event": event, "payload": payload, "ref": None}))

    async def reply(self, request, response=None, status="ok"):
        await self.write(text({"topic": request["topic"], "event": "phx_reply", "ref": request["ref"],
                               "payload": {"status": status, "response": response or {}}}))

    async def next_request(self):
        while True:
            opcode, data = await self.read_frame()
            if opcode == 1:
                return json.loads(data)

    async def join(self):
        """As a good portal does."""
        await self.accept()
        request = await self.next_request()
        await self.reply(request)
        await self.push("init", INIT[self.role])

    async def pong(self, payload):
        """Until the program has read everything up to a ping."""
        await self.write(frame(9, payload))
        while True:
            opcode, data = await self.read_frame()
            if opcode == 10 and data == payload:
                return

    async def serve(self):
        await self.join()
        while True:
            await self.reply(await self.next_request())


# ---- what happens before the join is answered; each ends one connection ----

async def status(connection, line, more="", body=""):
    await connection.write(f"HTTP/1.1 {line}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode())


async def open_and_say(connection, data):
    await connection.accept()
    await connection.next_request()
    await connection.write(data)


def before_join():
    async def endless(connection):
        await connection.write(b"HTTP/1.1 101 Switching Protocols\r\n")
        for _ in range(1000):
            await connection.write(b"x-more: " + b"m" * 1000 + b"\r\n")

    async def wrong_key(connection):
        await connection.accept(key="another")

    async def subprotocol(connection):
        await connection.accept(more="Sec-WebSocket-Protocol: phoenix\r\n")

    async def accept_and_leave(connection):
        await connection.accept()

    def say(data):
        return lambda connection: connection.write(data)

    def after(data):
        return lambda connection: open_and_say(connection, data)

    return [("garbage instead of HTTP", say(bytes(range(256)) * 20)), ("the end instead of HTTP", say(b"")),
            ("half an answer", say(b"HTTP/1.1 101 Switching Proto")), ("endless headers", endless),
            ("HTTP 500", lambda c: status(c, "500 Oops", body="x" * 100_000)),
            ("HTTP 429", lambda c: status(c, "429 Too Many Requests")),
            ("HTTP 302", lambda c: status(c, "302 Found", "Location: ws://192.0.2.1/\r\n")),
            ("HTTP 503 with a wait", lambda c: status(c, "503 No", "Retry-After: 1\r\n")),
            ("HTTP 200", lambda c: status(c, "200 OK", body="<html>")),
            ("a wrong accept", wrong_key), ("a subprotocol", subprotocol), ("accepted and left", accept_and_leave),
            ("a frame of 2^63 bytes", after(frame(1, length=1 << 63))), ("a frame of 17 MiB", after(frame(1, length=17 << 20))),
            ("a masked frame", after(frame(1, b"{}", mask=b"abcd"))), ("a reserved bit", after(frame(1, b"{}", reserved=4))),
            ("an unknown kind of frame", after(frame(5, b"{}"))), ("a ping in parts", after(frame(9, b"x", final=False))),
            ("half a frame", after(frame(1, b"{", length=100))), ("zeros", after(bytes(200))),
            ("a close with a strange code", after(frame(8, struct.pack("!H", 4999) + b"{")))]


# ---- what a joined program is told; the connection stays ----

def messages(role):
    """Texts; those of other roles as well."""
    many = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(3000)]
    deep = "[" * 5000 + "]" * 5000
    resource = {"id": ID, "type": "cidr", "name": "n", "address": "172.20.0.0/16", "gateway_groups": [SITE], "filters": []}
    relay = {"type": "turn", "id": ID, "addr": "203.0.113.1:3478", "username": "u", "password": "p", "expires_at": 1}
    rows = ["", "{", "}", "[]", "null", "1", "{}", '{"topic":}', '{"topic":1,"event":1,"payload":1,"ref":"x"}', deep,
            '{"topic":"%s","event":"init","payload":%s,"ref":null}' % (role, deep), '"' + "x" * 1_000_000 + '"', "\x00\x01"]
    payloads = [None, 1, "x", [], {}, [1] * 1000, {"interface": 1}, {"interface": {"ipv4": "x", "ipv6": "y"}},
                {"interface": {"ipv4": "100.70.3.4", "ipv6": "1.2.3.4"}}, {"interface": INTERFACE, "relays": None},
                {"interface": INTERFACE, "resources": None}, {"interface": INTERFACE, "resources": [1, {}, {"type": "new"}]},
                {"interface": INTERFACE, "relays": [{"type": "what"}]},
                {"interface": INTERFACE, "relays": [{**relay, "addr": "203.0.113.1"}]},
                {**resource, "address": "172.20.0.1/16"}, {**resource, "type": "new"}, {**resource, "id": 7},
                {**resource, "address": "172.20.0.0/33"}, {**resource, "gateway_groups": {}}, "not an id", many[0],
                {"disconnected_ids": many, "connected": []}, {"disconnected_ids": [1], "connected": [relay] * 3},
                {"resource_id": ID, "reason": 7}, {"resource_id": ID, "reason": "because", "violated_properties": [{}]},
                {"resource_id": ID, "gateway_id": ID, "gateway_public_key": "short"},
                {"gateway_id": ID, "client_id": ID, "candidates": ["candidate:", "x" * 5000, 1, None] * 500},
                {"gateway_id": ID, "client_id": ID, "candidates": {}},
                {"ref": 1, "resource": resource, "client": {}, "expires_at": "soon"},
                {"ref": "r", "resource": {**resource, "filters": [{"protocol": "x"}]}, "client": {"id": many[0]}},
                {"client_id": ID, "resource_id": ID, "expires_at": -1}, {"client_id": ID}]
    events = ("init", "config_changed", "resource_created_or_updated", "resource_deleted", "relays_presence", "flow_created",
              "flow_creation_failed", "ice_candidates", "invalidate_ice_candidates", "authorize_flow", "reject_access",
              "access_authorization_expiry_updated", "resource_updated", "unknown", "phx_reply", "", "e" * 10_000)
    for event in events:
        rows += [{"topic": role, "event": event, "payload": payload, "ref": None} for payload in payloads
                 if not (event == "init" and role == "relay")]
    rows += [{"topic": role, "event": "phx_reply", "payload": payload, "ref": ref} for ref in (None, "0", 0, 10 ** 18, -1)
             for payload in ({"status": "ok", "response": {}}, {"status": "error", "response": {"reason": "new"}},
                             {"status": "error"}, {"status": 1, "response": 1}, None)]
    rows += [{"topic": role, "event": "disconnect", "payload": {"reason": reason}, "ref": None} for reason in ("new", 1, None)]
    return rows


async def wrong_messages(connection):
    await connection.join()
    rows = messages(connection.role)
    for row in rows:
        await connection.write(text(row))
    await connection.write(frame(2, b"\xff\xfe\xfd") + frame(2, b"{}") + frame(10, b"unasked"))
    await connection.write(frame(1, b'{"topic":"cli', final=False) + frame(9, b"within") + frame(0, b'ent"}'))
    await connection.pong(b"read")
    connection.said = len(rows)


async def flood(connection):
    """As much as it takes."""
    await connection.join()
    small = text({"topic": connection.role, "event": "nope", "payload": {}, "ref": None})
    candidates = text({"topic": connection.role, "event": "ice_candidates", "ref": None, "payload": {
        "gateway_id": ID, "client_id": ID, "candidates": ["candidate:1 1 udp 1 192.0.2.1 1 typ host"] * 50}})
    for _ in range(20):
        await connection.write(small * 1000 + candidates * 100)
        await connection.write(frame(9, b"p") * 100)
    await connection.pong(b"behind the flood")


async def huge(connection):
    """Messages near the limits, in one frame and in parts."""
    await connection.join()
    await connection.write(text({"topic": connection.role, "event": "x", "payload": "y" * (12 << 20), "ref": None}))
    await connection.write(frame(1, b'{"topic":"' + b"t" * (1 << 20), final=False))
    for _ in range(8):
        await connection.write(frame(0, b"t" * (1 << 20), final=False))
    await connection.write(frame(0, b'"}'))
    await connection.pong(b"read")


async def good(connection):
    await connection.join()
    await connection.pong(b"read")


class Script:
    """What the connections of one program meet, one after the other."""

    def __init__(self, role):
        self.role = role
        self.rows = []
        for sentence, action in before_join():
            # A join in between, or the waits would grow to a minute.
            self.rows += [(sentence, action), ("a good connection", good)]
        self.rows += [("wrong messages", wrong_messages), ("a flood", flood), ("huge messages", huge), ("silence", None)]
        self.met, self.faults = [], []
        self.online = asyncio.Event()
        self.refuse = False

    async def meet(self, connection):
        if self.refuse:
            await status(connection, "401 Unauthorized", body="Invalid token")
            return
        sentence, action = self.rows[len(self.met)] if len(self.met) < len(self.rows) else ("good for good", None)
        self.met.append(sentence)
        try:
            if sentence == "good for good":
                self.online.set()
                await connection.serve()
            elif sentence == "silence":
                await connection.accept()
                await connection.reader.read()  # nothing: the join is never answered, so it leaves
            else:
                await asyncio.wait_for(action(connection), PATIENCE)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            # It may leave behind garbage, but not where the connection has to stay.
            if action in (wrong_messages, flood, huge, good):
                self.faults.append(f"{sentence}: it left: {error!r}")
        except asyncio.TimeoutError:
            self.faults.append(f"{sentence}: no answer within {PATIENCE} s")


async def handle(scripts, reader, writer):
    try:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        role = request.split("/")[1]
        key = next(line.split(": ")[1] for line in request.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        await scripts[role].meet(Connection(reader, writer, role, key))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def start(laboratory, network, number, role):
    host = laboratory.namespace(role)
    laboratory.link(network, [f"10.77.{number}.1/24"], host, [f"10.77.{number}.2/24"], f"p-{role}", "eth0")
    environment = {"FIREZONE_TOKEN": TOKEN, "FIREZONE_ID": role, "FIREZONE_API_URL": f"ws://10.77.{number}.1:{PORT}",
                   "HEALTH_CHECK_ADDR": "127.0.0.1:0", "FIREZONE_NAME": role}
    socket = laboratory.folder / f"{role}.sock"
    flags = {"relay": ["--public-ip4-addr", f"10.77.{number}.2", "--auth", "firezone"]}.get(role, ["--status-socket", socket])
    return host.start(lab.built(f"fireline-{role}"), *flags, name=role, environment=environment)


async def play(laboratory, programs):
    scripts = {role: Script(role) for role in programs}
    server = await asyncio.start_server(lambda reader, writer: handle(scripts, reader, writer), "0.0.0.0", PORT, limit=1 << 20)
    async with server:
        for role, script in scripts.items():
            waiting = asyncio.create_task(script.online.wait())
            while not waiting.done():
                await asyncio.wait([waiting], timeout=0.5)
                lab.require(programs[role].alive(), f"the {role} survives {script.met[-1:]}:\n{programs[role].text()}")
                lab.require(not script.faults, f"{role}: {script.faults}")
            lab.check(len(script.met) > len(script.rows), f"the {role} came back from {len(script.rows)} hostile connections")
            waits = [int(wait) for wait in re.findall(r"next attempt in (\d+) ms", programs[role].text())]
            lab.require(len(waits) >= len(script.rows), f"the {role} told each of its waits: {waits}")
            fast = [wait for wait in waits if wait < PACE_MILLISECONDS]
            lab.check(len(fast) <= AT_ONCE_MAX and not any(fast), f"the {role} came back at its pace: {sorted(waits)[:8]} … ms")
        for role in ("client", "gateway"):
            await check_counters(laboratory, role)
        await refuse(scripts, programs)


async def check_counters(laboratory, role):
    deadline = time.monotonic() + PATIENCE
    while True:
        # In a thread: the portal that it talks to is here.
        answer = await asyncio.to_thread(laboratory.run, lab.built(f"fireline-{role}"), "status", "--json",
                                         "--status-socket", laboratory.folder / f"{role}.sock")
        said = json.loads(answer.stdout)
        if said["portal"] == "joined" or time.monotonic() > deadline:
            break
    lab.require(said["portal"] == "joined", f"the {role} is online: {said['portal']}")
    dropped = {name: said["counters"][f"portal.drop.{name}"] for name in ("not_json", "bad_frame", "message", "refused")}
    lab.check(all(dropped.values()), f"the {role} counted what it dropped: {dropped}")


async def refuse(scripts, programs):
    """A refused token is the end, by the rules."""
    for script in scripts.values():
        script.refuse = True
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        if "handle" in repr(task.get_coro()):
            task.cancel()
    for role, program in programs.items():
        deadline = time.monotonic() + PATIENCE
        while program.alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        lab.check(program.wait(1) == 1, f"HTTP 401 ends the {role} with code 1")


def scenario(laboratory):
    network = laboratory.namespace("portal")
    portal_host.enter(laboratory, network)
    programs = {role: start(laboratory, network, number, role) for number, role in enumerate(ROLES)}
    asyncio.run(play(laboratory, programs))
    for role, program in programs.items():
        lab.require(TOKEN not in program.text() and "public_key=" not in program.text(), f"no token in the log of the {role}")
        lab.require(program.text().count("\n") < 1000, f"a flood does not fill the log of the {role}")
    lab.check(True, "no token and no query in any log, and a flood fills none")


if __name__ == "__main__":
    lab.run(scenario)
