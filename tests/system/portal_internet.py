#!/usr/bin/python3
"""The Internet resource in the whole system of portal_lab.py: a client with it reaches the internet by its gateway, and
nothing of the gateway's own network. A server on that network has the addresses that must not be reached, and the
gateway would pass packets on to it.

usage: portal_internet.py
"""
import internet
import lab
import web_server
from portal_lab import LAB, LAB_6, System, policy
from strain import Strain

INTERNET = {"name": "Internet", "type": "internet"}
HOSTS = internet.address(1)
LAB_HOSTS = ("172.21.0.100", "172:21::100")
SERVER = "resources"
# Addresses of the server, with which a careless gateway would let a client speak.
INNER = {
    "private, of a network beside the gateway": "172.20.0.100",
    "private": "10.1.2.3",
    "private as well": "192.168.7.7",
    "link-local, a cloud's metadata": "169.254.169.254",
    "reserved": "240.1.2.3",
    "unique local": "fd12:3456::7",
    "site-local": "fec0::7",
    "a NAT64's way to a private address": "64:ff9b::a01:203",
    "a NAT64 of the gateway's network": "64:ff9b:1::7",
}
OWN = {"the gateway's own, which is public": "198.51.100.9", "the same of IPv6": "2001:db8:9::9"}
NEWEST = "198.51.100.10"
AT_ONCE_SECONDS = 3  # curl, refused; who hears nothing waits for 10 s
UNREACHABLE = {4: (3, 0), 6: (1, 3)}  # ICMP, as core/packet/icmp_error.h has it for a network


def scenario(laboratory):
    system = System(laboratory, policy(LAB, LAB_6, INTERNET))
    give_addresses(system)
    system.serve()
    web_server.start(system.world.core, 80, "name", "internet")
    web_server.start(system.world["gateway"], 80, "name", "the gateway itself")
    system.start(clients=[])
    system.start_client()
    lab.check(system.curl(HOSTS[0]).stdout == f"internet {internet.SITES['client'].public[0]}\n",
              "nobody switched it on: the client goes its own way")
    system.stop("client")

    system.start_client(environment={"FIREZONE_ACTIVATE_INTERNET_RESOURCE": "true"})
    for address, seen in zip(HOSTS, internet.SITES["gateway"].public):
        lab.check(system.curl(address).stdout == f"internet {seen}\n", f"{address} is reached by the gateway, {seen}")
    system.check_curl(*LAB_HOSTS)
    check_refused(system, {**INNER, **OWN, "the gateway's own, which is private": internet.SITES["gateway"].inner[0]})

    # What it has since it runs is its own as well.
    system.world["gateway"].run("ip", "address", "add", f"{NEWEST}/32", "dev", "lo")
    lab.wait_until(lambda: system.curl(NEWEST, must=False).returncode == 7, 10, "a new address is refused")
    check_refused(system, {"the gateway's newest": NEWEST})
    lab.check(len(system.grants()) == 3, f"the gateway has three grants: {system.grants()}")

    # The resource is taken away: the internet is reached by the client's own router again.
    system.write_policy(policy(LAB, LAB_6, INTERNET, granted=[LAB["name"], LAB_6["name"]]))
    expected = f"internet {internet.SITES['client'].public[0]}\n"
    lab.wait_until(lambda: system.curl(HOSTS[0], must=False).stdout == expected, 20, "the client goes its own way again")
    print("  ok: without the resource the client goes its own way again", flush=True)
    system.check_curl(*LAB_HOSTS)
    system.finish()


def give_addresses(system):
    gateway, server = system.world["gateway"], system.world[SERVER]
    for address in OWN.values():
        gateway.run("ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo")
    for address in INNER.values():
        if address.startswith("172.20."):
            continue
        via, bits = ("172:20::100", 128) if ":" in address else ("172.20.0.100", 32)
        server.run("ip", "address", "add", f"{address}/{bits}", "dev", "lo")
        gateway.run("ip", "route", "add", address, "via", via)
    # They are there, for who is behind the gateway.
    gateway.ping("169.254.169.254", count=1)
    gateway.ping("64:ff9b::a01:203", count=1)


def check_refused(system, addresses):
    before = system.counter("gateway", "gateway.inner.drop.not_internet")
    asked = served(system)
    for what, address in addresses.items():
        strain = Strain()
        result = system.curl(address, must=False)
        lab.check(result.returncode == 7 and strain.allows(AT_ONCE_SECONDS),
                  f"{address} is refused, {what}: {strain.seconds():.2f} s")
        refusal = system.refusal(address, 53)
        lab.require(refusal[:2] == UNREACHABLE[6 if ":" in address else 4], f"{address}: {refusal}")
    after = system.counter("gateway", "gateway.inner.drop.not_internet")
    lab.check(after - before >= 2 * len(addresses), f"the gateway says why, {after - before} times")
    lab.check(served(system) == asked, "nobody behind it was asked")


def served(system):
    return sum(process.text().count("GET") for process in system.lab.processes
               if process.name in ("resources-http", "gateway-http-80"))


if __name__ == "__main__":
    lab.run(scenario)
