"""Clients and gateways of a portal as far as it sees them: python3-websockets on an event loop, an implementation that is
not ours. A peer logs in, joins, keeps what it was told, and answers what a gateway must."""
import asyncio
import base64
import hashlib
import json
import time
from urllib.parse import quote

import websockets

AGENTS = {"client": "Debian/12.0.0 headless-client/1.5.5 (x86_64; 6.1.0)",
          "gateway": "Debian/12.0.0 gateway/1.4.19 (x86_64; 6.1.0)",
          "relay": "Debian/12.0.0 relay/0.1.0 (x86_64; 6.1.0)"}
PATIENCE_SECONDS = 300  # judges nothing: 200,000 messages take this program a minute where ten others run


def key_of(name):
    """A public key; nobody has its private one."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def query_of(role, name, token, **more):
    fields = {"token": token, "name": name, **more}
    if role != "relay":
        fields = {"token": token, "external_id": name, "name": name, **more, "public_key": key_of(name)}
    return "&".join(f"{key}={quote(str(value), safe='')}" for key, value in fields.items())


class Peer:
    def __init__(self, portal, role, name, token, source="127.0.0.1", **query):
        self.role, self.name, self.source = role, name, source
        self.url = portal.url(f"/{role}/websocket", query_of(role, name, token, **query))
        self.socket = self.reader = None
        self.events = []      # (time, event, payload), what came
        self.init = None
        self.flows = {}       # resource id -> flow_created
        self.grants = {}      # (client id, resource id) -> authorize_flow
        self.news = asyncio.Condition()
        self.end = None       # close code, once it is over
        self.refs = 0

    async def connect(self, ssl=None):
        """The upgrade; raises websockets.InvalidStatusCode when it is refused."""
        self.socket = await websockets.connect(self.url, compression=None, ping_interval=None, max_size=None,
                                               user_agent_header=AGENTS[self.role], open_timeout=PATIENCE_SECONDS, ssl=ssl, local_addr=(self.source, 0))
        self.end = None
        self.reader = asyncio.create_task(self._read())

    async def join(self, payload=None):
        """Until `init` is here."""
        self.init = None
        await self.send("phx_join", payload)
        await self.wait(lambda: self.init is not None, "init")

    async def login(self, payload=None, ssl=None):
        await self.connect(ssl)
        await self.join(payload)
        return self

    async def send(self, event, payload):
        await self.socket.send(json.dumps({"topic": self.role, "event": event, "payload": payload, "ref": self.refs}))
        self.refs += 1

    async def ask(self, resource):
        await self.send("create_flow", {"resource_id": resource, "connected_gateway_ids": []})

    async def flow(self, resource):
        """The flow to that resource."""
        await self.ask(resource)
        await self.wait(lambda: resource in self.flows, "flow_created")
        return self.flows[resource]

    async def wait(self, predicate, what, seconds=PATIENCE_SECONDS):
        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(lambda: predicate() or self.end), seconds)
            except asyncio.TimeoutError:
                raise AssertionError(f"{self.name}: no {what} within {seconds} s") from None
        if not predicate():
            raise ConnectionError(f"{self.name}: no {what}: the connection ended with {self.end}")

    async def ended(self, seconds=PATIENCE_SECONDS):
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(lambda: self.end is not None), seconds)
        return self.end

    async def close(self):
        await self.socket.close()

    def count(self, *events):
        return sum(1 for _, event, _ in self.events if event in events)

    async def _read(self):
        try:
            async for text in self.socket:
                frame = json.loads(text)
                self.events.append((time.monotonic(), frame["event"], frame["payload"]))
                await self._take(frame["event"], frame["payload"])
                async with self.news:
                    self.news.notify_all()
        except websockets.ConnectionClosed:
            pass
        async with self.news:
            self.end = self.socket.close_code or 1006
            self.news.notify_all()

    async def _take(self, event, payload):
        if event == "init":
            self.init = payload
        elif event == "flow_created":
            self.flows[payload["resource_id"]] = payload
        elif event == "authorize_flow":
            self.grants[payload["client"]["id"], payload["resource"]["id"]] = payload
            await self.send("flow_authorized", {"ref": payload["ref"]})


async def login_all(peers):
    return await asyncio.gather(*(peer.login() for peer in peers))
