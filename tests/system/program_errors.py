#!/usr/bin/python3
"""What the programs say when they cannot go on: one sentence on standard error, with the fix where there is one, and an
exit code (platform spec 6.3). Standard output may hold the log; no line holds a token.

    one namespace: a fireline-portal with a policy of one site, and the programs that fail, one after the other
"""
import re
import socket
import sqlite3
import time
import uuid

import lab

WG, PORTAL, RELAY, GATEWAY, CLIENT = PROGRAMS = ("wg", "portal", "relay", "gateway", "client")
TUNNELS = (GATEWAY, CLIENT)
USAGE = {WG: 1, PORTAL: 1, RELAY: 1, GATEWAY: 2, CLIENT: 2}
NOBODY = "ws://127.0.0.1:9"  # the discard port
RELAY_PORT, METRICS_PORT, PORTAL_PORT = 3478, 9100, 8081
ENDED_SECONDS = 60
# root without the capability.
WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--")
WITHOUT_TUN = ("unshare", "--mount", "setpriv", "--bounding-set", "-mknod", "--inh-caps", "-all", "--", "sh", "-c",
               'mount -t tmpfs none /dev/net && exec "$0" "$@"')
SHORTAGE = ("Too many open files", "raise this process's limit of open files")
POLICY = """{"account": {"name": "A", "slug": "a"}, "sites": [{"name": "office"}], "resources": [],
"actors": [{"name": "alice"}], "policies": []}"""


class World:
    def __init__(self, laboratory):
        self.host = laboratory.namespace("host")
        self.host.own_files()
        self.folder = laboratory.folder
        self.tokens = {}
        self.file("policy.json", POLICY)

    def file(self, name, content="", mode=0o644):
        path = self.folder / name
        path.write_text(content)
        path.chmod(mode)
        return path

    def command(self, program, *words):
        """What runs when nothing is wrong with it; words of the caller's take the place of the usual ones."""
        portal = {"--policy": self.folder / "policy.json", "--state": self.folder / "state.sqlite"}
        tunnel = {"--tun-name": "flerr1", "--api-url": self.url}
        usual = {WG: {}, PORTAL: portal, CLIENT: tunnel, GATEWAY: {**tunnel, "--health-check-addr": "127.0.0.1:8090"},
                 RELAY: {"--public-ip4-addr": "127.0.0.1", "--api-url": self.url, "--health-check-addr": "127.0.0.1:8091"}}
        flags = [word for pair in usual[program].items() if pair[0] not in words for word in pair]
        return [lab.built(f"fireline-{program}"), *(["-f", "flerr0"] if program == WG else []), *flags, *words]

    url = f"ws://127.0.0.1:{PORTAL_PORT}"

    def token(self, kind, owner=None):
        words = [kind, owner] if owner else [kind]
        return self.host.run(*self.command(PORTAL, "token", "create", *words)).stdout.strip()

    def start_portal(self):
        self.portal = self.host.start(*self.command(PORTAL, "--listen", f"127.0.0.1:{PORTAL_PORT}"), name="portal")
        lab.wait_until(lambda: "listens on" in self.portal.text(), ENDED_SECONDS, "the portal listens")

    def make_tokens(self):
        """Before the portal runs: good ones, and those of a client that are not."""
        owners = {CLIENT: "alice", GATEWAY: "office", RELAY: None}
        self.tokens = {kind: self.token(kind, owner) for kind, owner in owners.items()}
        listed = set(self.ids())
        self.tokens["revoked"] = self.token(CLIENT, "alice")
        self.host.run(*self.command(PORTAL, "token", "revoke", (set(self.ids()) - listed).pop()))
        listed = set(self.ids())
        self.tokens["expired"] = self.token(CLIENT, "alice")
        with sqlite3.connect(self.folder / "state.sqlite") as database:
            changed = database.execute("UPDATE token SET expires = ? WHERE id = ?",
                                       (int(time.time()) - 1, uuid.UUID((set(self.ids()) - listed).pop()).bytes))
            lab.require(changed.rowcount == 1, "a token has expired")

    def ids(self):
        return re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", self.host.run(*self.command(PORTAL, "token", "list")).stdout)

    def check(self, situation, command, code, words, token=None):
        result = self.host.run(*command, must=False, seconds=ENDED_SECONDS,
                               environment={"FIREZONE_TOKEN": token or "", "FIREZONE_ID": "1" * 64})
        said = result.stderr
        secrets = [one for one in (*self.tokens.values(), token) if one and len(one) > 9]
        wrong = [] if result.returncode == code else [f"exit code {result.returncode}, not {code}"]
        wrong += [f"not in it: {word}" for word in words if word not in said]
        wrong += [] if re.fullmatch(r"fireline-[\w-]+: [^\n]+\n", said) else ["not the program's name and one line"]
        wrong += ["a token is in it"] if any(one in said + result.stdout for one in secrets) else []
        print(f"  {'FAILED' if wrong else 'ok'}: {situation}: {said.strip()} {'; '.join(wrong)}".rstrip(), flush=True)
        return not wrong


def few_files(count):
    return ("prlimit", f"--nofile={count}")


def rows_of_all(world):
    """(program, situation, words of the command line or of what runs it, exit code, what is said, token)"""
    for program in PROGRAMS:
        yield program, "an unknown option", ("--no-such-option",), USAGE[program], (
            "unknown here: --no-such-option", f"see fireline-{program} --help"), None
    for program in (WG, *TUNNELS):
        yield program, "no right to make an interface", WITHOUT_RIGHTS, 1, ("CAP_NET_ADMIN" if program != WG else
                                                                            "run as root",), "t"
        yield program, "no TUN driver", WITHOUT_TUN, 1, ("open /dev/net/tun", "modprobe tun"), "t"
    for program in (WG, *TUNNELS):
        for count in (12, 20, 26):
            yield program, f"{count} open files at most", (*few_files(count), *world.command(program)), 1, SHORTAGE, "t"
    second_portal = world.command(PORTAL, "--state", world.folder / "few.sqlite", "--status-socket", "/run/few.sock")
    for count in (14, 15, 16, 17):  # one of them is where Asio says so
        yield PORTAL, f"{count} open files at most", (*few_files(count), *second_portal), 1, SHORTAGE[:1], None
    for program in (*TUNNELS, PORTAL):
        yield program, "nobody to ask for the status", ("status", "--status-socket", "/run/none.sock"), 1, (
            "/run/none.sock", "No such file or directory"), None
    for program in TUNNELS:
        yield program, "a URL that is none", ("--api-url", "portal.example"), USAGE[program], ("wss://",), "t"
        yield program, "a file of certificates that is not there", ("--ca-file", "/none.pem"), 1, ("/none.pem", "No such file"), "t"
        yield program, "a file of certificates that holds none", ("--ca-file", world.file("empty.pem")), 1, (
            "empty.pem",), "t"
        yield program, "a time that is none", ("--max-partition-time", "soon"), USAGE[program], ("for example 5m",), "t"
        yield program, "no portal within the time", ("--api-url", NOBODY, "--max-partition-time", "1s"), 1, (
            "gave up after too many attempts", "does the portal run"), "t"
        yield program, "a path where no portal is", ("--api-url", f"{world.url}/elsewhere"), 1, (
            "the portal refused the login: 404", "does the URL name a portal"), world.tokens[program]
        yield program, "a name for the interface that cannot be", ("--tun-name", "a/b"), USAGE[program], (
            "--tun-name cannot be",), "t"
    wrong = {"a token that nobody made": "flc_" + "x" * 43, "a revoked token": world.tokens["revoked"],
             "an expired token": world.tokens["expired"]}
    for program in (RELAY, *TUNNELS):
        for situation, token in {**wrong, "another program's token": world.tokens[GATEWAY if program == RELAY else RELAY]}.items():
            yield program, situation, (), 1, ("the portal refused the login: 401 Invalid token",
                                              "neither revoked nor expired"), token


def rows_of_tools():
    small = {"bench": ("aead",), "forwarder": ("tun0", "--listen", "127.0.0.1:1", "--peer", "127.0.0.1:2"),
             "xdp-pass": ("attach", "eth0"), "lab-delay": ("eth0", "eth1")}
    for tool, words in small.items():
        yield tool, "an unknown option", (lab.built(f"fireline-{tool}"), *words, "--no-such-option"), 1, (
            "unknown here: --no-such-option", f"see fireline-{tool} --help"), None


def rows_of_each(world):
    yield WG, "no name", (lab.built("fireline-wg"),), 1, ("the name of the interface is missing",), None
    yield WG, "its metrics' port is taken", ("--metrics", f"127.0.0.1:{METRICS_PORT}"), 1, (
        "Address already in use", "choose another port"), None
    yield WG, "nobody to ask", (lab.built("fireline-wg"), "--status", "flerr9"), 1, ("flerr9",), None

    yield PORTAL, "no policy file", ("--policy", "/none.json"), 1, ("/none.json: cannot be read",), None
    yield PORTAL, "a policy file with a mistake", ("--policy", world.file("bad.json", POLICY.replace("[]", "7", 1))), 1, (
        "bad.json:1:", "expected"), None
    yield PORTAL, "a folder for its state that cannot be made", ("--state", "/proc/none/state"), 1, ("/proc/none/state",), None
    yield PORTAL, "a state that is no database", ("--state", world.file("text.sqlite", "text" * 999, 0o600)), 1, (
        "text.sqlite",), None
    yield PORTAL, "its port is taken", ("--listen", f"127.0.0.1:{PORTAL_PORT}", "--status-socket", "/run/second.sock"), 1, (
        f"127.0.0.1:{PORTAL_PORT}", "Address already in use", "choose another port"), None
    yield PORTAL, "another portal runs here", ("--listen", "127.0.0.1:0"), 1, ("/run/fireline-portal/status.sock",), None
    yield PORTAL, "no certificate", ("--tls-cert", "/none.pem", "--tls-key", "/none.pem", "--status-socket", "/run/second.sock"), 1, (
        "/none.pem", "No such file"), None
    yield PORTAL, "a listener that the network could read", ("--listen", "0.0.0.0:8082"), 1, ("--insecure-plaintext",), None
    yield PORTAL, "a token for an actor that is not there", ("token", "create", "client", "nobody"), 1, ("nobody",), None
    yield PORTAL, "a token of no kind", ("token", "create", "admin", "alice"), 1, ("use one of client, gateway, relay",), None

    yield RELAY, "its port is taken", (), 1, (f"{RELAY_PORT}", "Address already in use", "choose another --listen-port"), (
        world.tokens[RELAY])
    yield RELAY, "an interface for XDP that is not there", ("--listen-port", RELAY_PORT + 1, "--ebpf-offloading", "none0"), 1, (
        "XDP was asked for on none0, which is no interface",), world.tokens[RELAY]
    yield RELAY, "no right to load XDP", (*WITHOUT_RIGHTS, lab.built("fireline-relay"), "--public-ip4-addr", "127.0.0.1",
                                          "--listen-port", RELAY_PORT + 1, "--ebpf-offloading", "lo"), 1, ("grant CAP_BPF",), None
    yield RELAY, "no address", (lab.built("fireline-relay"),), 1, ("--public-ip4-addr",), None
    static = (lab.built("fireline-relay"), "--public-ip4-addr", "127.0.0.1", "--auth", "static", "--users")
    yield RELAY, "no file of users", (*static, "/none.users"), 1, ("/none.users",), None
    yield RELAY, "a file of users with a mistake", (*static, world.file("bad.users", "alice\n", 0o600)), 1, (
        "bad.users",), None

    yield GATEWAY, "no token", (), 1, ("set FIREZONE_TOKEN",), None
    yield GATEWAY, "a slip in a command", ("stauts",), 2, ("unknown command: use one of setup-network",), "t"
    yield GATEWAY, "an option of Firezone's that is not there", ("--flow-logs",), 2, ("leave it out",), "t"
    yield GATEWAY, "an endpoint that is none", ("--health-check-addr", "here"), 2, ("use ADDRESS:PORT",), "t"
    yield GATEWAY, "no right to prepare the network", (*WITHOUT_RIGHTS, lab.built("fireline-gateway"), "setup-network"), 1, (
        "root",), None

    yield CLIENT, "no token", (), 1, ("Can't find the Firezone token in $FIREZONE_TOKEN or in `/etc/dev.firezone.client/token`",), None
    yield CLIENT, "a token file that others may read", ("--token-path", world.file("open.token", "t\n")), 1, (
        "must have mode 0400 or 0600", "chmod 600"), None
    yield CLIENT, "an empty token file", ("--token-path", world.file("empty.token", "\n", 0o600)), 1, ("is empty",), None
    yield CLIENT, "a token on the command line", ("--token", "secret"), 2, ("unknown here: --token",), None
    yield CLIENT, "control of DNS, which is not there", ("--dns-control", "systemd-resolved"), 2, (
        "DNS resources are not served", "disabled"), "t"
    yield CLIENT, "a flag without its value", ("--firezone-id=", "--exit"), 2, ("--firezone-id= has no value",), "t"
    for check in ((), ("--check",)):
        yield CLIENT, "a folder for its log that cannot be made", (*check, "--log-dir", "/proc/none"), 1, ("/proc/none",), "t"
    yield CLIENT, "a check of certificates that are not there", ("--check", "--ca-file", "/none.pem"), 1, ("/none.pem",), "t"
    yield CLIENT, "a check without the right", (*WITHOUT_RIGHTS, *world.command(CLIENT, "--check")), 1, ("CAP_NET_ADMIN",), "t"


def whole_command(world, program, words):
    """Words that name a program are what runs; those that run a program are followed by the usual command."""
    first = str(words[0]) if words else ""
    if first.startswith("/") and "fireline-" in first:
        return words
    if first in (WITHOUT_RIGHTS[0], WITHOUT_TUN[0], few_files(0)[0]):
        return words if any("/fireline-" in str(word) for word in words) else (*words, *world.command(program))
    return world.command(program, *words)


def scenario(laboratory):
    world = World(laboratory)
    world.make_tokens()
    world.start_portal()
    taken = []
    for kind, port in ((socket.SOCK_DGRAM, RELAY_PORT), (socket.SOCK_STREAM, METRICS_PORT)):
        taken.append(world.host.socket(socket.AF_INET, kind))
        taken[-1].bind(("0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            taken[-1].listen()
    outcomes = []
    for rows in (rows_of_each(world), rows_of_tools(), rows_of_all(world)):
        for program, situation, words, code, said, token in rows:
            if program == RELAY and "token" in situation:
                words = ("--listen-port", RELAY_PORT + 1)
            outcomes.append(world.check(f"{program}: {situation}", whole_command(world, program, words), code, said, token))
    lab.check(all(outcomes), f"{len(outcomes)} mistakes, each with a sentence and a code")
    lab.require(world.portal.alive(), "the portal is not concerned")


if __name__ == "__main__":
    lab.run(scenario)
