#!/usr/bin/python3
"""Scenarios of platform spec 8.3 about the network under the tunnel, in the whole system of portal_lab.py.

usage: portal_network.py roaming|plug|reset|loss|ecn
  roaming  under a download the client's cable is pulled, it comes back with another address behind a router that forgot
           everything, and is told (SIGHUP); then its address and the kind of its NAT change, and it is not told
  plug     the client's cable is pulled and plugged into another network, and it is not told: one reset, once both families are there
  reset    under a download the session is reset; curl gives one up, and the server hears of it
  loss     a fifth of what the client sends is lost: a download with the right hash, and the connection stays
  ecn      congestion marks on the way reach TCP inside the tunnel, both ways
"""
import datetime
import hashlib
import ipaddress
import os
import re
import sys
import time

import internet
import kernel
import lab
import nat
import portal_lab
import web_server
from internet import Wire
from portal_lab import LAB, LAB_6, System, policy
from strain import Strain

HOSTS = ("172.21.0.100", "172:21::100")
SERVER = "dns-resources"
DOWNLOAD = "/var/lib/download"
PORT = 81
BEFORE_SECONDS = 2  # of a download, before anything happens
AWAY_SECONDS = 3
DOWNLOAD_SECONDS = 150  # what a download may take on a loaded machine; nothing is judged by it
CONNECT_SECONDS = 2  # from intent to a completed handshake
LOSS_PERCENT = 20
GIVEN_UP_SECONDS = 3


class Download:
    """One by curl from a slow server that waits for its end, so that it lasts as long as things happen to it."""

    def __init__(self, system, address):
        self.system, self.address = system, address
        self.file, self.go = system.world["client"].files / "lib/download", system.lab.folder / "go"
        self.file.unlink(missing_ok=True)
        self.process = system.world["client"].start(
            "curl", "-sS", "--fail", "--keepalive-time", "1", "-o", DOWNLOAD,
            f"http://{f'[{address}]' if ':' in address else address}:{PORT}/", name="curl")
        self.wait_more("it begins")

    def size(self):
        return self.file.stat().st_size if self.file.exists() else 0

    def wait_more(self, why):
        before = self.size()
        lab.wait_until(lambda: self.size() > before or not self.process.alive(), DOWNLOAD_SECONDS, f"the download goes on: {why}")
        lab.check(self.size() > before, f"the download goes on: {why}{self.process.text()}")

    def check_end(self):
        """Lets it come to its end."""
        lab.require(self.process.alive(), "the download has not ended before")
        self.go.touch()
        lab.require(self.process.wait(DOWNLOAD_SECONDS) == 0, f"curl ends well: {self.process.text()}")
        self.go.unlink()
        lab.check(hashlib.sha256(self.file.read_bytes()).hexdigest() == portal_lab.ZEROS_SHA256,
                  f"the download from {self.address} has the right hash")


def started(laboratory, **how):
    system = System(laboratory, policy(LAB, LAB_6), **how)
    system.serve()
    web_server.start(system.world[SERVER], PORT, "paced", laboratory.folder / "go")
    system.start()
    system.check_curl(*HOSTS)
    return system


def roaming(laboratory):
    system = started(laboratory)
    world, download, strain = system.world, Download(system, HOSTS[0]), Strain()
    time.sleep(BEFORE_SECONDS)
    seen, line = [outer_source(system)], lines_of(system)
    world.unplug("client")
    time.sleep(AWAY_SECONDS)
    world.renumber("client", 200)
    world.forget("client")
    world.plug("client")
    system.reset_client()
    download.wait_more("plugged in with another address")
    took = [connect_seconds(system, line)]
    seen.append(outer_source(system))

    time.sleep(BEFORE_SECONDS)
    line = lines_of(system)
    world.set_nat("client", "symmetric")
    world.renumber("client", 201)
    lab.wait_until(lambda: resets(system, line), 30, "the client notices by itself")
    download.wait_more("behind another NAT")
    took.append(connect_seconds(system, line))
    seen.append(outer_source(system))
    download.check_end()
    lab.check(strain.allows(CONNECT_SECONDS * portal_lab.PATIENCE, max(took)), "from intent to handshake: "
              + ", ".join(f"{one:.2f} s" for one in took) + f" ({CONNECT_SECONDS} s are allowed, {strain})")
    lab.check(len(set(seen)) == len(seen), "it came from " + ", then from ".join(seen))
    lab.check(len(system.status("gateway")["clients"]) == 1, "the gateway has one client")
    # Rings that were made behind the filter of system calls.
    used = [system.status(host)["udp_io"] for host in ("client", "gateway")]
    wanted = os.environ.get("FIRELINE_UDP_IO", used[0])
    if wanted == "io_uring":
        kernel.require_io_uring()
    lab.check(used == [wanted] * 2, f"the sockets' backend is {wanted}")
    system.check_curl(*HOSTS)
    system.finish()


def plug(laboratory):
    system = started(laboratory)
    world, line = system.world, lines_of(system)
    world.unplug("client")
    lab.wait_until(lambda: resets(system, line, "the network is gone"), 30, "the client notices that it is cut off")
    world.clear_addresses("client")
    world.forget("client")
    world.router("client").run("ip", "link", "set", nat.INSIDE, "up")
    world.renumber("client", 200, checked=True)
    seen = lab.wait_until(lambda: resets(system, line), 30, "the session is reset")
    system.check_curl(*HOSTS)
    addresses = map(ipaddress.ip_address, internet.SITES["client"].inside(200))
    lab.check(all(f"from {address}" in seen[0] for address in addresses), f"the reset knows both families: {seen[0]}")
    system.finish()
    lab.check(len(resets(system, line)) == 1, "it was one reset")


def resets(system, first, what="session reset: "):
    """Lines of the client's log, from this one on."""
    return [one for one in system.programs["client"].history()[first:] if what in one]


def outer_source(system):
    """What the client sends from, and what its gateway sends to."""
    own, theirs = lab.wait_until(lambda: all(system.paths()) and system.paths(), 30, "both ends have a path")
    return f"{own['source']} seen as {theirs['destination']}"


def lines_of(system):
    return len(system.programs["client"].history())


def connect_seconds(system, first):
    """By the client's log, from this line on: how long it took from the first intent of a new session to the connection.
    While it was cut off it had asked as well, for its gateway was silent."""
    def times(what):
        lines = system.programs["client"].history()[first:]
        begin = next((number for number, line in enumerate(lines) if "session reset: " in line), len(lines))
        return [datetime.datetime.fromisoformat(line.split()[0].removesuffix("Z"))
                for line in lines[begin:] if re.search(what, line)]

    connected = lab.wait_until(lambda: times(r"gateway \S+: connected"), 30, "the client is connected")
    return (connected[0] - times("asking the portal for a gateway")[0]).total_seconds()


def reset(laboratory):
    system = started(laboratory)
    download = Download(system, HOSTS[1])
    time.sleep(1)
    joins = system.counter("client", "portal.joins")
    system.reset_client()
    lab.wait_until(lambda: system.counter("client", "portal.joins") > joins, 30, "the client has logged in again")
    download.wait_more("the session was reset")
    download.check_end()
    for address in HOSTS:
        download = Download(system, address)
        time.sleep(2)
        lab.check(served(system) == 1, "the server has a connection")
        download.process.stop()
        lab.wait_until(lambda: served(system) == 0, GIVEN_UP_SECONDS * portal_lab.PATIENCE, "the server hears the end")
        print(f"  ok: curl gave up a download from {address} after {download.size() / 1e6:.1f} MB, and the server heard it")
    system.check_curl(*HOSTS)
    system.finish()


def served(system):
    """Established connections of the web server."""
    return len(system.world[SERVER].output("ss", "-H", "-n", "-t", "state", "established", "sport", "=", f":{PORT}").splitlines())


def loss(laboratory):
    system = System(laboratory, policy(LAB, LAB_6), wires={"client": Wire(5), "gateway": Wire(5)})
    system.serve()
    # Each datagram may be lost by itself, as behind the client's own interface.
    system.world["client"].run("ethtool", "-K", "eth0", "tso", "off", "gso", "off", "tx-udp-segmentation", "off")
    system.start()
    system.check_curl(*HOSTS)
    router = system.world.router("client")
    router.run("nft", "-f", "-", text=f"table inet loss {{\n chain loss {{\n  type filter hook prerouting priority raw;\n"
               f'  iifname "{nat.INSIDE}" counter jump some\n }}\n chain some {{\n'
               f"  numgen random mod 100 < {LOSS_PERCENT} counter drop\n }}\n}}\n")
    for address in HOSTS:
        took = system.download(address, seconds=DOWNLOAD_SECONDS)
        print(f"  ok: 10 MB from {address} in {took:.1f} s (no limit)", flush=True)
    arrived, lost = map(int, re.findall(r"counter packets (\d+)", router.output("nft", "list", "table", "inet", "loss")))
    lab.check(0.5 < 100 * lost / arrived / LOSS_PERCENT < 2, f"{lost} of {arrived} packets were lost")
    router.run("nft", "delete", "table", "inet", "loss")
    text = "\n".join(system.programs["client"].history())
    lab.check(len(re.findall(r"gateway \S+: connected", text)) == 1, "the connection was never lost")
    lab.check(system.counter("client", "portal.joins") == 1, "neither was the portal")
    system.check_curl(*HOSTS)
    system.finish()


def ecn(laboratory):
    system = System(laboratory, policy(LAB, LAB_6))
    server, client = system.world[SERVER], system.world["client"]
    client.run("sysctl", "-qw", "net.ipv4.tcp_ecn=1")
    system.serve()
    system.start()
    system.check_curl(*HOSTS)
    transfers(system)
    found = marks(server)
    lab.check(found["to"] == 0 and found["from"] == 0 and found["capable"] > 0,
              f"without a mark on the way there is none inside, and packets can carry one: {found}")
    for host in ("client", "gateway"):
        system.world.router(host).run("nft", "-f", "-", text="table inet congestion {\n chain congestion {\n"
                                      "  type filter hook forward priority 0;\n" + "".join(
                                          f"  {family} ecn {{ ect0, ect1 }} meta l4proto udp counter {family} ecn set ce\n"
                                          for family in ("ip", "ip6")) + " }\n}\n")
    for address in HOSTS:
        before = marks(server)
        transfers(system, [address])
        after = marks(server)
        lab.check(all(after[way] > before[way] for way in ("to", "from")),
                  f"{address}: TCP inside hears of the congestion outside, both ways: {after}")
    client.run("sysctl", "-qw", "net.ipv4.tcp_ecn=0")
    before = settled_marks(server)
    transfers(system)
    lab.check(marks(server) == before, "TCP that does not want it has none")
    system.check_curl(*HOSTS)
    system.finish()


def transfers(system, addresses=HOSTS):
    for address in addresses:
        for reverse in (False, True):
            lab.iperf(system.world[SERVER], system.world["client"], address, 1, reverse)


def settled_marks(server):
    """When what was on the way has arrived."""
    def settled():
        before = marks(server)
        time.sleep(1)
        return before if marks(server) == before else None

    return lab.wait_until(settled, 30, "no further packet comes")


def marks(server):
    """As the server, behind the gateway, has counted them: packets that came with one, packets that its peer said to have
    come with one, packets that could have one."""
    text = server.output("nstat", "-a", "-s", "-z")
    count = {name: int(value) for name, value in re.findall(r"^(\S+) +(\d+)", text, re.M)}
    return {"to": count["IpExtInCEPkts"] + count["Ip6InCEPkts"], "from": count["TcpExtTCPDeliveredCE"],
            "capable": count["IpExtInECT0Pkts"] + count["Ip6InECT0Pkts"]}


SCENARIOS = {"roaming": roaming, "plug": plug, "reset": reset, "loss": loss, "ecn": ecn}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(SCENARIOS[sys.argv[1]])
