#!/usr/bin/python3
"""The whole system does its job: a client behind a NAT reaches the resources of its policy behind a gateway behind a
NAT, and nothing else. Topology: portal_lab.py.

usage: portal_basic.py [direct|relayed]
  direct   both behind NATs that let a direct path through; relayed: both symmetric
"""
import re
import sys
import time

import internet
import lab
from portal_lab import LAB, LAB_6, System, is_prohibited, policy
from strain import Strain

WEB = {"name": "Web", "type": "ip", "address": "172.20.0.100", "filters": ["tcp/80", "icmp"]}
WEB_6 = {**WEB, "name": "Web IPv6", "address": "172:20::100"}
RESOURCES = (LAB, LAB_6, WEB, WEB_6)
NETWORK_HOSTS = ("172.21.0.100", "172:21::100")
FORBIDDEN = ("172.20.0.110", "172:20::110")
AT_ONCE_SECONDS = 3  # a refusal; who hears nothing waits for minutes
UNDER_WAY_SECONDS = 0.3  # what had passed the gateway when it lost the grant
SCENARIOS = {"direct": ("port", "reflexive"), "relayed": ("symmetric", "relayed")}


def scenario(laboratory, name):
    nat, kind = SCENARIOS[name]
    system = System(laboratory, policy(*RESOURCES), kinds={"client": nat, "gateway": nat})
    system.start()
    system.serve()
    lab.check(system.resources() == sorted(one["name"] for one in RESOURCES), "the client knows its resources")
    system.check_curl(*NETWORK_HOSTS, WEB["address"], WEB_6["address"])
    system.wait_kind(kind)
    print(f"  ok: the path is {kind}")
    check_refusals(system)
    check_what_they_tell(system)
    for address in NETWORK_HOSTS:
        for reverse in (False, True):
            rate = lab.goodput(lab.iperf(system.world["dns-resources"], system.world["client"], address, reverse=reverse,
                                         amount=lab.TCP_BYTES))
            lab.check(rate > 0, f"iperf3 {'from' if reverse else 'to'} {address}: {rate / 1e6:.0f} Mbit/s (no limit)")
    check_revocation(system)
    system.stop("portal")
    system.check_curl(*NETWORK_HOSTS)
    print("  ok: tunnels go on without the portal")
    system.finish()


def check_refusals(system):
    for address in FORBIDDEN:
        strain = Strain()
        result = system.curl(address, must=False)
        lab.check(result.returncode == 7 and strain.allows(AT_ONCE_SECONDS),
                  f"{address}, of no resource: {strain.seconds():.2f} s")
    for address in (WEB["address"], WEB_6["address"]):
        refusal = system.refusal(address, 5201)
        lab.check(is_prohibited(address, refusal), f"a port that no filter names is prohibited after {refusal[2]} ms")
        strain = Strain()
        result = system.world["client"].run("curl", "-sS", "-g", "--connect-timeout", 10,
                                            f"http://[{address}]:81" if ":" in address else f"http://{address}:81",
                                            must=False)
        lab.check(result.returncode == 7 and strain.allows(AT_ONCE_SECONDS),
                  f"TCP is refused in {strain.seconds():.2f} s as well")
    lab.check(system.counter("gateway", "gateway.inner.drop.filtered") >= 4, "the gateway says why")


def check_what_they_tell(system):
    """A table for a person, Prometheus text for a collector: without addresses, ids and names of others."""
    for host in ("gateway", "client"):
        text, metrics = (system.world[host].output(lab.built(f"fireline-{host}"), "status", *words)
                         for words in ((), ("--metrics",)))
        lab.check(re.search(r"portal +joined", text) and not text.lstrip().startswith("{"), f"the {host}'s status is text:\n{text}")
        samples = [line for line in metrics.splitlines() if not line.startswith("#")]
        wrong = [line for line in samples if not re.fullmatch(r'[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? \d+', line)]
        lab.check(len(samples) > 100 and not wrong, f"its metrics are {len(samples)} samples {wrong[:3] or ''}".rstrip())
        lab.check("fireline_portal_joined 1" in samples and "100.6" not in metrics, "they say that it is joined, and no address")


def check_revocation(system):
    """What the policy no longer gives is out of reach with the next packet; what it gives stays."""
    address = NETWORK_HOSTS[0]
    pings = system.world["client"].start("ping", "-n", "-i", "0.05", address, name="ping")
    lab.wait_until(lambda: "bytes from" in pings.text(), 10, "pings are answered")
    system.write_policy(policy(*RESOURCES, granted=[one["name"] for one in RESOURCES if one is not LAB]))
    lab.wait_until(lambda: LAB["name"] not in system.grants(), 15, "the gateway has lost the grant")
    time.sleep(UNDER_WAY_SECONDS)
    received = echoes(system)
    time.sleep(0.5)
    lab.check(pings.alive() and echoes(system) == received, "a resource taken away gets no further packet")
    pings.kill()
    lab.wait_until(lambda: LAB["name"] not in system.resources(), 15, "the client's list is shorter")
    lab.check(system.curl(address, must=False).returncode == 7, f"{address} is out of reach")
    system.check_curl(WEB["address"])
    system.write_policy(policy(*RESOURCES))
    lab.wait_until(lambda: LAB["name"] in system.resources(), 15, "the resource is given back")
    system.check_curl(address)


def echoes(system):
    """Echo requests that arrived behind the gateway."""
    counters = system.world["dns-resources"].output("nstat", "-a", "-s", "-z", "IcmpInEchos")
    return int(float(counters.split()[-2]))


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) == 2 else "direct"
    if chosen not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(scenario, chosen)
