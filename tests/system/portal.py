#!/usr/bin/env python3
"""fireline-portal with 200 clients and 1,000 resources, killed, misused and misconfigured.

    portal ── lo of a namespace ── clients and gateways on python3-websockets

    portal.py change   a new policy reaches everybody within a second, in 64 MiB; a broken one nobody
    portal.py crash    kill -9 in a burst of logins: ids, addresses, keys and grants that were told are there again
    portal.py access   who may listen, log in, stay; the end and the next start
    portal.py certificate   the real gateway and client over TLS, without and with --ca-file; a renewed certificate
"""
import argparse
import asyncio
import os
import random
import signal
import socket
import sqlite3
import struct
import sys
import time

import websockets

import lab
import portal_host
from portal_host import ACTOR, SITE, Portal, document, networks
from portal_peer import Peer, login_all
from service_manager import ServiceManager
from strain import Strain

CLIENTS, RESOURCES = 200, 1000
REACHED_SECONDS = 1.0  # issue 5, acceptance 8
STOPPED_SECONDS = 2


def clients_of(portal, token, count=CLIENTS, label="client"):
    return [Peer(portal, "client", f"{label}-{i}", token) for i in range(count)]


async def status_of_login(peer):
    """101, or what the portal answered instead."""
    try:
        await peer.connect()
        return 101
    except websockets.InvalidStatusCode as error:
        return error.status_code


# ---- change ----

async def change(portal):
    resources = networks(RESOURCES)
    portal.write_policy(document(resources))
    portal.start()
    token = portal.token("client", ACTOR)
    begin = time.monotonic()
    clients = await login_all(clients_of(portal, token))
    print(f"  {CLIENTS} logins up to `init` with {RESOURCES} resources: {time.monotonic() - begin:.2f} s, "
          f"{portal.cpu():.2f} s of the portal's CPU")
    lab.check(all(len(client.init["resources"]) == RESOURCES for client in clients), "everybody sees every resource")
    portal.check_memory(f"with {CLIENTS} clients and {RESOURCES} resources")

    arrived, read, strain = [], [], Strain()
    for turn in range(5):
        resources[0]["description"] = f"turn {turn}"
        resources[-1] = {**resources[-1], "name": f"new {turn}"}  # another name is another resource
        line, begin = Line(portal.port), time.time()
        read.append(await reach(portal, clients, resources, "SIGHUP" if turn % 2 else "file", 3))
        arrived.append(line.last_arrival(clients) - begin)
    print("  a change was read by everybody after " + ", ".join(f"{one:.3f}" for one in read) + " s")
    print("  and had arrived at everybody's host after " + ", ".join(f"{one:.3f}" for one in arrived) + " s")
    lab.check(strain.allows(REACHED_SECONDS, max(arrived)),
              f"a new policy reaches {CLIENTS} clients within {REACHED_SECONDS} s")

    for resource in resources:
        resource["description"] = "all of them"
    before = portal.cpu()
    took = await reach(portal, clients, resources, "file", RESOURCES)
    print(f"  {RESOURCES} changed resources, {RESOURCES * CLIENTS} messages: {took:.2f} s, "
          f"{portal.cpu() - before:.2f} s of the portal's CPU")
    portal.check_memory(f"after {RESOURCES * CLIENTS} messages")

    await broken_policies(portal, clients, resources)
    portal.check_secret_free(token)
    portal.check_quiet("the policy in force stays")
    strain = Strain()
    stopped = await stop_with_open_connections(portal)
    print(f"  SIGTERM with {CLIENTS} open connections: {stopped:.2f} s")
    lab.check(strain.allows(STOPPED_SECONDS, stopped), f"it ends within {STOPPED_SECONDS} s")
    lab.check(not portal.socket.exists(), "its socket is gone")


class Line:
    """What the portal sends from here on, and when the kernel handed it to the client's end. The clients here are
    coroutines of one python process, which reads late what came in time: after their logins its garbage collector alone
    looks at a million objects for half a second."""
    SO_RCVBUFFORCE, SO_TIMESTAMPNS, ETH_P_IP, BUFFER_BYTES = 33, 35, 0x0800, 64 << 20

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self.ETH_P_IP))
        self.socket.bind(("lo", self.ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_RCVBUFFORCE, self.BUFFER_BYTES)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)

    def last_arrival(self, clients):
        """The time of the last data that each of them got, the latest of these."""
        arrivals = {}
        while True:
            try:
                packet, ancillary, _, _ = self.socket.recvmsg(128, 256)
            except BlockingIOError:
                break
            header = (packet[0] & 15) * 4
            source, destination = struct.unpack_from("!HH", packet, header)
            data = struct.unpack_from("!H", packet, 2)[0] - header - (packet[header + 12] >> 4) * 4
            if packet[9] == socket.IPPROTO_TCP and source == self.port and data > 0:
                seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
                arrivals[destination] = seconds + nanoseconds / 1e9
        self.socket.close()
        ports = {client.socket.local_address[1] for client in clients}
        lab.require(ports <= arrivals.keys(), f"{len(ports - arrivals.keys())} clients were sent nothing")
        return max(arrivals[port] for port in ports)


async def reach(portal, clients, resources, how, messages):
    """Seconds from the change of the file to the last of the messages that each client gets for it."""
    for client in clients:
        client.events.clear()
    begin = time.monotonic()
    portal.write_policy(document(resources))
    if how == "SIGHUP":
        portal.process.signal(signal.SIGHUP)
    changed = ("resource_created_or_updated", "resource_deleted")
    await asyncio.gather(*(client.wait(lambda client=client: client.count(*changed) >= messages, "change")
                           for client in clients))
    return max(client.events[-1][0] for client in clients) - begin


async def broken_policies(portal, clients, resources):
    rows = [("{\n  \"account\": {\"name\": \"A\", \"slug\": \"a\"},\n  \"sites\": [{]\n}", ":3:14: ", "a comma too many"),
            ("{\n \"acount\": {}\n}", ":2:2: ", "did you mean \"account\"?"),
            (document(resources) | {"policies": [{"name": "p", "groups": ["nobody"], "resources": []}]}, ": policies[0]",
             "the name of a group"),
            ("", ":1:1: ", "found nothing")]
    for content, place, words in rows:
        for client in clients:
            client.events.clear()
        portal.write_policy(content)
        error = await soon(lambda: portal.status()["policy"]["error"], place, words)
        lab.require(error, f"the status names the mistake: {words}: {portal.status()['policy']['error']}")
        lab.require(place in portal.process.text() and words in portal.process.text(), f"the log names it: {words}")
        lab.require(portal.status()["policy"]["resources"] == RESOURCES, "the policy in force stays")
    lab.require(not any(client.events for client in clients), "nobody was told anything")
    lab.check(True, f"{len(rows)} broken policy files changed nothing and were explained with line and column")
    portal.write_policy(document(resources))
    lab.check(await soon(lambda: "good" if not portal.status()["policy"]["error"] else "", "good", ""),
              "the mended file is taken")


async def soon(question, *words, seconds=120):
    """Whether the answer gets to have all of the words."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if all(word in question() for word in words):
            return True
        await asyncio.sleep(0.05)
    return False


async def stop_with_open_connections(portal):
    begin = time.monotonic()
    portal.process.signal(signal.SIGTERM)
    while portal.process.alive() and time.monotonic() - begin < 30:
        await asyncio.sleep(0.01)
    lab.require(portal.process.wait(1) == 0, "it ends with code 0")
    return time.monotonic() - begin


# ---- crash ----

async def crash(portal):
    """Three rounds; each kills the portal while clients log in and open flows, and then asks all of them again."""
    portal.write_policy(document(networks(4)))
    portal.start()
    client_token, gateway_token = portal.token("client", ACTOR), portal.token("gateway", SITE)
    chance = random.Random(5)
    for turn in range(3):
        gateway = await Peer(portal, "gateway", "gateway", gateway_token).login()
        clients = clients_of(portal, client_token, label=f"turn-{turn}")
        told, slots = {}, asyncio.Semaphore(30)  # so that logins and flows of different clients are under way at once
        burst = [asyncio.create_task(log_in_and_open(client, told, slots)) for client in clients]
        wanted = chance.randrange(20, 150)
        while sum("psk" in one for one in told.values()) < wanted:
            await asyncio.sleep(0.001)
        os.kill(portal.process.pid, signal.SIGKILL)
        await asyncio.gather(*burst, return_exceptions=True)
        portal.process.popen.wait()
        await gateway.ended()
        granted = {key: (grant["client"]["ipv4"], grant["client"]["preshared_key"]) for key, grant in gateway.grants.items()}
        answered = [client for client in clients if client.socket is not None]
        check_file(portal, answered)

        portal.start()
        gateway = await Peer(portal, "gateway", "gateway", gateway_token).login()
        authorized = {(one["client_id"], one["resource_id"]) for one in gateway.init["authorizations"]}
        lab.require(set(granted) <= authorized, f"{len(set(granted) - authorized)} grants were lost")
        again = {}
        for client in clients:
            client.flows.clear()
        await asyncio.gather(*(log_in_and_open(client, again, slots) for client in clients))
        changed = [name for name, before in told.items() if any(again[name][key] != value for key, value in before.items())]
        lab.require(not changed, f"not as before: {changed}")
        lost = [key for key, before in granted.items()
                if (gateway.grants[key]["client"]["ipv4"], gateway.grants[key]["client"]["preshared_key"]) != before]
        lab.require(not lost, f"another address or key than before: {lost}")
        flows = sum("psk" in one for one in told.values())
        lab.check(answered and flows, f"killed after {len(answered)} logins were answered, {len(told)} told their address, "
                  f"{len(granted)} granted and {flows} given a key: all as before")
        for peer in (gateway, *clients):
            await peer.close()
    failures = {name: value for name, value in portal.status()["counters"].items() if name.endswith((".store", "write.drop"))}
    lab.check(not any(failures.values()), f"nothing failed to be written: {failures}")
    portal.check_secret_free(client_token, gateway_token)
    await checkpoints(portal, gateway_token)


async def log_in_and_open(client, told, slots):
    """Logs in and opens a flow; keeps what the portal said, as soon as it said it."""
    async with slots:
        await client.login()
        interface = client.init["interface"]
        told[client.name] = {"ipv4": interface["ipv4"], "ipv6": interface["ipv6"]}
        flow = await client.flow(client.init["resources"][0]["id"])
        told[client.name] |= {"psk": flow["preshared_key"], "gateway": flow["gateway_id"],
                              "ice": flow["client_ice_credentials"]}


def check_file(portal, answered):
    """Who was answered is in the file, before a new portal has touched it."""
    with sqlite3.connect(portal.state) as database:
        known = {row[0] for row in database.execute("SELECT external_id FROM device")}
    missing = [client.name for client in answered if client.name not in known]
    lab.require(not missing, f"answered, but not in the file: {missing}")


async def checkpoints(portal, token):
    """SQLite's log is written back into its file under the filter of system calls: it does not grow for ever."""
    file, turns = portal.state.stat().st_mtime_ns, 0
    while portal.state.stat().st_mtime_ns == file:
        lab.require(turns < 300, "the log of the state is never written back")
        gateways = [Peer(portal, "gateway", f"gateway-{i}", token) for i in range(10)]
        for gateway in gateways:  # another name is a write
            gateway.url = gateway.url.replace(f"&name={gateway.name}", f"&name={gateway.name}-{turns}")
        for gateway in gateways:
            await gateway.connect()
            await gateway.close()
        turns += 1
    lab.check(portal.counter("login.drop.store") == 0, f"the log of the state was written back after {10 * turns} changes")
    lab.check("Seccomp:\t2" in open(f"/proc/{portal.process.pid}/status").read(), "the filter of system calls is on")


# ---- access ----

async def access(portal):
    check_options(portal)
    portal.write_policy(document(networks(4)))
    manager = ServiceManager(portal.folder / "notify")
    portal.start(environment={"NOTIFY_SOCKET": str(manager.path)})
    manager.check("READY=1")
    portal.process.signal(signal.SIGHUP)
    manager.check("RELOADING=1\nMONOTONIC_USEC=", "STATUS=the policy is that of the file", "READY=1")
    token, relay_token = portal.token("client", ACTOR), portal.token("relay")
    lab.check(await status_of_login(Peer(portal, "client", "a", relay_token)) == 401, "a relay's token is no client's")
    client = await Peer(portal, "client", "a", token).login()
    address = client.init["interface"]["ipv4"]

    statuses = [await status_of_login(Peer(portal, "client", "b", "flc_wrong")) for _ in range(80)]
    lab.check(statuses[0] == 401 and statuses[-1] == 503, f"after {statuses.count(401)} failures a source has to wait")
    lab.check(await status_of_login(Peer(portal, "client", "b", token)) == 503, "with a good token as well: 503, no 4xx")
    lab.check(portal.counter("login.drop.limited") == statuses.count(503) + 1, "each is counted")
    elsewhere = Peer(portal, "client", "b", token, source="127.0.0.2")
    lab.check(await status_of_login(elsewhere) == 101, "another source is not concerned")
    await client.send("heartbeat", {})
    lab.check(client.end is None, "who is connected stays")

    portal.revoke("client")
    lab.check(await client.ended() == 1000, "a revoked token ends its connections")
    lab.check(await status_of_login(Peer(portal, "client", "a", token, source="127.0.0.2")) == 401, "and is refused")
    portal.check_secret_free(token, relay_token)

    await stop_with_open_connections(portal)
    manager.check("STOPPING=1")
    left = sorted(path.name for path in portal.folder.iterdir())
    lab.check(left == ["policy.json", "state.sqlite", "state.sqlite-grants"], f"it leaves its files alone: {left}")
    portal.start()
    lab.check(not portal.status()["clients"] and portal.status()["counters"]["login.accepted"] == 0, "it begins anew")
    fresh = await Peer(portal, "client", "a", portal.token("client", ACTOR)).login()
    lab.check(fresh.init["interface"]["ipv4"] == address, "with the devices that it knew")
    os.kill(portal.process.pid, signal.SIGKILL)
    portal.process.popen.wait()
    portal.start()
    lab.check(True, "it starts over the socket that a killed one left")
    await linked_policy(portal)
    await slow_reader(portal)


async def linked_policy(portal):
    """The policy file is a link into another folder, as of a configuration that something else keeps up to date: what
    happens there is noticed as well, for the link's target and for the file that it leads to."""
    elsewhere = portal.folder.parent / "elsewhere"
    elsewhere.mkdir()
    link, portal.policy = portal.policy, elsewhere / "policy.json"
    link.rename(portal.policy)
    link.symlink_to(portal.policy)
    for resources in (5, 6):
        portal.write_policy(document(networks(resources)))
        noticed = await soon(lambda: str(portal.status()["policy"]["resources"]), str(resources), seconds=20)
        lab.check(noticed, f"a change behind a link is noticed: {portal.status()['policy']['resources']} of {resources}")
    link.unlink()
    portal.policy.rename(link)
    portal.policy = link


def check_options(portal):
    """What it refuses to do, in one sentence each."""
    rows = [({"listen": "0.0.0.0:0"}, "would show tokens and keys to the network"),
            ({"listen": "[::]:0"}, "--insecure-plaintext"),
            ({"listen": "portal.example:80"}, "use ADDRESS:PORT"),
            ({"tls-cert": "x"}, "need each other"),
            ({"tls-cert": "/none", "tls-key": "/none"}, "/none"),
            ({"state": "/proc/none/state"}, "/proc/none/state"),
            ({"policy": "/none.json"}, "/none.json: cannot be read: No such file or directory")]
    for options, words in rows:
        result = portal.lab.run(*portal.arguments(**options), must=False)
        lab.require(result.returncode == 1 and words in result.stderr and result.stderr.count("\n") == 1,
                    f"{options}: {result.returncode} {result.stderr}")
    lab.check(True, f"{len(rows)} wrong command lines are refused with a sentence")
    plain = lab.Process(portal.lab, portal.arguments("--insecure-plaintext", listen="0.0.0.0:0"), "plain")
    lab.wait_until(lambda: "listens on" in plain.text(), portal_host.START_SECONDS, "it listens in plain text")
    lab.check("tokens and keys cross the network readable" in plain.text(), "--insecure-plaintext warns")
    lab.require(plain.stop() == 0, "it ends with code 0")


async def slow_reader(portal):
    """Who does not read is dropped, and costs neither memory nor anybody else's messages."""
    portal.write_policy(document(networks(RESOURCES)))
    lab.require(await soon(lambda: str(portal.status()["policy"]["resources"]), str(RESOURCES)), "the policy is in force")
    token = portal.token("client", ACTOR)
    slow = [Peer(portal, "client", f"slow-{i}", token) for i in range(8)]
    for peer in slow:
        await peer.connect()
        peer.reader.cancel()
        peer.socket.transport.pause_reading()
    good = await Peer(portal, "client", "good", token).login()
    for _ in range(64):
        for peer in slow:
            if peer.socket.open:
                await peer.send("phx_join", None)
    dropped = await soon(lambda: str(portal.counter("websocket.closed.slow")), str(len(slow)), seconds=60)
    lab.check(dropped, f"who does not read is dropped: {portal.counter('websocket.closed.slow')} of {len(slow)}")
    await good.join()
    lab.check(True, "everybody else is served")
    for peer in slow:
        peer.socket.transport.abort()
    portal.check_memory(f"with {len(slow)} slow readers")


# ---- certificate ----

PORTAL_ADDRESS = "10.77.0.1"


def shown_certificate(portal):
    return portal.namespace.output("sh", "-c", f"echo | openssl s_client -connect 127.0.0.1:{portal.port} 2>&1 | openssl x509")


async def certificate(portal):
    file, key = portal_host.openssl_certificate(portal.folder, PORTAL_ADDRESS)
    portal.start("--tls-cert", file, "--tls-key", key, listen=None)
    said = portal.process.text()
    lab.check("readable" not in said and "[::]:8081" in said and "0.0.0.0:8081" in said, "with TLS it listens everywhere")
    programs = {}
    for number, (role, owner) in enumerate((("gateway", SITE), ("client", ACTOR))):
        host = portal.lab.namespace(role)
        portal.lab.link(portal.namespace, [f"10.77.{number}.1/24"], host, [f"10.77.{number}.2/24"], f"p-{role}", "eth0")
        host.run("ip", "route", "add", "default", "via", f"10.77.{number}.1")
        command = [lab.built(f"fireline-{role}"), "--api-url", f"wss://{PORTAL_ADDRESS}:{portal.port}", "--status-socket",
                   portal.folder / f"{role}.sock"]
        environment = {"FIREZONE_TOKEN": portal.token(role, owner), "FIREZONE_ID": role, "HEALTH_CHECK_ADDR": "127.0.0.1:0"}
        stranger = host.start(*command, name=f"{role}-strict", environment=environment)
        lab.require(stranger.wait(30) == 1, f"a {role} that does not know the certificate ends with code 1")
        lab.check("certificate" in stranger.text(), f"a {role} that does not know the certificate says so and ends")
        programs[role] = host.start(*command, "--ca-file", file, name=role, environment=environment)
    online = await soon(lambda: " ".join(f"{role}-{len(portal.status()[role])}" for role in ("gateways", "clients")),
                        "gateways-1", "clients-1")
    lab.check(online, "gateway and client are online over TLS with --ca-file")
    renewed = portal_host.openssl_certificate(portal.folder, PORTAL_ADDRESS)[0].read_text().strip()
    portal.process.signal(signal.SIGHUP)
    lab.check(await soon(lambda: shown_certificate(portal), renewed, seconds=30), "SIGHUP: who comes now gets the renewed certificate")
    lab.check(len(portal.status()["gateways"]) == len(portal.status()["clients"]) == 1, "nobody was cut off")
    key.write_text("no key")
    portal.process.signal(signal.SIGHUP)
    lab.check(await soon(portal.process.text, "the certificate in force stays", "portal.key", seconds=30), "a wrong file is named")
    lab.check(renewed in shown_certificate(portal), "and changes nothing")
    for role, program in programs.items():
        lab.require(program.stop(10) == 0, f"the {role} ends with code 0")
    portal.check_secret_free()
    lab.check(portal.counter("websocket.closed.tls") == 2, "the two refused handshakes are counted")


CASES = {"change": change, "crash": crash, "access": access, "certificate": certificate}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    case = parser.parse_args().case

    def scenario(laboratory):
        portal = Portal(laboratory, document(networks(4)))
        asyncio.run(CASES[case](portal))

    lab.run(scenario)


if __name__ == "__main__":
    sys.exit(main())
