#!/usr/bin/python3
"""Three tiers of routes on a client's host: its resources before its LAN, its LAN before the Internet resource, and its
own sockets before all of them. In the whole system of portal_lab.py, with

    lan ── client ── NAT ── internet       lan: .1 of 172.21.0.0/25 and of 198.51.100.0/24, .1 of 172:21::/80
                                           internet: 203.0.113.1, and another 198.51.100.1

so that a resource has a longer prefix on the LAN, and the LAN a namesake on the internet. Servers answer with their
name and with whom they see.

usage: portal_routing.py tiers|roaming|ends
  tiers    who gets a packet, with the LAN there and gone; interfaces without a carrier; who carries the mark
  roaming  the client's TUN goes down and up, its address, then its link are replaced: the same again, without a word to
           the client
  ends     what is left of the client's routes when it ends, when it is killed, and when it starts among leftovers
"""
import re
import sys
import time

import internet
import lab
import portal_lab
import web_server
from portal_lab import LAB, LAB_6, TUN, System, policy

INTERNET = {"name": "Internet", "type": "internet"}
LAN_ADDRESSES = ("172.21.0.7/25", "172:21::7/80")  # within the resources' networks, with a longer prefix
LAN_HOSTS = ("172.21.0.100/25", "172:21::100/80")
SHARED, SHARED_HOST, SHARED_CLIENT = "198.51.100.0/24", "198.51.100.1", "198.51.100.7/24"
RESOURCE_HOSTS = ("172.21.0.100", "172:21::100")
INTERNET_HOSTS = internet.address(1)
TABLES = {"tunnel": 0x2021FD00, "link": 0x2021FD01, "internet": 0x2021FD02}
MARK = 0xFD002021
RULES = {100: TABLES["tunnel"], 200: TABLES["link"], 300: TABLES["internet"]}
SYNC_SECONDS = 20  # half a second of silence, and a loaded machine
ROAM_SECONDS = 40
QUIET_SECONDS = 3


class Tiers:
    """The system with a LAN and an internet to reach, the Internet resource switched on."""

    def __init__(self, laboratory):
        self.system = System(laboratory, policy(LAB, LAB_6, INTERNET))
        self.world, self.client = self.system.world, self.system.world["client"]
        self.lan = laboratory.namespace("lan")
        laboratory.link(self.client, [], self.lan, [*LAN_HOSTS, f"{SHARED_HOST}/24"], name="lan")
        self.add_lan_addresses(LAN_ADDRESSES)
        # Another network of the same name beyond the gateway.
        core, gateway = self.world.core, self.world["gateway"]
        core.run("ip", "address", "add", f"{SHARED_HOST}/24", "dev", "net")
        self.world.router("gateway").run("ip", "route", "add", SHARED, "via", INTERNET_HOSTS[0])
        gateway.run("ip", "route", "add", SHARED, "via", internet.SITES["gateway"].inside(254)[0])
        self.system.serve()
        for name, namespace in (("lan", self.lan), ("internet", core)):
            web_server.start(namespace, 80, "name", name)

    def add_lan_addresses(self, addresses):
        for one in addresses:
            self.client.run("ip", "address", "replace", one, "dev", "lan", *(["nodad"] if ":" in one else []))

    def start(self):
        self.system.start(clients=[])
        self.start_client()

    def start_client(self):
        self.system.start_client(environment={"FIREZONE_ACTIVATE_INTERNET_RESOURCE": "true"})

    def ask(self, address):
        """Who answers at this address, and whom it sees; None when nobody does."""
        result = self.system.curl(address, "/get", must=False)
        return result.stdout.strip() if result.returncode == 0 else None

    def wait_answer(self, address, expected, why, seconds=SYNC_SECONDS):
        seen = [None]

        def answered():
            seen[0] = self.ask(address)
            return seen[0] == expected

        try:
            lab.wait_until(answered, seconds * portal_lab.PATIENCE, why)
        except lab.Failure as failure:
            raise lab.Failure(f"{failure}; {address} says {seen[0]}, expected {expected}\n{self.routes()}")
        print(f"  ok: {why}: {address} is {expected!r}", flush=True)

    def check_tiers(self):
        for address in RESOURCE_HOSTS:
            self.wait_answer(address, "served", "a resource comes before the LAN")
        router = internet.SITES["client"].inside(254)[0]
        self.client.check_reaches(router, f"the LAN comes before the internet: {router} answers")
        for address, seen in zip(INTERNET_HOSTS, internet.SITES["gateway"].public):
            self.wait_answer(address, f"internet {seen}", "the internet is reached by the gateway")

    def check_own_sockets(self):
        """They carry the mark, reach the portal by the client's own router, and nothing of theirs meets the TUN."""
        client = self.system.programs["client"]
        sockets = [line for line in self.client.output("ss", "-H", "-n", "-a", "-t", "-u", "-e", "-p").splitlines()
                   if f"pid={client.pid}," in line]
        unmarked = [line for line in sockets if f"fwmark:{MARK:#x}" not in line]
        lab.check(len(sockets) >= 3 and not unmarked, f"each of the client's {len(sockets)} sockets carries the mark "
                  f"{unmarked}".rstrip(" []"))
        peers = self.world["portal"].output("ss", "-H", "-n", "-t", "state", "established", "sport", "=",
                                            f":{internet.PORTAL_PORT}")
        seen = internet.SITES["client"].public[0]
        lab.check(f"[::ffff:{seen}]" in peers or f"{seen}:" in peers, f"the portal sees the client's own router, {seen}")
        # What ends of the connections before may still be repeated.
        lab.wait_until(self.is_quiet, SYNC_SECONDS * portal_lab.PATIENCE, "the TUN is quiet")
        print(f"  ok: nothing of the client's own meets its TUN in {QUIET_SECONDS} s", flush=True)

    def is_quiet(self):
        def packets():
            return self.system.counter("client", "client.tun.packets") - self.system.counter("client", "client.tun.drop.multicast")

        before = packets()
        time.sleep(QUIET_SECONDS)
        return packets() == before

    def links(self):
        """Destinations of the copies of link-scope routes, with their interfaces."""
        text = self.client.output("ip", "-4", "route", "show", "table", TABLES["link"], must=False)
        return {tuple(re.match(r"(\S+) dev (\S+)", line).groups()) for line in text.splitlines()}

    def wait_links(self, expected, why):
        try:
            lab.wait_until(lambda: self.links() == expected, SYNC_SECONDS * portal_lab.PATIENCE, why)
        except lab.Failure as failure:
            raise lab.Failure(f"{failure}; there is {self.links()}, expected {expected}")
        print(f"  ok: {why}", flush=True)

    def routes(self):
        return "\n".join(f"{name} {family}: " + self.client.output("ip", family, "route", "show", "table", number, must=False)
                         for name, number in TABLES.items() for family in ("-4", "-6"))


def link_routes(*more):
    return {("172.30.0.0/24", "eth0"), ("172.21.0.0/25", "lan"), *more}


def tiers(laboratory):
    here = Tiers(laboratory)
    # Neither has a carrier: the other end is down, and there is nothing that could be up or down.
    here.client.run("ip", "-batch", "-", text="link add dark type veth peer name darker\nlink set dark up\n"
                    "address add 192.0.2.7/24 dev dark\n")
    here.start()
    here.wait_links(link_routes(), "routes of the LAN are copied, and none of an interface without a carrier")
    here.wait_answer(SHARED_HOST, f"internet {internet.SITES['gateway'].public[0]}", "what is not on the LAN is on the internet")
    here.check_tiers()
    here.check_own_sockets()

    here.add_lan_addresses([SHARED_CLIENT])
    here.wait_links(link_routes((SHARED, "lan")), "a network that appears is copied")
    here.wait_answer(SHARED_HOST, f"lan {SHARED_CLIENT.split('/')[0]}", "the LAN comes before the internet")
    here.check_tiers()
    here.client.run("ip", "link", "set", "darker", "up")
    here.wait_links(link_routes((SHARED, "lan"), ("192.0.2.0/24", "dark")), "so is one whose carrier appears")
    here.lan.run("ip", "link", "set", "lan", "down")
    here.wait_links(link_routes(("192.0.2.0/24", "dark")) - {("172.21.0.0/25", "lan")}, "one that loses its carrier goes")
    here.wait_answer(SHARED_HOST, f"internet {internet.SITES['gateway'].public[0]}", "the internet is not hidden by it")
    here.system.finish()


def roaming(laboratory):
    here = Tiers(laboratory)
    here.add_lan_addresses([SHARED_CLIENT])
    here.start()
    everything = link_routes((SHARED, "lan"))
    here.wait_links(everything, "the LAN's routes are copied")

    def check(what):
        for address in RESOURCE_HOSTS:
            here.wait_answer(address, "served", f"{what}: a resource comes first", ROAM_SECONDS)
        here.wait_answer(SHARED_HOST, f"lan {SHARED_CLIENT.split('/')[0]}", f"{what}: the LAN comes second")
        for address, seen in zip(INTERNET_HOSTS, internet.SITES["gateway"].public):
            here.wait_answer(address, f"internet {seen}", f"{what}: the internet comes third", ROAM_SECONDS)
        here.wait_links(everything, f"{what}: the copies are right")

    check("at first")
    here.client.run("ip", "link", "set", TUN, "down")
    here.client.run("ip", "link", "set", TUN, "up")
    check("the TUN was down")

    resets = count_resets(here)
    here.world.renumber("client", 200)
    lab.wait_until(lambda: count_resets(here) > resets, SYNC_SECONDS * portal_lab.PATIENCE, "the client notices its new address")
    check("another address")

    resets = count_resets(here)
    here.world.unplug("client")
    here.wait_links(everything - {("172.30.0.0/24", "eth0")}, "the copy goes with its link")
    here.world.plug("client")
    check("unplugged and plugged in again")

    resets = count_resets(here)
    here.client.run("ip", "link", "delete", "eth0")
    here.wait_links(everything - {("172.30.0.0/24", "eth0")}, "the copy goes with its interface")
    replace_link(here)
    lab.wait_until(lambda: count_resets(here) > resets, SYNC_SECONDS * portal_lab.PATIENCE, "the client notices its new link")
    everything = everything - {("172.30.0.0/24", "eth0")} | {("172.30.0.0/24", "wlan0")}
    check("another interface")
    here.check_own_sockets()
    here.system.finish()


def count_resets(here):
    return here.system.programs["client"].text().count("session reset: ")


def replace_link(here):
    """The client's host is on its network again, by another interface and with another address."""
    site, router = internet.SITES["client"], here.world.router("client")
    here.system.lab.link(router, [], here.client, [], name="internal", right_name="wlan0")
    for end, interface, number in ((router, "internal", 254), (here.client, "wlan0", 201)):
        end.run("ip", "-batch", "-", text="\n".join(
            f"address replace {one}/{length} dev {interface}{' nodad' if length == 64 else ''}"
            for one, length in zip(site.inside(number), (24, 64))))
    here.client.run("ip", "-batch", "-", text="\n".join(
        f"route replace {network} via {via} dev wlan0" for network, via in zip(internet.NETWORK, site.inside(254))))


def ends(laboratory):
    here = Tiers(laboratory)
    here.start()
    here.check_tiers()
    rules = here.client.output("ip", "-d", "rule")
    found = dict((int(priority), int(table)) for priority, table in re.findall(
        rf"^(\d+):\s+not from all fwmark {MARK:#x} lookup (\d+) proto kernel", rules, re.M))
    lab.check(found == RULES, f"three rules, in the order of the tiers: {found or rules}")

    here.system.stop("client")
    check_nothing_left(here, "the client has ended")
    # Its rules lead to empty tables: this host is as if it had none.
    here.wait_answer(RESOURCE_HOSTS[0], "lan 172.21.0.7", "without the client the LAN has its addresses")
    here.wait_answer(INTERNET_HOSTS[0], f"internet {internet.SITES['client'].public[0]}", "and the internet is reached by its own router")

    here.start_client()
    here.check_tiers()
    here.system.programs["client"].kill()
    lab.wait_until(lambda: not here.client.has_link(TUN), 10, "a killed client's TUN is gone")
    routes = here.routes()
    lab.check(TUN not in routes, "so are the routes into it")
    here.wait_answer(RESOURCE_HOSTS[0], "lan 172.21.0.7", "without the client the LAN has its addresses")
    # What a kill leaves, and what a worse end could have left.
    for table, route in ((TABLES["tunnel"], "172.21.0.0/24 dev lan"), (TABLES["link"], "203.0.113.0/24 dev lan scope link"),
                         (TABLES["internet"], "default dev lan")):
        here.client.run("ip", "route", "replace", *route.split(), "table", table)
    here.start_client()
    here.check_tiers()
    here.wait_links(link_routes(), "a stale copy is gone")
    left = [line for name in ("tunnel", "internet") for line in
            here.client.output("ip", "route", "show", "table", TABLES[name]).splitlines() if TUN not in line]
    lab.check(not left, f"stale routes are gone {left}".rstrip(" []"))
    lab.check(here.client.output("ip", "-d", "rule") == rules, "the rules are there once")
    here.system.finish()
    check_nothing_left(here, "the client has ended again")


def check_nothing_left(here, when):
    lab.check(not here.client.has_link(TUN), f"{when}: no interface")
    for family in ("-4", "-6"):
        for name, table in TABLES.items():
            left = here.client.output("ip", family, "route", "show", "table", table, must=False)
            lab.require(not left, f"{when}: the {name} table is empty: {left}")
    print(f"  ok: {when}: the three tables are empty", flush=True)
    left = here.client.output("ip", "address", "show", "to", "100.64.0.0/10")
    lab.check(not left, f"{when}: no address {left}".rstrip())


SCENARIOS = {"tiers": tiers, "roaming": roaming, "ends": ends}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(SCENARIOS[sys.argv[1]])
