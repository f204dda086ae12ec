#!/usr/bin/python3
"""Two gateways in one site, and the one that a client uses goes away. Topology: portal_lab.py, with a second gateway that
reaches the same network.

usage: portal_failover.py killed|killed-silently|goodbye|restarted
  killed           kill -9 under pings, curl and iperf3: who comes new is served by the other one within 3 s of the portal
                   seeing it, the client that was there within 20 s
  killed-silently  the same, and its host is cut off in that moment: the portal is not told
  goodbye          SIGTERM: the client is back within 3 s
  restarted        the only gateway is stopped and started again: 3 s from then
"""
import re
import signal
import sys
import time

import lab
from portal_lab import LAB, PATIENCE, System, policy
from strain import Strain

HOST = "172.21.0.100"
OTHER = {"name": "Other", "type": "ip", "address": "172.21.0.101"}
GATEWAYS = ("gateway", "gateway-2")
# Acceptance of the whole system.
NEW_FLOW_SECONDS, RECOVERY_SECONDS, GOODBYE_SECONDS = 3, 20, 3
PORTAL_NOTICES_SECONDS = 37 + 5  # portal spec 1.10
PING_SECONDS = 0.1


class Pings:
    """Echo requests all the time; when each was answered."""

    def __init__(self, system):
        self.process = system.world["client"].start("ping", "-n", "-D", "-i", PING_SECONDS, HOST, name="ping")
        lab.wait_until(lambda: len(self.times()) > 5, 30, "pings are answered")

    def times(self):
        return [float(one) for one in re.findall(r"^\[([\d.]+)\] \d+ bytes from", self.process.text(), re.M)]

    def back_since(self, moment, seconds):
        """How long after that moment the first answer of a lasting series came."""
        def first():
            later = [one for one in self.times() if one > moment + 2 * PING_SECONDS]
            # An answer that was under way is none of the series.
            runs = [one for one, after in zip(later, later[5:]) if after - one < 1.5]
            return runs[0] if runs else None
        return lab.wait_until(first, seconds, "pings are answered again") - moment


def used_gateway(system):
    """The gateway that the client is connected to, and the other."""
    def holder():
        return [gateway for gateway in system.gateways if LAB["name"] in system.grants(gateway)]
    found = lab.wait_until(holder, 20, "a gateway has the grant")[0]
    return found, next((one for one in system.gateways if one != found), None)


def started(laboratory, gateways=GATEWAYS):
    system = System(laboratory, policy(LAB, OTHER), clients=("client", "client-2"), gateways=gateways)
    system.serve()
    system.start()
    system.check_curl(HOST)
    return system


def traffic(system):
    """A TCP stream for as long as it lasts, and pings."""
    server = system.world["dns-resources"].start("iperf3", "-s", "--forceflush", name="iperf3-server")
    lab.wait_until(lambda: "listening" in server.text(), 10, "iperf3 listens")
    stream = system.world["client"].start("iperf3", "-c", HOST, "-t", 300, "--forceflush", name="iperf3")
    lab.wait_until(lambda: "sec" in stream.text(), 20, "iperf3 sends")
    return Pings(system), stream


def online(system):
    return [one["name"] for one in system.status("portal")["gateways"]]


def killed(laboratory, silently=False):
    system = started(laboratory)
    pings, stream = traffic(system)
    used, other = used_gateway(system)
    if silently:
        system.world.silence(used)
    moment, strain = time.time(), Strain()
    system.programs[used].kill()
    lab.wait_until(lambda: used not in online(system), PORTAL_NOTICES_SECONDS * PATIENCE, f"the portal misses the {used}")
    seen = time.time()
    lab.check(other in online(system), f"the portal sees it {seen - moment:.1f} s after the end")
    for client, address in (("client-2", HOST), ("client", OTHER["address"])):
        begin = time.time()
        system.curl(address, client=client)
        lab.check(strain.allows(NEW_FLOW_SECONDS * PATIENCE, time.time() - max(begin, seen)),
                  f"a new flow of the {client}: {time.time() - begin:.2f} s (at most {NEW_FLOW_SECONDS})")
    took = pings.back_since(moment, 60)
    lab.check(strain.allows(RECOVERY_SECONDS * PATIENCE, took),
              f"the client is back after {took:.1f} s (at most {RECOVERY_SECONDS}, {strain})")
    system.check_curl(HOST)
    lab.check(system.grants(other) == sorted((LAB["name"], OTHER["name"], LAB["name"])), f"the {other} has all grants")
    stream.kill()
    rate = lab.goodput(lab.iperf(system.world["dns-resources"], system.world["client"], HOST, 1, port=5202))
    lab.check(rate > 0, f"and a new stream flows: {rate / 1e6:.0f} Mbit/s (no limit)")
    if silently:
        system.world.silence(used, False)
    come_back(system, used)
    pings.process.kill()
    system.finish()


def come_back(system, gateway):
    """What a killed program left is no obstacle."""
    system.start_gateway(gateway)
    lab.check(gateway in online(system), f"the {gateway} is back")


def goodbye(laboratory):
    system = started(laboratory)
    pings, stream = traffic(system)
    used, other = used_gateway(system)
    moment, strain = time.time(), Strain()
    system.programs[used].signal(signal.SIGTERM)
    took = pings.back_since(moment, 60)
    lab.check(strain.allows(GOODBYE_SECONDS * PATIENCE, took),
              f"the client is back over the {other} {took:.2f} s after SIGTERM (at most {GOODBYE_SECONDS}, {strain})")
    lab.check(system.programs[used].wait(10) == 0, "it ends with code 0")
    stream.kill()
    come_back(system, used)
    system.check_curl(HOST)
    pings.process.kill()
    system.finish()


def restarted(laboratory):
    system = started(laboratory, GATEWAYS[:1])
    pings, stream = traffic(system)
    system.stop("gateway")
    stream.kill()
    system.start_gateway()
    strain = Strain()
    took = pings.back_since(time.time(), 60)
    lab.check(strain.allows(GOODBYE_SECONDS * PATIENCE, took),
              f"the client is back {took:.2f} s after its gateway (at most {GOODBYE_SECONDS}, {strain})")
    system.check_curl(HOST)
    pings.process.kill()
    system.finish()


SCENARIOS = {"killed": killed, "killed-silently": lambda laboratory: killed(laboratory, True), "goodbye": goodbye,
             "restarted": restarted}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(SCENARIOS[sys.argv[1]])
