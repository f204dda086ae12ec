#!/usr/bin/python3
"""Scenarios of platform spec 8.3 about portal, grants and token, in the whole system of portal_lab.py.

usage: portal_scenarios.py portal-down|portal-restart|gateway-restart|flow-from-icmp-error|double-symmetric|token-path|
                           token-revoked|duplicate-login|late-relays|families|tls|resets|portal-killed|readiness
  portal-down           the portal is gone: tunnels go on
  portal-restart        and everybody is back on it when it is; a flow that was not there before is made
  gateway-restart       the gateway says goodbye and comes back: curl works within its 10 s
  flow-from-icmp-error  the gateway lost a grant: the next curl fails, the one after has a new flow
  double-symmetric      both NATs are symmetric, one relay: a download with the right hash
  token-path            where the client takes its token from
  token-revoked         the client's token is revoked: its program ends, its grants are gone, another token lets it in
  duplicate-login       the same device on two hosts: the later one works, and they do not throw each other out
  late-relays           the relays come when everybody waits for them
  families              the gateway has IPv4 alone, the client IPv6 alone
  resets                SIGHUP many times: every one is a new session, and the tunnel works
  portal-killed         kill -9 and a start: tokens, devices, addresses and grants are as they were
  readiness             systemd and health checks hear of a tunnel that is there, with its routes; --exit
  tls                   the portal has a certificate; who does not trust it does not log in
"""
import json
import socket
import subprocess
import sys
import time

import internet
import lab
from portal_lab import LAB, LAB_6, NETWORK, NETWORK_6, System, device_id, policy
from strain import Strain

HOSTS = ("172.21.0.100", "172:21::100")
WEB = {"name": "Web", "type": "ip", "address": "172.20.0.100"}
WEB_6 = {**WEB, "name": "Web IPv6", "address": "172:20::100"}
PROXY_PORT = 9081
ROUTES_TABLE = 0x2021FD00  # platform spec 2.1
RESETS = 5
DOWNLOAD_SECONDS = 5  # platform spec 8.3
PROHIBITED_NEW_FLOW = "FZFF_ICMP_ERROR_UNREACHABLE_PROHIBITED_CREATE_NEW_FLOW"


def started(laboratory, *resources, **how):
    system = System(laboratory, policy(*(resources or (LAB, LAB_6))), **how)
    system.serve()
    system.start()
    return system


def portal_down(laboratory):
    system = started(laboratory)
    system.check_curl(*HOSTS)
    system.stop("portal")
    system.check_curl(*HOSTS)
    system.finish()


def portal_restart(laboratory):
    system = started(laboratory, LAB, LAB_6, WEB)
    system.check_curl(*HOSTS)
    system.restart("portal")
    system.check_curl(*HOSTS)
    lab.wait_until(lambda: everybody_is_back(system), 60, "everybody has logged in again")
    system.check_curl(*HOSTS, WEB["address"])
    lab.check(system.grants() == sorted((LAB["name"], LAB_6["name"], WEB["name"])), "the gateway has every grant once")
    system.finish()


def everybody_is_back(system):
    status = system.status("portal")
    return all(len(status[kind]) == number for kind, number in
               (("clients", 1), ("gateways", 1), ("relays", len(system.relays))))


def addresses(system):
    status = system.status("client")
    return status["ipv4"], status["ipv6"]


def gateway_restart(laboratory):
    system = started(laboratory)
    system.check_curl(*HOSTS)
    system.stop("gateway")
    system.start_gateway()
    system.check_curl(*HOSTS)
    system.finish()


def flow_from_icmp_error(laboratory):
    system = System(laboratory, policy(LAB, LAB_6, WEB, WEB_6))
    system.serve()
    system.start_portal()
    for relay in system.relays:
        system.start_relay(relay)
    proxy = Proxy(system)
    system.start_gateway("gateway", "--api-url", proxy.url)
    system.start_client(environment={PROHIBITED_NEW_FLOW: "true"})
    rejected = [(LAB, HOSTS[0]), (LAB_6, HOSTS[1])]
    for resource, address in rejected:
        system.check_curl(address)
    # Another resource's flow keeps the connection open.
    pings = system.world["client"].start("ping", "-n", "-i", "0.2", WEB["address"], name="ping")
    lab.wait_until(lambda: "bytes from" in pings.text(), 10, "pings are answered")
    for resource, _ in rejected:
        proxy.reject(resource["name"])
    lab.wait_until(lambda: system.grants() == [WEB["name"]], 10, "the gateway has lost both grants")
    for _, address in rejected:
        begin = time.monotonic()
        lab.check(system.curl(address, must=False).returncode == 7, f"{address} is prohibited at once "
                  f"({time.monotonic() - begin:.2f} s)")
    for _, address in rejected:
        lab.wait_until(lambda: system.curl(address, must=False).returncode == 0, 10, f"{address} has another flow")
    print("  ok: the client has asked for new flows", flush=True)
    answered = pings.text().count("bytes from")
    lab.wait_until(lambda: pings.text().count("bytes from") > answered, 5, "the other flow went on")
    pings.kill()
    system.finish()


class Proxy:
    """portal_proxy.py on the gateway's host."""

    def __init__(self, system):
        self.system = system
        self.url = f"ws://127.0.0.1:{PROXY_PORT}"
        script = lab.ROOT / "tests/system/portal_proxy.py"
        self.process = system.world["gateway"].start("/usr/bin/python3", "-u", script, PROXY_PORT, system.url,
                                                     name="proxy", stdin=subprocess.PIPE)
        lab.wait_until(lambda: "listens" in self.process.text(), 10, "the proxy listens")

    def reject(self, name):
        """The portal takes a resource's grant from the one client, and only the gateway learns of it."""
        client = self.system.status("gateway")["clients"][0]
        resource = next(grant["resource"] for grant in client["grants"] if grant["name"] == name)
        message = {"topic": "gateway", "event": "reject_access", "ref": None,
                   "payload": {"client_id": client["id"], "resource_id": resource}}
        self.process.popen.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.popen.stdin.flush()


def double_symmetric(laboratory):
    system = started(laboratory, kinds={"client": "symmetric", "gateway": "symmetric"}, relays=("relay-1",))
    system.check_curl(*HOSTS)
    system.wait_kind("relayed")
    for address in HOSTS:
        strain = Strain()
        took = system.download(address)
        lab.check(strain.allows(DOWNLOAD_SECONDS, took),
                  f"10 MB from {address} in {took:.2f} s ({DOWNLOAD_SECONDS} s are allowed, {strain})")
    system.finish()


def token_path(laboratory):
    """platform spec 6.4."""
    host = laboratory.namespace("client")
    host.own_files()
    # A file system of its own for /etc: the default path is in it.
    folder = laboratory.folder / "etc"
    (folder / "dev.firezone.client").mkdir(parents=True)
    elsewhere, default = folder / "elsewhere", folder / "dev.firezone.client/token"

    def check(expected, sentence, *arguments, environment=None):
        result = host.run("sh", "-c", 'mount --bind "$0" /etc && exec "$@"', folder, lab.built("fireline-client"),
                          "--check", "--api-url", "ws://203.0.113.10:8081", "--firezone-id", "a-device", *arguments,
                          must=False, environment={"FIREZONE_TOKEN": "", **(environment or {})})
        lab.check((result.returncode == 0) == expected, f"{sentence}: {(result.stdout + result.stderr).strip()}")
        return result

    check(False, "no token")
    check(True, "a token in the environment", environment={"FIREZONE_TOKEN": "a-token"})
    mounted, empty = folder / "mounted", folder / "empty"
    mounted.write_text("a-token\n")
    empty.write_text("\n")
    check(True, "the environment names a file of it", environment={"FIREZONE_TOKEN": "/etc/mounted"})
    check(False, "and a file of nothing", environment={"FIREZONE_TOKEN": "/etc/empty"})
    lab.check(check(False, "no option takes one", "--token", "a-token").returncode == 2, "that is wrong usage")
    elsewhere.write_text("a-token\n")
    elsewhere.chmod(0o600)
    check(False, "a file elsewhere is not found by itself")
    check(True, "it is named", "--token-path", "/etc/elsewhere")
    elsewhere.chmod(0o640)
    check(False, "others may read it", "--token-path", "/etc/elsewhere")
    elsewhere.chmod(0o600)
    elsewhere.rename(default)
    check(True, "a file at the default path is")


def token_revoked(laboratory):
    system = started(laboratory)
    system.check_curl(*HOSTS)
    listed = system.portal_command("token", "list").stdout.splitlines()
    token = next(line.split()[0] for line in listed if line.split()[1] == "client")
    system.portal_command("token", "revoke", token)
    lab.check(system.programs["client"].wait(20) == 1, "the client ends with code 1")
    lab.wait_until(lambda: not system.grants(), 20, "the gateway has lost its grants")
    system.tokens.clear()
    system.start_client()
    system.check_curl(*HOSTS)
    system.finish(allowed=[r"^\S+ +ERROR fireline: ending: ", r"^\S+ +WARN portal: login from .* refused: 401 "])


def duplicate_login(laboratory):
    """portal spec 6.12."""
    system = System(laboratory, policy(LAB, LAB_6), clients=("client", "client-2"))
    system.serve()
    system.start(clients=["client"])
    system.check_curl(*HOSTS)
    system.tokens["client-2"] = system.tokens["client"]
    system.start_client("client-2", environment={"FIREZONE_ID": device_id("client")})
    system.check_curl(*HOSTS, client="client-2")
    time.sleep(3)  # time to throw each other out, which each does at once
    status = system.status("portal")
    lab.check(len(status["clients"]) == 1 and status["counters"]["device.superseded"] == 1,
              "the portal has one of them, once")
    lab.check(all(system.counter(client, "portal.joins") == 1 for client in ("client", "client-2")),
              "neither has logged in again")
    system.check_curl(*HOSTS, client="client-2")
    system.finish()


def late_relays(laboratory):
    system = System(laboratory, policy(LAB, LAB_6))
    system.serve()
    system.start_portal()
    system.start_gateway()
    system.start_client()
    early = system.world["client"].start("curl", "-sS", "--fail", "--connect-timeout", 60, f"http://{HOSTS[0]}/get",
                                         name="curl")
    lab.wait_until(lambda: system.counter("client", "client.tun.held") > 0, 10, "a packet waits for its gateway")
    for relay in system.relays:
        system.start_relay(relay)
    lab.check(early.wait(60) == 0, "what waited arrives")
    system.check_curl(*HOSTS)
    system.finish()


def families(laboratory):
    system = System(laboratory, policy(LAB, LAB_6), families={"gateway": (4,), "client": (6,)})
    system.serve()
    system.start_portal()
    for relay in system.relays:
        system.start_relay(relay)
    system.start_gateway()
    system.url = f"ws://[{internet.SITES['portal'].public[1]}]:{internet.PORTAL_PORT}"
    system.start_client()
    system.check_curl(*HOSTS)
    lab.check(system.kind() == "relayed", "a relay joins the families")
    system.finish()


def tls(laboratory):
    system = System(laboratory, policy(LAB, LAB_6))
    system.serve()
    system.use_tls()
    system.start()
    system.check_curl(*HOSTS)
    stranger = system.world["client"].run(lab.built("fireline-client"), "--tun-name", "stranger", "--status-socket",
                                          "/run/stranger.sock", must=False, environment={
                                              "FIREZONE_TOKEN": "a-token", "FIREZONE_API_URL": system.url})
    lab.check(stranger.returncode == 1 and "certificate" in stranger.stdout, "who does not trust the portal ends: "
              f"{stranger.stdout.splitlines()[-1]}")
    system.finish()


def resets(laboratory):
    """Platform lesson 50."""
    system = started(laboratory)
    system.check_curl(*HOSTS)
    for _ in range(RESETS):
        joins = system.counter("client", "portal.joins")
        system.reset_client()
        lab.wait_until(lambda: system.counter("client", "portal.joins") > joins, 20, "the client has logged in again")
    for _ in range(RESETS):
        system.reset_client()  # faster than it logs in
    system.check_curl(*HOSTS)
    lab.check(len(system.status("portal")["clients"]) == 1, "the portal has one client")
    lab.check(len(system.status("gateway")["clients"]) == 1, "the gateway too")
    system.finish()


def portal_killed(laboratory):
    system = started(laboratory)
    system.check_curl(*HOSTS)
    before = addresses(system)
    system.programs["portal"].kill()
    system.check_curl(*HOSTS)
    system.start_portal()
    lab.wait_until(lambda: everybody_is_back(system), 60, "everybody has logged in again")
    lab.check(addresses(system) == before, f"the client's addresses are the same: {before}")
    lab.check(system.grants() == sorted((LAB["name"], LAB_6["name"])), "so are the grants")
    system.check_curl(*HOSTS)
    system.finish()


def readiness(laboratory):
    """Platform spec 6.7, lesson 71."""
    system = System(laboratory, policy(LAB, LAB_6))
    client = system.world["client"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(client.files / "run/notify"))
        notify.settimeout(30)
        system.start_portal()
        system.start_gateway()
        system.start_client(environment={"NOTIFY_SOCKET": "/run/notify"})
        lab.check(b"READY=1" in notify.recv(4096).split(b"\n"), "the client says that it is ready")
        for family, network in ((4, NETWORK), (6, NETWORK_6)):
            routes = client.output("ip", f"-{family}", "route", "show", "table", ROUTES_TABLE)
            lab.check(any(line.startswith(network) for line in routes.splitlines()), f"there is a route to {network}")
        lab.check(system.stop("client") is None and b"STOPPING=1" in notify.recv(4096).split(b"\n"), "and that it ends")
    for path in ("/healthz", "/readyz"):
        system.world["gateway"].run("curl", "-sS", "--fail", f"http://127.0.0.1:8080{path}")
    print("  ok: the gateway answers /healthz and /readyz", flush=True)
    once = client.run(lab.built("fireline-client"), "--exit", must=False, environment={
        "FIREZONE_TOKEN": system.tokens["client"], "FIREZONE_API_URL": system.url, "FIREZONE_ID": device_id("client")})
    lab.check(once.returncode == 0, "with --exit it leaves once the tunnel is up")
    system.finish()


SCENARIOS = {"portal-down": portal_down, "portal-restart": portal_restart, "gateway-restart": gateway_restart,
             "flow-from-icmp-error": flow_from_icmp_error, "double-symmetric": double_symmetric,
             "token-path": token_path, "token-revoked": token_revoked,
             "duplicate-login": duplicate_login, "late-relays": late_relays,
             "families": families, "tls": tls, "resets": resets,
             "portal-killed": portal_killed, "readiness": readiness}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(SCENARIOS[sys.argv[1]])
