"""What the relay's scenarios share: the topology, the program, its status.

    namespace client ── 10.81.0.0/24, fd81:81::/64 ── namespace relay ── 10.82.0.0/24, fd82:82::/64 ── namespace peer
                                                      203.0.113.10, 2001:db8:10::10 (its public addresses)
"""
import json
import secrets
import shutil
from pathlib import Path

import lab

PUBLIC = ("203.0.113.10", "2001:db8:10::10")
CLIENT = ("10.81.0.1", "fd81:81::1")
PEER = ("10.82.0.2", "fd82:82::2")
PORT = 3478
CONTROL = "127.0.0.1:9999"
USER, PASSWORD, REALM = "user", "secret", "fireline.test"
START_SECONDS = 10


def program():
    return lab.built("fireline-relay")


def tool(name):
    if not shutil.which(name):
        raise lab.Skip(f"{name} is not installed")
    return name


class Relay:
    """The three namespaces and one fireline-relay in the middle."""

    def __init__(self, laboratory):
        self.lab = laboratory
        self.client, self.relay, self.peer = (laboratory.namespace(label) for label in ("client", "relay", "peer"))
        laboratory.link(self.client, [f"{CLIENT[0]}/24", f"{CLIENT[1]}/64"],
                        self.relay, ["10.81.0.2/24", "fd81:81::2/64"], name="eth0")
        laboratory.link(self.peer, [f"{PEER[0]}/24", f"{PEER[1]}/64"],
                        self.relay, ["10.82.0.1/24", "fd82:82::1/64"], name="eth0", right_name="eth1")
        for address in (f"{PUBLIC[0]}/32", f"{PUBLIC[1]}/128"):
            self.relay.run("ip", "address", "add", address, "dev", "lo")
        for end, via in ((self.client, ("10.81.0.2", "fd81:81::2")), (self.peer, ("10.82.0.1", "fd82:82::1"))):
            end.run("ip", "route", "add", "default", "via", via[0])
            end.run("ip", "-6", "route", "add", "default", "via", via[1])
        self.process = None

    def start(self, *arguments, allow=True):
        users = Path(self.lab.folder) / "users"
        users.write_text(f"{USER}:{PASSWORD}\n")
        command = ["--auth", "static", "--users", users, "--realm", REALM]
        if allow:
            command += ["--allow-peer", "10.0.0.0/8", "--allow-peer", "fd00::/8"]
        return self.start_with(*command, *arguments)

    def start_firezone(self, secret, *arguments):
        """Credentials follow from the stamp secret in that file."""
        return self.start_with("--secret-file", secret, *arguments)

    def start_with(self, *arguments):
        command = [program(), "--public-ip4-addr", PUBLIC[0], "--public-ip6-addr", PUBLIC[1],
                   "--bind-ip4-addr", PUBLIC[0], "--bind-ip6-addr", PUBLIC[1], "--health-check-addr", "0.0.0.0:8080"]
        self.process = self.relay.start(*command, *arguments, name="fireline-relay")
        lab.wait_until(lambda: self.answers() or not self.process.alive(), START_SECONDS, "the relay listens")
        lab.require(self.process.alive(), "the relay started")
        return self.process

    def answers(self):
        return self.relay.run("curl", "-sS", f"http://{CONTROL}/status", must=False).returncode == 0

    def ask(self, path, *curl, code=200):
        """The body of a request to the control endpoint."""
        result = self.relay.run("curl", "-sS", "-o", "-", "-w", "\n%{http_code}", *curl, f"http://{CONTROL}{path}")
        body, _, answered = result.stdout.rpartition("\n")
        lab.require(int(answered) == code, f"{path} is answered {answered}, {code} is right")
        return body

    def status(self):
        return json.loads(self.ask("/status"))

    def counters(self):
        return self.status()["counters"]

    def gauge(self, name):
        return self.status()["gauges"][name]


def write_secret(path):
    """A secret of its own for --auth firezone; what node credentials are computed from (connectivity spec 3.6)."""
    path.touch(0o600)
    path.write_text(secrets.token_hex(32) + "\n")


def start_stamped(namespace, public, secret, *arguments):
    """fireline-relay with --auth firezone; returns when it listens."""
    process = namespace.start(program(), "--public-ip4-addr", public[0], "--public-ip6-addr", public[1], "--auth",
                              "firezone", "--secret-file", secret, *arguments)
    lab.wait_until(lambda: "listens on port" in process.text() or not process.alive(), START_SECONDS,
                   f"the relay of {namespace.label} listens")
    lab.require(process.alive(), f"the relay of {namespace.label} started:\n{process.text()}")
    return process


def lost(counters):
    """Every drop with a number, kernel's included."""
    return {name: value for name, value in counters.items() if "drop" in name and value}
