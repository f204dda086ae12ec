#!/usr/bin/python3
"""fireline-relay at a fireline-portal: it joins with its stamp secret and is shown as online, relays while the portal is
away, joins again with the same secret, is gone when it is killed, and ends with a sentence when its token is no good.
Topology: relay_lab.py, with the portal in a namespace of its own behind the relay's.

usage: relay_portal.py [--silent]     --silent: the portal's wire is cut instead, which nobody is told
"""
import hashlib
import json
import os
import shutil
import socket
import struct
import sys
import uuid
from pathlib import Path

import lab
from firezone_client import SECRET, FirezoneClient, write_secret
from relay import privileges
from relay_lab import PEER, PUBLIC, START_SECONDS, Relay, program

PORTAL, NAME, PORT = "10.83.0.1", "portal.test", 8081
RELAY = "relay-1"
POLICY = {"account": {"name": "Laboratory", "slug": "laboratory"}}
CHANNEL, PEER_PORT = 0x4000, 52625
SEEN_SECONDS = 20  # a reconnect waits for a second at most after the portal is back
SILENT_SECONDS = 120  # four heartbeats that nobody answers, ten seconds apart


class Portal:
    def __init__(self, laboratory, relay):
        self.lab = laboratory
        self.namespace = laboratory.namespace("portal")
        laboratory.link(self.namespace, [f"{PORTAL}/24"], relay, ["10.83.0.2/24"], name="eth0", right_name="eth2")
        self.policy, self.state, self.socket = (laboratory.folder / name for name in ("policy.json", "state", "status"))
        self.policy.write_text(json.dumps(POLICY))
        # The name is in the relay's hosts file, which `ip netns exec` puts in place.
        hosts = Path("/etc/netns") / relay.name
        laboratory.at_end.append(lambda: shutil.rmtree(hosts))
        hosts.mkdir(parents=True)
        (hosts / "hosts").write_text(f"127.0.0.1 localhost\n{PORTAL} {NAME}\n")
        self.process = None
        self.tokens = []

    def command(self, *arguments):
        return [lab.built("fireline-portal"), "--policy", self.policy, "--state", self.state, "--status-socket", self.socket,
                *arguments]

    def start(self):
        self.process = self.namespace.start(*self.command("--listen", f"{PORTAL}:{PORT}", "--insecure-plaintext"),
                                            name="fireline-portal")
        lab.wait_until(lambda: self.status() or not self.process.alive(), START_SECONDS, "the portal listens")
        lab.require(self.process.alive(), "the portal started")

    def status(self):
        result = self.namespace.run(*self.command("status", "--json"), must=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def relays(self):
        return self.status()["relays"]

    def new_token(self):
        """Text and id."""
        result = self.namespace.run(*self.command("token", "create", "relay"))
        self.tokens.append(result.stdout.strip())
        return result.stdout.strip(), result.stderr.split()[1].rstrip(":")


class World:
    """Relay and portal, and a client with a channel through the relay."""

    def __init__(self, laboratory):
        self.ends = Relay(laboratory)
        self.portal = Portal(laboratory, self.ends.relay)
        self.portal.start()
        self.secret = write_secret(laboratory.folder)
        self.token_file = laboratory.folder / "token"
        self.token_file.touch(mode=0o600)
        self.peer = self.ends.peer.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind((PEER[0], PEER_PORT))

    def start_relay(self, token):
        """As a container does that has its token in a file."""
        self.token_file.write_text(token + "\n")
        return self.ends.start_firezone(self.secret, "--api-url", f"ws://{NAME}:{PORT}", self.token_file, RELAY)

    def health(self, path):
        return self.ends.relay.output("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:8080{path}")

    def wait_ready(self, ready, what, seconds=SEEN_SECONDS):
        code = "200" if ready else "503"
        lab.wait_until(lambda: self.health("/readyz") == code, seconds, f"/readyz is {code}: {what}")
        lab.check(self.health("/healthz") == "200", f"{what}: /readyz is {code}, /healthz 200")

    def connect(self, salt):
        client = FirezoneClient(self.ends.client, 0, salt)
        client.allocate()
        lab.require(client.bind(CHANNEL, PEER[0], PEER_PORT) == 0, "a channel is bound")
        return client

    def relays_for(self, client, sentence):
        payload = os.urandom(40)
        data = struct.pack("!HH", CHANNEL, len(payload)) + payload
        self.peer.settimeout(START_SECONDS)
        client.socket.settimeout(START_SECONDS)
        client.socket.send(data)
        lab.require(self.peer.recv(2048) == payload, "a datagram reaches the peer")
        self.peer.sendto(payload, client.relayed[0])
        lab.require(client.socket.recv(2048) == data, "a datagram reaches the client")
        lab.check(True, f"it relays both ways: {sentence}")


def scenario(laboratory, silent):
    world = World(laboratory)
    token, token_id = world.portal.new_token()
    process = world.start_relay(token)
    world.wait_ready(True, "the relay has joined")
    online = world.portal.relays()
    lab.check(len(online) == 1 and sorted(online[0]["addresses"]) == sorted((f"{PUBLIC[0]}:3478", f"[{PUBLIC[1]}]:3478")),
              f"the portal shows it with both addresses: {online}")
    lab.check(online[0]["name"] == RELAY and online[0]["id"] == relay_id(SECRET),
              "under its name, with the id that follows from its stamp secret")
    privileges(process)
    client = world.connect("first")
    world.relays_for(client, "the portal is there")
    if silent:
        cut(world, client)
    else:
        outage(world, client)
        death(world, process, token)
        refusals(world, token_id)
    for log in laboratory.folder.glob("*.log"):
        text = log.read_text(errors="replace")
        lab.require(not any(each in text for each in (SECRET, *world.portal.tokens)), f"no secret in {log.name}")
    lab.check(True, "no log has a token or the stamp secret")


def relay_id(secret):
    """Portal specification 6.2."""
    return str(uuid.UUID(bytes=hashlib.sha256(secret.encode()).digest()[:16], version=4))


def outage(world, client):
    world.portal.process.kill()
    world.wait_ready(False, "the portal is killed")
    world.relays_for(client, "the portal is away")
    world.relays_for(world.connect("second"), "for a client that comes meanwhile, too")
    status = world.ends.status()
    lab.check(not status["portal"]["joined"] and status["portal"]["last_error"], f"status says so: {status['portal']}")
    lab.check("the portal is away" in world.ends.process.text(), "and so does the log")
    world.portal.start()
    world.wait_ready(True, "the portal is back")
    lab.check(world.portal.relays()[0]["id"] == relay_id(SECRET), "it has joined with the same secret")
    lab.check(world.ends.counters()["portal.joins"] == 2, "by a second join")
    client.refresh()
    world.relays_for(client, "over the allocation from before")


def cut(world, client):
    world.portal.namespace.run("ip", "link", "set", "eth0", "down")
    world.wait_ready(False, "no heartbeat is answered", SILENT_SECONDS)
    world.relays_for(client, "the portal is out of reach")
    world.portal.namespace.run("ip", "link", "set", "eth0", "up")
    world.wait_ready(True, "the wire is mended", SILENT_SECONDS)


def death(world, process, token):
    process.kill()
    lab.wait_until(lambda: not world.portal.relays(), SEEN_SECONDS, "the portal shows the killed relay no more")
    lab.check(True, "a killed relay is gone from the portal")
    world.start_relay(token)
    lab.wait_until(world.portal.relays, SEEN_SECONDS, "the restarted relay is shown")
    lab.check(world.ends.process.stop() == 0, "SIGTERM ends it with code 0")
    lab.wait_until(lambda: not world.portal.relays(), SEEN_SECONDS, "and takes it from the portal")


def refusals(world, token_id):
    process = launch(world, "no-such-token")
    lab.check(process.wait(SEEN_SECONDS) == 1 and "the portal refused the login: 401" in process.text(),
              f"a wrong token ends it with code 1: {last_error(process)}")
    lab.require("no-such-token" not in process.text(), "the wrong token is in no line")
    process = world.start_relay(world.portal.tokens[0])
    world.wait_ready(True, "with a good token again")
    world.portal.namespace.run(*world.portal.command("token", "revoke", token_id))
    lab.check(process.wait(SEEN_SECONDS) == 1, f"a revoked token ends it: {last_error(process)}")


def launch(world, token):
    """Without waiting: it ends by itself."""
    return world.ends.relay.start(program(), "--public-ip4-addr", PUBLIC[0], "--bind-ip4-addr", PUBLIC[0],
                                  environment={"FIREZONE_API_URL": f"ws://{PORTAL}:{PORT}", "FIREZONE_TOKEN": token})


def last_error(process):
    return next(line for line in reversed(process.text().splitlines()) if "portal" in line)


if __name__ == "__main__":
    lab.run(scenario, "--silent" in sys.argv[1:])
