#!/usr/bin/python3
"""A client that holds valid keys and keeps to no rule, in the whole system of portal_lab.py: its program is
system_hostile_client, which sends its gateway whatever comes into its TUN. Nothing that was not granted passes, the
gateway counts why, goes on serving, and takes no more memory. What is no IP packet by its own length never leaves the
client; core/tunnel's fuzz target has it.

usage: portal_hostile_packets.py grants|internet
  grants    beside a network and a web server, by their filters
  internet  with the Internet resource
"""
import json
import os
import re
import struct
import sys
import time

import generators
import lab
import portal_lab
import raw_packets as raw
from portal_lab import LAB, LAB_6, TUN, System, policy

WEB = {"name": "Web", "type": "ip", "address": "172.20.0.100", "filters": ["tcp/80", "icmp"]}
WEB_6 = {**WEB, "name": "Web IPv6", "address": "172:20::100"}
INTERNET = {"name": "Internet", "type": "internet"}
HOSTS = ("172.21.0.100", "172:21::100")
FORBIDDEN, FORBIDDEN_6 = "172.20.0.110", "172:20::110"
COPIES = 5  # at least
COUNT_SECONDS = 20
FLOOD_RATE, FLOOD_SECONDS = 20_000, 5
GROWTH_MIB = 8  # what an allocator may do; a leak at this rate would take ten times that


def rows(client, client_6, gateway, gateway_6):
    """What is sent, its bytes, and what the gateway calls it."""
    web, web_6 = WEB["address"], WEB_6["address"]
    fragment_6 = raw.extension(raw.UDP, struct.pack(">HI", 1, 7))  # the first of more
    later_6 = raw.extension(raw.UDP, struct.pack(">HI", 8 << 3, 7))
    routing = raw.extension(raw.UDP, bytes([0, 1, 0, 0, 0, 0]) + raw.packed(FORBIDDEN_6))
    cut = raw.udp(80)[:6]
    yield "a host of no resource", raw.packet(client, FORBIDDEN, raw.UDP, raw.udp(80)), "not_granted"
    yield "the same of IPv6", raw.packet(client_6, FORBIDDEN_6, raw.UDP, raw.udp(80)), "not_granted"
    yield "broadcast", raw.packet(client, "255.255.255.255", raw.UDP, raw.udp(67)), "not_granted"
    yield "a port that no filter names", raw.packet(client, web, raw.TCP, raw.syn(22)), "filtered"
    yield "another protocol on the same port", raw.packet(client, web, raw.UDP, raw.udp(80)), "filtered"
    yield "the same of IPv6", raw.packet(client_6, web_6, raw.UDP, raw.udp(80)), "filtered"
    yield "a protocol of which no filter knows", raw.packet(client, web, raw.GRE, bytes(20)), "filtered"
    for source in ("100.64.200.200", gateway, "172.21.0.100", "8.8.8.8", "127.0.0.1", "0.0.0.0", "255.255.255.255"):
        yield f"the source {source}", raw.packet(source, HOSTS[0], raw.UDP, raw.udp(80)), "source"
    for source in ("fd00:2021:1111::7:7", gateway_6, "172:21::100", "::1", "::", "ff02::1"):
        yield f"the source {source}", raw.packet(source, HOSTS[1], raw.UDP, raw.udp(80)), "source"
    yield "another client", raw.packet(client, "100.64.200.200", raw.TCP, raw.syn(22)), "between_clients"
    yield "another client by IPv6", raw.packet(client_6, "fd00:2021:1111::7:7", raw.TCP, raw.syn(22)), "between_clients"
    yield "an address of no name", raw.packet(client, "100.96.0.9", raw.TCP, raw.syn(80)), "proxy"
    yield "the same of IPv6", raw.packet(client_6, "fd00:2021:1111:8000::9", raw.TCP, raw.syn(80)), "proxy"
    yield "multicast", raw.packet(client, "224.0.0.251", raw.UDP, raw.udp(5353)), "multicast"
    yield "multicast of IPv6", raw.packet(client_6, "ff02::fb", raw.UDP, raw.udp(5353)), "multicast"
    yield "an ICMP error", raw.packet(client, HOSTS[0], raw.ICMP, raw.icmp(3, 1, bytes(28))), "icmp_error"
    yield "an ICMPv6 error", raw.packet(client_6, HOSTS[1], raw.ICMP6, raw.icmp(1, 3, bytes(48))), "icmp_error"
    yield "an ICMP redirect", raw.packet(client, HOSTS[0], raw.ICMP, raw.icmp(5, 1, bytes(28))), "icmp_error"
    yield "a first fragment", raw.ipv4(client, HOSTS[0], raw.UDP, raw.udp(80), fragment=raw.MORE_FRAGMENTS), "fragment"
    yield "a later fragment", raw.ipv4(client, HOSTS[0], raw.UDP, bytes(64), fragment=8), "fragment"
    yield "a first fragment of IPv6", raw.ipv6(client_6, HOSTS[1], raw.FRAGMENT, fragment_6 + raw.udp(80)), "fragment"
    yield "a later fragment of IPv6", raw.ipv6(client_6, HOSTS[1], raw.FRAGMENT, later_6 + bytes(64)), "fragment"
    yield ("options before a port that no filter names",
           raw.ipv4(client, web, raw.UDP, raw.udp(80), options=b"\x01" * 40), "filtered")
    yield ("a source route on to another host",
           raw.ipv4(client, HOSTS[0], raw.UDP, raw.udp(80), options=raw.source_route(FORBIDDEN)), "source_route")
    yield ("a source route by way of the gateway",
           raw.ipv4(client, gateway, raw.UDP, raw.udp(9), options=raw.source_route(FORBIDDEN)), "source_route")
    yield ("extension headers before a port that no filter names",
           raw.ipv6(client_6, web_6, raw.HOP_BY_HOP, raw.extension(raw.DESTINATION_OPTIONS, b"\1\4\0\0\0\0")
                    + raw.extension(raw.UDP, b"\1\4\0\0\0\0") + raw.udp(80)), "filtered")
    yield ("a routing header on to another host",
           raw.ipv6(client_6, HOSTS[1], raw.ROUTING, routing + raw.udp(80)), "source_route")
    yield ("a routing header by way of the gateway",
           raw.ipv6(client_6, gateway_6, raw.ROUTING, routing + raw.udp(9)), "source_route")
    yield ("more extension headers than anybody needs",
           raw.ipv6(client_6, HOSTS[1], raw.DESTINATION_OPTIONS, 40 * raw.extension(raw.DESTINATION_OPTIONS, b"\1\4\0\0\0\0")
                    + raw.extension(raw.UDP, b"\1\4\0\0\0\0") + raw.udp(80)), "bad_packet")
    yield ("an extension header longer than the packet",
           raw.ipv6(client_6, HOSTS[1], raw.DESTINATION_OPTIONS, bytes([raw.UDP, 200]) + bytes(6)), "bad_packet")
    yield "half a UDP header", raw.ipv4(client, HOSTS[0], raw.UDP, cut), "bad_packet"
    yield "the same of IPv6", raw.ipv6(client_6, HOSTS[1], raw.UDP, cut), "bad_packet"
    yield "UDP that says to be longer", raw.packet(client, HOSTS[0], raw.UDP, raw.udp(80, length=1000)), "bad_packet"
    yield "a TCP header that says to be longer", raw.packet(client, HOSTS[0], raw.TCP, raw.syn(80)[:12] + b"\xf0"
                                                            + raw.syn(80)[13:]), "bad_packet"
    yield "TCP without its header", raw.ipv4(client, HOSTS[0], raw.TCP, b""), "bad_packet"
    yield "ICMP of the other family", raw.ipv4(client, HOSTS[0], raw.ICMP6, raw.icmp(128, 0)), "bad_packet"


def internet_rows(client, client_6, gateway, gateway_6):
    for destination in ("0.0.0.1", "10.0.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.100", "192.168.0.1", "240.0.0.1",
                        "255.255.255.255"):
        yield destination, raw.packet(client, destination, raw.UDP, raw.udp(80)), "not_internet"
    for destination in ("::", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "fc00::1", "fe80::1", "fec0::1"):
        yield destination, raw.packet(client_6, destination, raw.UDP, raw.udp(80)), "not_internet"
    yield "100.64.0.0/11", raw.packet(client, "100.64.1.1", raw.UDP, raw.udp(80)), "between_clients"
    yield "100.96.0.0/11", raw.packet(client, "100.127.1.1", raw.UDP, raw.udp(80)), "proxy"
    yield "224.0.0.0/4", raw.packet(client, "239.1.2.3", raw.UDP, raw.udp(80)), "multicast"
    yield "ff00::/8", raw.packet(client_6, "ff0e::1", raw.UDP, raw.udp(80)), "multicast"
    yield "the internet with another's source", raw.packet("100.64.200.200", "8.8.8.8", raw.UDP, raw.udp(80)), "source"


class Hostile:
    def __init__(self, laboratory, *resources, environment=None):
        os.environ["FIRELINE_CLIENT"] = os.environ.get("FIRELINE_HOSTILE_CLIENT",
                                                       str(lab.ROOT / "build/tests/system_hostile_client"))
        self.system = System(laboratory, policy(*resources))
        self.gateway = self.system.world["gateway"]
        self.system.serve()
        self.system.start(clients=[])
        self.system.start_client(environment=environment)
        self.client = self.system.world["client"]
        own, theirs = self.system.status("client"), self.addresses(self.gateway)
        self.packets = (own["ipv4"], own["ipv6"], *theirs)

    def addresses(self, namespace):
        listed = json.loads(namespace.output("ip", "-j", "address", "show", "dev", TUN))[0]["addr_info"]
        return tuple(next(one["local"] for one in listed if one["family"] == family) for family in ("inet", "inet6"))

    def watch(self):
        """From here on passed() counts what comes out of the gateway's TUN."""
        lab.wait_until(self.is_quiet, COUNT_SECONDS, "the tunnel is quiet")
        self.gateway.run("nft", "-f", "-", text="table inet watch {\n chain watch {\n"
                         f'  type filter hook prerouting priority raw;\n  iifname "{TUN}" counter\n }}\n}}\n')

    def unwatch(self):
        self.gateway.run("nft", "delete", "table", "inet", "watch")

    def passed(self):
        return int(re.search(r"counter packets (\d+)", self.gateway.output("nft", "list", "table", "inet", "watch"))[1])

    def is_quiet(self):
        before = self.count("to_tun")
        time.sleep(1)
        return self.count("to_tun") == before

    def count(self, name):
        return self.system.counter("gateway", f"gateway.inner.{name}")

    def check_rows(self, table):
        injector = raw.Injector(self.client, TUN)
        for what, data, why in table:
            before = self.count(f"drop.{why}")

            def counted():
                injector.send(data)
                return self.count(f"drop.{why}") >= before + COPIES

            lab.wait_until(counted, COUNT_SECONDS * portal_lab.PATIENCE, f"{what} is counted as {why}")
            print(f"  ok: {why}: {what}", flush=True)
        lab.check(self.passed() == 0, "nothing of it passed")

    def check_length(self):
        """The client's own device keeps to the MTU; its kernel is told another one."""
        self.client.run("ip", "link", "set", TUN, "mtu", "1500")
        before = self.system.counter("client", "drop.tun.too_big")
        raw.Injector(self.client, TUN).send(raw.packet(self.packets[0], HOSTS[0], raw.UDP, raw.udp(80, bytes(1280))))
        lab.wait_until(lambda: self.system.counter("client", "drop.tun.too_big") > before, COUNT_SECONDS,
                       "what is too long does not leave the client")
        self.client.run("ip", "link", "set", TUN, "mtu", "1280")

    def flood(self, table):
        """All of it as fast as it comes, beside somebody who is served."""
        memory = self.memory()
        messages = [data for _, data, _ in table]
        sender = generators.start(self.client, "given", FLOOD_RATE, interface=TUN, messages=messages)
        before = self.count("packets")
        lab.wait_until(lambda: self.count("packets") > before + FLOOD_RATE, 60 * portal_lab.PATIENCE, "the flood arrives")
        first = self.memory()
        lab.wait_until(lambda: self.system.curl(HOSTS[0], must=False).returncode == 0, 60, "somebody is served meanwhile")
        print(f"  ok: {HOSTS[0]} is reached meanwhile", flush=True)
        time.sleep(FLOOD_SECONDS)
        generators.stop(sender, 20)
        after = self.memory()
        lab.check(after - first < GROWTH_MIB, f"{self.count('packets') - before} packets took no memory of the gateway: "
                  f"{memory:.1f}, {first:.1f}, {after:.1f} MiB")
        lab.check(self.system.counter("gateway", "gateway.unanswered.limited") > 0, "most of them are not answered")

    def memory(self):
        return portal_lab.resident_mib(self.system.programs["gateway"].pid)


def grants(laboratory):
    here = Hostile(laboratory, LAB, LAB_6, WEB, WEB_6)
    here.system.check_curl(*HOSTS, WEB["address"], WEB_6["address"])
    table = list(rows(*here.packets))
    here.watch()
    here.check_rows(table)
    here.check_length()
    here.unwatch()
    here.flood(table)
    here.system.check_curl(*HOSTS, WEB["address"], WEB_6["address"])
    here.system.finish()


def internet(laboratory):
    here = Hostile(laboratory, LAB, INTERNET, environment={"FIREZONE_ACTIVATE_INTERNET_RESOURCE": "true"})
    here.system.check_curl(HOSTS[0])
    # The first one asks for the resource.
    injector = raw.Injector(here.client, TUN)

    def has_internet():
        injector.send(raw.packet(here.packets[0], "203.0.113.1", raw.UDP, raw.udp(9)))
        return len(here.system.grants()) == 2

    lab.wait_until(has_internet, COUNT_SECONDS * portal_lab.PATIENCE, "the Internet resource is granted")
    here.watch()
    here.check_rows(list(internet_rows(*here.packets)))
    here.unwatch()
    here.system.check_curl(HOSTS[0])
    here.system.finish()


SCENARIOS = {"grants": grants, "internet": internet}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(SCENARIOS[sys.argv[1]])
