"""Two fireline-lab-node processes and two fireline-relays in the internet of internet.py; what they say and how long a
gap in their traffic was.

The ends know each other by a rendezvous file; each has one address per family in the tunnel.
"""
import base64
import hashlib
import json
import os
import re
import secrets
import signal
import socket
import time

import internet
import lab
import relay_lab

TUN = "tun0"
ROLES = ("client", "gateway")
TUNNEL = {"client": ("100.64.0.1", "fd00:64::1"), "gateway": ("100.64.0.2", "fd00:64::2")}
RELAYS = ("relay-1", "relay-2")
START_SECONDS, CONNECT_SECONDS = 10, 15
DAY_SECONDS = 86400
PING_SECONDS = 0.02
# How much longer than allowed things may take: a program under a sanitizer is that slow.
PATIENCE = float(os.environ.get("FIRELINE_PATIENCE", 1))
KINDS = ("host", "reflexive", "relayed")  # of paths, from good to bad


def relay_user(secret, public_key_text):
    """A node's credentials at a relay (connectivity spec 3.6)."""
    expiry = int(time.time()) + DAY_SECONDS
    salt = _unpadded(hashlib.sha256(public_key_text.encode()).digest())
    return {"username": f"{expiry}:{salt}",
            "password": _unpadded(hashlib.sha256(f"{expiry}:{secret}:{salt}".encode()).digest())}


def _unpadded(raw):
    return base64.b64encode(raw).decode().rstrip("=")


class Ends:
    """The world, its relays, and one node on client and gateway."""

    def __init__(self, laboratory, kinds, families=None, relays=RELAYS, wires=None):
        self.lab = laboratory
        self.world = internet.Internet(laboratory, kinds, families, sites=(*relays, *ROLES), wires=wires)
        self.client, self.gateway = (self.world[role] for role in ROLES)
        self.relays, self.nodes = {}, {}
        self.secret = laboratory.folder / "relay-secret"
        relay_lab.write_secret(self.secret)
        for relay in relays:
            self.start_relay(relay)
        self.rendezvous = laboratory.folder / "rendezvous"
        self.rendezvous.touch(0o600)
        self.rendezvous.write_text(json.dumps(self._document(relays)))

    def start_relay(self, relay):
        self.relays[relay] = relay_lab.start_stamped(self.world[relay], internet.SITES[relay].public, self.secret)

    def start(self, *client_options):
        """Both nodes, the gateway first; the client connects at once unless told otherwise."""
        for role in reversed(ROLES):
            self.start_node(role, *(client_options if role == "client" else ()))

    def start_node(self, role, *options):
        host, other = self.world[role], TUNNEL[ROLES[1 - ROLES.index(role)]]
        node = host.start(lab.built("fireline-lab-node"), "--role", role, "--rendezvous", self.rendezvous, "--state", self._state(role),
                          "--tun", TUN, "--log-level", os.environ.get("FIRELINE_NODE_LOG", "info"), *options,
                          name=f"{role}-node")
        self.nodes[role] = node
        lab.wait_until(lambda: "serves" in node.text() or not node.alive(), START_SECONDS, f"the {role} starts")
        lab.require(node.alive(), f"the {role} started:\n{node.text()}")
        host.run("ip", "-batch", "-", text="\n".join([
            f"link set {TUN} up", *(f"address add {one} dev {TUN}" for one in TUNNEL[role]),
            *(f"route add {one} dev {TUN}" for one in other)]))

    def stop(self):
        for role, node in self.nodes.items():
            lab.require(node.stop() == 0, f"the {role} ends with code 0")
        self.nodes = {}

    def ask(self, role, line="status"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._state(role) / f"{TUN}.sock"))
            connection.sendall(line.encode() + b"\n")
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer.decode()

    def status(self, role):
        return json.loads(self.ask(role))

    def path(self, role="client"):
        """The path in use, or None."""
        connections = self.status(role)["connections"]
        return connections[0]["path"] if connections else None

    def allocated(self, role, count):
        """Whether that many relays gave the end an allocation."""
        return sum(relay["state"] == "allocated" for relay in self.status(role)["relays"]) >= count

    def wait_connected(self, family=4, seconds=CONNECT_SECONDS):
        lab.wait_until(lambda: self.reaches(family), seconds, f"the client reaches the gateway in the tunnel")

    def reaches(self, family=4):
        return self.client.reaches(TUNNEL["gateway"][internet.FAMILIES.index(family)])

    def check_both_families(self):
        for family in internet.FAMILIES:
            self.client.check_reaches(TUNNEL["gateway"][internet.FAMILIES.index(family)], f"IPv{family} passes the tunnel")

    def kind(self):
        """The worse of what both ends see, for an end behind a NAT takes its own address for a host's; or None."""
        paths = [self.path(role) for role in ROLES]
        return max((path["kind"] for path in paths), key=KINDS.index) if all(paths) else None

    def wait_kind(self, kind, seconds=CONNECT_SECONDS):
        lab.wait_until(lambda: self.kind() == kind, seconds, f"the path is {kind}")

    def describe(self):
        return ", ".join(f"{role}: {describe(self.path(role))}" for role in ROLES)

    def reset_client(self):
        self.nodes["client"].signal(signal.SIGHUP)

    def _state(self, role):
        return self.lab.folder / role

    def _document(self, relays):
        secret = self.secret.read_text().strip()
        users = {role: relay_user(secret, role) for role in ROLES}
        document = {role: {"id": f"the-{role}", "private_key": secrets.token_hex(32), "addresses": TUNNEL[role],
                           "ice": {"username": f"{role[:2]}uf", "password": secrets.token_hex(11)}} for role in ROLES}
        document["preshared_key"] = secrets.token_hex(32)
        document["relays"] = [
            {"id": relay, **users, "addresses": [f"{internet.SITES[relay].public[0]}:3478",
                                                 f"[{internet.SITES[relay].public[1]}]:3478"]} for relay in relays]
        return document


def describe(path):
    if not path:
        return "no path"
    through = f" through {path['relay']}" if path["relay"] else ""
    return f"{path['kind']}{through} {path['source']} to {path['destination']}"


class Pings:
    """Pings through the tunnel, fifty a second; the longest time without an answer."""

    def __init__(self, ends, family=4):
        address = TUNNEL["gateway"][internet.FAMILIES.index(family)]
        self.process = ends.client.start("ping", "-D", "-n", "-O", "-i", PING_SECONDS, address, name="ping")
        lab.wait_until(self.answers, 10, "pings are answered")

    def answers(self):
        """(time, number) of each answer."""
        return [(float(stamp), int(number)) for stamp, number in
                re.findall(r"^\[([0-9.]+)\] .*bytes from.*icmp_seq=(\d+)", self.process.text(), re.MULTILINE)]

    def milliseconds(self):
        return [float(trip) for trip in re.findall(r"bytes from.* time=([0-9.]+) ms", self.process.text())]

    def gap_after(self, moment, seconds):
        """The longest gap that ended after `moment`, and when it began, in seconds from then; Failure when traffic is
        not back in `seconds`."""
        lab.wait_until(lambda: self._answered_steadily(moment), seconds, "traffic goes on")
        times = [stamp for stamp, _ in self.answers()]
        return max((after - before, before - moment) for before, after in zip(times, times[1:]) if after > moment)

    def _answered_steadily(self, moment):
        """Answers in each of the last two seconds' fifths, and the moment lies behind them."""
        now = time.time()
        if now < moment + 2.5:
            return False
        recent = [stamp for stamp, _ in self.answers() if stamp > now - 2]
        return len({int((now - stamp) / 0.4) for stamp in recent}) >= 5

    def stop(self):
        """(sent, answered) up to the last one that was answered: what came after it may be under way."""
        self.process.signal(signal.SIGINT)
        self.process.wait(5)
        numbers = {number for _, number in self.answers()}
        return max(numbers), len(numbers)
