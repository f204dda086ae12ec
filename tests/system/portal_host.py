"""fireline-portal with its files in the lab's folder, on the loopback interface of a namespace of its own.

The scenario itself moves into that namespace, so that its connections need no helper processes.
"""
import json
import os
import re
import subprocess

import lab

ACTOR, SITE = "alice", "office"
START_SECONDS = 30
# Sanitizers need several times the memory and the time.
SANITIZED = "FIRELINE_PATIENCE" in os.environ
RESIDENT_KIB_MAX = 64 * 1024  # issue 5, acceptance 7


def document(resources, **more):
    """A policy file's content: one site, one actor, everybody may reach all resources."""
    return {"account": {"name": "Laboratory", "slug": "laboratory"}, "sites": [{"name": SITE}],
            "resources": resources, "actors": [{"name": ACTOR, "type": "service_account"}],
            "policies": [{"name": "all", "groups": ["everyone"], "resources": [one["name"] for one in resources]}],
            **more}


def networks(count):
    """That many resources."""
    return [{"name": f"net {i}", "type": "cidr", "address": f"10.{i // 250}.{i % 250}.0/24", "sites": [SITE],
             "filters": ["tcp/443", "icmp"], "description": f"https://host{i}.example"} for i in range(count)]


def enter(laboratory, namespace):
    """From here to the lab's end sockets of this process are in that namespace."""
    def move(path):
        descriptor = os.open(path, os.O_RDONLY)
        moved = lab._libc.setns(descriptor, 0)
        os.close(descriptor)
        lab.require(moved == 0, f"cannot enter {path}")

    own = f"/proc/self/fd/{os.open('/proc/self/ns/net', os.O_RDONLY)}"
    move(f"/run/netns/{namespace.name}")
    laboratory.at_end.append(lambda: move(own))  # the lab ends whoever is in its namespaces


class Portal:
    def __init__(self, laboratory, content, label="portal"):
        self.lab = laboratory
        self.namespace = laboratory.namespace(label)
        self.folder = laboratory.folder / label
        self.folder.mkdir()
        self.policy, self.state = self.folder / "policy.json", self.folder / "state.sqlite"
        self.socket = self.folder / "status.sock"
        self.process, self.port, self.tls = None, 0, False
        self.write_policy(content)
        enter(laboratory, self.namespace)

    def write_policy(self, content):
        """In one step, as an editor does; a running portal notices it."""
        partial = self.policy.with_suffix(".new")
        partial.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        partial.rename(self.policy)

    def arguments(self, *more, **instead):
        options = {"policy": self.policy, "state": self.state, "status-socket": self.socket, **instead}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [lab.built("fireline-portal"), *map(str, words), *map(str, more)]

    def start(self, *flags, listen="127.0.0.1", environment=None):
        """Starts it and waits until it listens; after the first time on the same port. Without `listen`: where it chooses."""
        self.tls = "--tls-cert" in flags
        where = ("--listen", f"{listen}:{self.port}") if listen else ()
        arguments = self.arguments(*where, *flags)
        self.process = lab.Process(self.lab, arguments, "portal", environment)
        found = lab.wait_until(lambda: re.search(r"listens on \S+:(\d+)", self.process.text())
                               or not self.process.alive(), START_SECONDS, "the portal listens")
        lab.require(self.process.alive(), f"the portal runs:\n{self.process.text()}")
        self.port = int(found[1])
        lab.wait_until(lambda: self.status() is not None, START_SECONDS, "the portal answers")
        return self.process

    def run(self, *arguments, must=True):
        """A subcommand's result."""
        return self.lab.run(*self.arguments(*arguments), must=must)

    def token(self, kind, owner=None):
        return self.run("token", "create", kind, *([owner] if owner else [])).stdout.strip()

    def revoke(self, which):
        """The token of that kind."""
        for line in self.run("token", "list").stdout.splitlines():
            if which in line:
                self.run("token", "revoke", re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", line)[0])

    def url(self, path, query):
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}{path}?{query}"

    def status(self):
        """None while it does not answer."""
        result = self.run("status", "--json", must=False)
        try:
            return json.loads(result.stdout) if result.returncode == 0 else None
        except ValueError:
            return None

    def counter(self, name):
        return self.status()["counters"][name]

    def memory(self, field="VmHWM"):
        """KiB: resident at its highest (VmHWM) or now (VmRSS)."""
        text = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(rf"{field}:\s+(\d+) kB", text)[1])

    def cpu(self):
        """Seconds of both cores that it has used."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_memory(self, when):
        peak, now = self.memory(), self.memory("VmRSS")
        print(f"  resident {when}: {now} KiB, at most {peak} KiB", flush=True)
        if not SANITIZED:
            lab.check(peak <= RESIDENT_KIB_MAX, f"at most {RESIDENT_KIB_MAX} KiB {when}")

    def check_secret_free(self, *secrets):
        """No token, key or query in any log of any process of the lab, the portal's earlier ones included."""
        for process in self.lab.processes:
            text = process.text()
            for secret in secrets:
                lab.require(secret not in text, f"no token in the log of {process.name}")
            found = re.search(r"[?&](token|public_key|external_id)=|\bfl[cgr]_[\w-]{20}", text)
            lab.require(not found, f"no query in the log of {process.name}: {found and found[0]}")
        lab.check(True, "no token and no query in any log")

    def check_quiet(self, *allowed):
        """No warning in its log but those."""
        lines = [line for line in self.process.text().splitlines() if re.search(r" (WARN|ERROR) ", line)
                 and not any(re.search(one, line) for one in allowed)]
        lab.check(not lines, "\n".join(["no other warning in its log", *lines]))


def openssl_certificate(folder, name="127.0.0.1"):
    """A self-signed certificate and its key, in files."""
    certificate, key = folder / "portal.pem", folder / "portal.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "30", "-subj", "/CN=portal.lab", "-addext", f"subjectAltName=IP:{name},DNS:portal.lab",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
