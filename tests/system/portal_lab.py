"""The whole system in the internet of internet.py: fireline-portal with a policy file, two fireline-relays,
fireline-gateway on a host that its setup-network prepared, with the resource networks behind it, and fireline-client.

    client ── NAT ── internet ── NAT ── gateway ── 172.20.0.0/24 (.100, .110)
                     │      │              └────── 172.21.0.0/24 (.100, .101), both also IPv6
              portal ┘      └ relay-1, relay-2

Hosts of programs have a /run and a /var/lib of their own (lab.Namespace.own_files): state, ids, status sockets and what
setup-network keeps are where a service has them. A System is made, started, used, and ended by finish(), which checks
what must hold after every scenario (platform spec 8.3).
"""
import hashlib
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import sys
import time

import internet
import lab

TUN = "tun-firezone"
RELAYS = ("relay-1", "relay-2")
ACTOR, SITE = "alice", "office"
STATUS = {"portal": "fireline-portal/status.sock", "gateway": "fireline-gateway/status.sock",
          "client": "dev.firezone.client/status.sock"}
POLICY = "/var/lib/fireline/policy.json"
NETWORK, NETWORK_6 = "172.21.0.0/24", "172:21::/64"
LAB = {"name": "Lab", "type": "cidr", "address": NETWORK}
LAB_6 = {"name": "Lab IPv6", "type": "cidr", "address": NETWORK_6}
# What the lab itself asks for (of a program under a sanitizer, that it does without its filter), and what this machine may not give.
ALLOWED = ("--insecure-plaintext", "--no-seccomp", "the limit of open files is")
START_SECONDS, CONNECT_SECONDS = 20, 30
# How much longer than allowed things may take: a program under a sanitizer is that slow.
PATIENCE = float(os.environ.get("FIRELINE_PATIENCE", 1))
ASLEEP_SECONDS, ASLEEP_SHARE = 2, 0.1  # of one core; a loop that spins takes all of it
ROLES = ("client", "gateway")
LOG_LEVEL = os.environ.get("FIRELINE_SYSTEM_LOG", "info")
MEMORY_MIB = {"client": 48, "gateway": 64, "portal": 64}  # with a handful of clients
KINDS = ("host", "reflexive", "relayed")  # of paths, from good to bad
ZEROS = 10_000_000
ZEROS_SHA256 = "f5e02aa71e67f41d79023a128ca35bad86cf7b6656967bfe0884b3a3c4325eaf"  # platform spec 8.1
# Prints (type, code) of the ICMP error that answers a datagram, and after how many milliseconds it came.
REFUSAL = """
import socket, struct, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
level, option = (41, 25) if family == socket.AF_INET6 else (0, 11)  # IPV6_RECVERR, IP_RECVERR
with socket.socket(family, socket.SOCK_DGRAM) as own:
    own.setsockopt(level, option, 1)
    own.connect((sys.argv[1], int(sys.argv[2])))
    own.settimeout(float(sys.argv[3]))
    begin = time.monotonic()
    own.send(b"refuse me")
    try:
        own.recv(64)
    except OSError:
        pass
    took = time.monotonic() - begin
    data, ancillary, _, _ = own.recvmsg(64, 256, socket.MSG_ERRQUEUE)
    print(*struct.unpack_from("=IBBB", ancillary[0][2])[2:], round(took * 1000, 1))
"""


def policy(*resources, granted=None, **more):
    """A policy file's content: one site, one actor, who gets these resources, or the granted ones alone."""
    names = [one["name"] for one in resources] if granted is None else list(granted)
    return {"account": {"name": "Laboratory", "slug": "laboratory"}, "sites": [{"name": SITE}],
            "resources": [{"sites": [SITE], **one} for one in resources], "actors": [{"name": ACTOR}],
            "policies": [{"name": "Everybody", "groups": ["everyone"], "resources": names}] if names else [], **more}


class System:
    """Programs by the host that they run on."""

    def __init__(self, laboratory, document, kinds=None, families=None, relays=RELAYS, clients=("client",), wires=None,
                 gateways=("gateway",)):
        """Gateways beyond the first reach 172.21.0.0/24 alone."""
        self.lab, self.relays, self.clients, self.gateways = laboratory, relays, clients, gateways
        self.world = internet.Internet(laboratory, kinds, families, sites=("portal", *relays, *gateways, *clients),
                                       resources=True, wires=wires)
        for gateway in gateways[1:]:
            self.world.add_way(gateway, "dns-resources")
        self.programs, self.tokens, self.before = {}, {}, {}
        for host in ("portal", *relays, *gateways, *clients):
            self.world[host].own_files()
        self.url = f"ws://{internet.SITES['portal'].public[0]}:{internet.PORTAL_PORT}"
        self.portal_options, self.environment = ["--insecure-plaintext"], {}  # of the portal, of all programs
        self.write_policy(document)

    def start(self, clients=None):
        """Everything, or not all of the clients, as far as it goes without a packet: logged in, routes set."""
        self.start_portal()
        for relay in self.relays:
            self.start_relay(relay)
        for gateway in self.gateways:
            self.start_gateway(gateway)
        for client in self.clients if clients is None else clients:
            self.start_client(client)

    # Portal.

    def write_policy(self, document):
        """In one step, as an editor does; a running portal notices it."""
        path = self.world["portal"].files / "lib/fireline/policy.json"
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".new")
        partial.write_text(json.dumps(document, indent=1))
        partial.rename(path)

    def portal_command(self, *arguments, **how):
        return self.world["portal"].run(lab.built("fireline-portal"), "--policy", POLICY, *arguments, **how)

    def token(self, kind, owner=None):
        return self.portal_command("token", "create", kind, *([owner] if owner else [])).stdout.strip()

    def use_tls(self):
        """Before the start: the portal has a certificate of its own, which the others are told to trust."""
        folder, address = self.world["portal"].files / "lib", internet.SITES["portal"].public[0]
        self.lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
                     "-subj", "/CN=portal", "-addext", f"subjectAltName=IP:{address}", "-days", 2,
                     "-keyout", folder / "portal.key", "-out", folder / "portal.cert")
        self.portal_options = ["--tls-cert", "/var/lib/portal.cert", "--tls-key", "/var/lib/portal.key"]
        for host in self.relays + self.gateways + self.clients:
            shutil.copy(folder / "portal.cert", self.world[host].files / "lib")
        self.environment["FIRELINE_CA_FILE"] = "/var/lib/portal.cert"
        self.url = f"wss://{address}:{internet.PORTAL_PORT}"

    def start_portal(self):
        listen = [word for address in ("0.0.0.0", "[::]")
                  for word in ("--listen", f"{address}:{internet.PORTAL_PORT}")]
        self._start("portal", lab.built("fireline-portal"), "--policy", POLICY, *listen, *self.portal_options)
        self._wait("portal", lambda: self.status("portal") is not None, "the portal listens")

    # The others.

    def start_relay(self, relay, *options):
        public = internet.SITES[relay].public
        self._start(relay, lab.built("fireline-relay"), "--public-ip4-addr", public[0], "--public-ip6-addr", public[1],
                    "--auth", "firezone", *options, token=("relay", None), api_url=True)
        self._wait(relay, lambda: any(one["name"] == relay for one in self.status("portal")["relays"]),
                   f"{relay} is known to the portal")

    def start_gateway(self, host="gateway", *options, site=SITE):
        program = lab.built("fireline-gateway")
        if host not in self.before:
            self.before[host] = self._host_state(host)
            self.world[host].run(program, "setup-network")
        self._start(host, program, *options, token=("gateway", site), api_url=True)
        self._wait(host, lambda: self._joined(host), f"the {host} has logged in")

    def start_client(self, host="client", *options, actor=ACTOR, environment=None):
        self._start(host, lab.built("fireline-client"), *options, token=("client", actor), api_url=True,
                    environment=environment)
        self._wait(host, lambda: self._joined(host) and self.status(host)["configured"], f"the {host} has its tunnel")

    def stop(self, host):
        lab.require(self.programs[host].stop(10) == 0, f"the program of {host} ends with code 0")

    def restart(self, host):
        self.stop(host)
        starts = {"portal": self.start_portal, "gateway": self.start_gateway, "client": self.start_client}
        starts[host]() if host in starts else self.start_relay(host)

    def reset_client(self, host="client"):
        """A network reset: new sockets, new key, no connection."""
        self.programs[host].signal(signal.SIGHUP)

    # What they say.

    def status(self, host, line="status"):
        """Of the program on that host, or None while it does not answer."""
        path = self.world[host].files / "run" / STATUS[kind_of(host)]
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(path))
                connection.sendall(line.encode() + b"\n")
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
            return json.loads(answer)
        except (OSError, ValueError):
            return None

    def counter(self, host, name):
        return self.status(host)["counters"][name]

    def paths(self, client="client"):
        """The path as the client sees it, and as its gateway does; None while there is none."""
        own = [one["path"] for one in self.status(client)["gateways"] if "path" in one]
        address = self.status(client)["ipv4"]
        theirs = [one["path"] for one in self.status("gateway")["clients"] if one["ipv4"] == address and "path" in one]
        return (own or [None])[0], (theirs or [None])[0]

    def kind(self, client="client"):
        """The worse of what both ends see, for an end behind a NAT takes its own address for a host's; or None."""
        paths = self.paths(client)
        return max((path["kind"] for path in paths), key=KINDS.index) if all(paths) else None

    def wait_kind(self, kind, client="client"):
        lab.wait_until(lambda: self.kind(client) == kind, CONNECT_SECONDS * PATIENCE, f"the path is {kind}")

    def grants(self, gateway="gateway"):
        """Names of the resources that the gateway lets somebody reach."""
        return sorted(grant["name"] for client in self.status(gateway)["clients"] for grant in client["grants"])

    def resources(self, client="client"):
        return sorted(one["name"] for one in self.status(client)["resources"])

    # Traffic.

    def serve(self):
        """A web server on port 80 of each resource network: /get, and /zeros with ZEROS bytes of them."""
        folder = self.lab.folder / "served"
        folder.mkdir()
        (folder / "get").write_text("served\n")
        with open(folder / "zeros", "wb") as zeros:
            zeros.truncate(ZEROS)
        for network in internet.RESOURCES:
            server = self.world[network].start(sys.executable, "-u", "-m", "http.server", "80", "--bind", "::",
                                               "--directory", folder, name=f"{network}-http")
            lab.wait_until(lambda: "Serving" in server.text(), 10, f"the web server of {network} listens")

    def curl(self, address, path="/get", *options, client="client", must=True, seconds=lab.COMMAND_SECONDS):
        """platform spec 8.2: connects within 10 s, fails on HTTP errors. One that may fail waits as long for its answer: where
        the way changes under it the answer is lost, and who only waits sends nothing that would tell."""
        host = f"[{address}]" if ":" in address else address
        options = options if must else ("--max-time", "10", *options)
        return self.world[client].run("curl", "-sS", "--fail", "--connect-timeout", "10", *options,
                                      f"http://{host}{path}", must=must, seconds=seconds)

    def check_curl(self, *addresses, client="client"):
        for address in addresses:
            begin = time.monotonic()
            self.curl(address, client=client)
            print(f"  ok: the {client} reaches {address} ({1000 * (time.monotonic() - begin):.0f} ms)", flush=True)

    def download(self, address, client="client", seconds=lab.COMMAND_SECONDS):
        """ZEROS bytes and their hash; the seconds that it took."""
        took = float(self.curl(address, "/zeros", "-o", "/var/lib/download", "-w", "%{time_total}", client=client,
                               seconds=seconds).stdout)
        file = self.world[client].files / "lib/download"
        lab.require(hashlib.sha256(file.read_bytes()).hexdigest() == ZEROS_SHA256, "the download has the right hash")
        return took

    def refusal(self, address, port, client="client", seconds=5):
        """Type and code of the ICMP error that answers a datagram, and after how many milliseconds."""
        out = self.world[client].output("/usr/bin/python3", "-c", REFUSAL, address, port, seconds).split()
        return int(out[0]), int(out[1]), float(out[2])

    # What must hold at the end.

    def finish(self, allowed=()):
        """Checks what must hold after every scenario, and ends the programs; `allowed`: regular expressions of lines
        that may be warnings."""
        self._check_asleep()
        self._check_memory()
        self._check_network_counters()
        for host in reversed([host for host, program in self.programs.items() if program.alive()]):
            self.stop(host)
        self._check_logs(allowed)
        self._check_leftovers()

    def _check_asleep(self):
        running = {host: program for host, program in self.programs.items() if program.alive()}
        before = {host: cpu_seconds(program.pid) for host, program in running.items()}
        time.sleep(ASLEEP_SECONDS)
        busy = {host: (cpu_seconds(program.pid) - before[host]) / ASLEEP_SECONDS for host, program in running.items()}
        lab.check(max(busy.values()) < ASLEEP_SHARE * PATIENCE,
                  "all programs sleep: " + ", ".join(f"{host} {share:.1%}" for host, share in busy.items()))

    def _check_memory(self):
        used = {host: resident_mib(program.pid) for host, program in self.programs.items() if program.alive()}
        above = [host for host, mib in used.items() if mib > MEMORY_MIB.get(kind_of(host), mib) * PATIENCE]
        lab.check(not above, "memory resident: " + ", ".join(f"{host} {mib:.0f} MiB" for host, mib in used.items()))

    def _check_network_counters(self):
        """No bad checksum anywhere, and no socket of client and gateway without room."""
        found = []
        for label, host in self.world.hosts.items():
            what = "CsumErrors|bufErrors" if label in (*self.gateways, *self.clients) else "CsumErrors"
            counters = json.loads(host.output("nstat", "-a", "-s", "-z", "--json"))["kernel"]
            found += [f"{label}: {name} {value}" for name, value in counters.items() if re.search(what, name) and value]
        lab.check(not found, f"no bad checksum, no socket without room {', '.join(found)}".rstrip())

    def _check_logs(self, allowed):
        allowed = (*ALLOWED, *allowed)
        lines = [f"{host}: {line}" for host, program in self.programs.items() for line in program.history()
                 if re.search(r"^\S+Z +(WARN|ERROR) ", line) and not any(re.search(one, line) for one in allowed)]
        lab.check(not lines, "\n".join(["no warning in any log", *lines]))
        told = [host for host, program in self.programs.items() for line in program.history()
                if "token=" in line or any(token in line for token in self.tokens.values())]
        lab.require(not told, f"no token is in a log: {told}")

    def _check_leftovers(self):
        for host in self.programs:
            end = self.world[host]
            lab.wait_until(lambda end=end: not end.has_link(TUN), 5, f"{host} has no interface {TUN} any more")
            left = [str(path) for path in (end.files / "run").rglob("*.sock")]
            lab.require(not left, f"{host} has no socket any more: {left}")
        for host, before in self.before.items():
            self.world[host].run(lab.built("fireline-gateway"), "teardown-network")
            lab.check(self._host_state(host) == before, f"teardown-network leaves the {host} as it was")

    # Parts.

    def _start(self, host, *command, token=None, api_url=False, environment=None):
        if token and host not in self.tokens:
            self.tokens[host] = self.token(*token)
        settings = {"FIREZONE_NAME": host, "FIREZONE_ID": device_id(host),
                    "RUST_LOG": LOG_LEVEL, "FIRELINE_PORTAL_LOG_LEVEL": LOG_LEVEL, **self.environment,
                    **(environment or {})}
        settings |= {"FIREZONE_TOKEN": self.tokens[host]} if token else {}
        settings |= {"FIREZONE_API_URL": self.url} if api_url else {}
        self.programs[host] = Program(self.programs.get(host),
                                      self.world[host].start(*command, name=host, environment=settings))

    def _wait(self, host, ready, what):
        program = self.programs[host]
        lab.wait_until(lambda: ready() or not program.alive(), START_SECONDS * PATIENCE, what)
        lab.require(program.alive(), f"{what}:\n{program.text()}")

    def _joined(self, host):
        status = self.status(host)
        return status is not None and status["portal"] == "joined"

    def _host_state(self, host):
        """What setup-network changes."""
        names = ("net.ipv4.ip_forward", "net.ipv4.conf.all.src_valid_mark", "net.ipv6.conf.all.forwarding",
                 "net.ipv6.conf.default.forwarding", "net.ipv6.conf.all.disable_ipv6")
        return self.world[host].output("sysctl", *names), self.world[host].output("nft", "list", "ruleset")


class Program:
    """The process on a host, and what those before it wrote."""

    def __init__(self, before, process):
        self.earlier = before.history() if before else []
        self.process = process

    def __getattr__(self, name):
        return getattr(self.process, name)

    def history(self):
        return [*self.earlier, *self.process.text().splitlines()]


def kind_of(host):
    """client of client-2."""
    return host.rstrip("-0123456789")


def resident_mib(pid):
    pages = int(open(f"/proc/{pid}/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def device_id(host):
    return hashlib.sha256(host.encode()).hexdigest()


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_prohibited(address, refusal):
    """Whether that is the ICMP error for "administratively prohibited"."""
    return refusal[:2] == ((1, 1) if ipaddress.ip_address(address).version == 6 else (3, 13))
