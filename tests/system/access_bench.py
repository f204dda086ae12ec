#!/usr/bin/python3
"""What access through portal, client and gateway costs beside a plain tunnel: fireline-client to fireline-gateway against
fireline-wg, in the same namespaces, behind the same NATs, with the same masquerade and MTU. The candidates alternate round by
round, the first round is dropped, medians and ratios are printed; then the same through a relay, and the memory of all
programs. Topology: portal_lab.py; candidate fireline-wg reaches the other resource network, so both are up at once.

usage: access_bench.py [--rounds N] [--seconds N] [--check] [--json FILE]
  --check  judges the thresholds: at least 90 % of fireline-wg, memory; exit code 1 when one is missed
"""
import argparse
import json
import os
import statistics

import internet
import lab
from portal_lab import LAB, ROLES, System, cpu_seconds, policy
from tunnel import Tunnel, endpoint, peer

MTU = 1280
KINDS = {"client": "cone", "gateway": "cone"}  # both keep the port, so fireline-wg finds through them unaided
PORTS = {"client": 51830, "gateway": 51831}
INNER = {"client": "10.95.0.1", "gateway": "10.95.0.2"}
MASQUERADE = f"""table ip plain {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {INNER["client"]} masquerade
  }}
}}
"""
PLAIN_NETWORK = "172.20.0.0/24"
TARGETS = {"access": ("dns-resources", "172.21.0.100"), "relayed": ("dns-resources", "172.21.0.100"),
           "fireline-wg": ("resources", "172.20.0.100")}
MEASURES = {"TCP 1 stream": (False, 1), "TCP 4 streams": (False, 4), "TCP reverse": (True, 1)}
LEAST_SHARE = 0.9
MEBIBYTE = 1 << 20
MOST_MEMORY = {"client": 48 * MEBIBYTE, "gateway": 64 * MEBIBYTE + 40 * 1024, "portal": 64 * MEBIBYTE}


class HostTunnel(Tunnel):
    """On a host that has a /run of its own."""

    def ready(self):
        sockets = self.namespace.files / "run/wireguard"
        return (sockets / f"{self.interface}.sock").exists() and self.namespace.has_link(self.interface)


class Bench:
    def __init__(self, laboratory, chosen):
        self.chosen = chosen
        self.system = System(laboratory, policy(LAB), kinds=KINDS)
        self.system.start()
        self.tunnels = self._plain_tunnel()
        self.results = {name: {measure: [] for measure in (*MEASURES, "CPU s/GB")} for name in TARGETS}

    def _plain_tunnel(self):
        tunnels = {role: HostTunnel(self.system.world[role], "fireline", MTU, PORTS[role], {"LOG_LEVEL": "error"})
                   for role in ROLES}
        for role, other, allowed in (("client", "gateway", PLAIN_NETWORK), ("gateway", "client", INNER["client"])):
            tunnels[role].start([f"{INNER[role]}/32"])
            to = endpoint(internet.SITES[other].public[0], PORTS[other])
            tunnels[role].configure(peer(tunnels[other], [allowed], to, keepalive=1))
            self.system.world[role].run("ip", "route", "add", allowed, "dev", tunnels[role].interface)
        self.system.world["gateway"].run("nft", "-f", "-", text=MASQUERADE)
        return tunnels

    def end(self):
        for tunnel in self.tunnels.values():
            tunnel.process.stop()
        self.system.world["gateway"].run("nft", "delete", "table", "ip", "plain")
        self.system.finish()

    def reach(self, candidate):
        """Both network and path are there."""
        address = TARGETS[candidate][1]
        lab.wait_until(lambda: self.system.world["client"].reaches(address), 30, f"{candidate} reaches {address}")

    def processes(self, candidate):
        if candidate == "fireline-wg":
            return [tunnel.process.pid for tunnel in self.tunnels.values()]
        return [self.system.programs[role].pid for role in ROLES]

    def round(self, candidate, keep):
        server, address = TARGETS[candidate]
        before, gigabytes = sum(map(cpu_seconds, self.processes(candidate))), 0.0
        for measure, (reverse, streams) in MEASURES.items():
            end = lab.iperf(self.system.world[server], self.system.world["client"], address, self.chosen.seconds, reverse,
                            streams)
            gigabytes += end["sum_received"]["bytes"] / 1e9
            self._add(candidate, measure, lab.goodput(end) / 1e9, keep)
        cost = (sum(map(cpu_seconds, self.processes(candidate))) - before) / gigabytes
        self._add(candidate, "CPU s/GB", cost, keep)
        print(f"  {candidate}: {cost:.2f} CPU s/GB" + ("" if keep else " (dropped)"), flush=True)

    def _add(self, candidate, measure, figure, keep):
        if keep:
            self.results[candidate][measure].append(figure)

    def measure(self, candidates, kind):
        for candidate in candidates:
            self.reach(candidate)
        self.system.wait_kind(kind)
        for number in range(self.chosen.rounds + 1):
            print(f"round {number}/{self.chosen.rounds}", flush=True)
            for candidate in candidates if number % 2 else candidates[::-1]:
                self.round(candidate, keep=number > 0)
        self.system.wait_kind(kind)

    def memory(self):
        return {host: resident(program.pid) for host, program in self.system.programs.items()}


def resident(pid):
    return next(int(line.split()[1]) * 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def spread(figures):
    return f"{statistics.median(figures):.2f} ({min(figures):.2f}-{max(figures):.2f})"


def scenario(laboratory, chosen):
    bench = Bench(laboratory, chosen)
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f}; MTU {MTU}")
    bench.measure(("access", "fireline-wg"), "reflexive")
    bench.system.world.part(*ROLES)
    bench.system.reset_client()
    bench.measure(("relayed",), "relayed")
    memory = bench.memory()
    missed = report(bench.results, memory)
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump({"figures": bench.results, "resident": memory}, file, indent=1)
    bench.end()
    lab.require(not (chosen.check and missed), "missed: " + "; ".join(missed))


def report(results, memory):
    """Prints the table; the thresholds that were missed."""
    print(f"\n{'medians (low-high)':20}" + "".join(f"{name:>22}" for name in results) + "    access of fireline-wg")
    missed = []
    for measure in (*MEASURES, "CPU s/GB"):
        share = statistics.median(results["access"][measure]) / statistics.median(results["fireline-wg"][measure])
        print(f"{measure:20}" + "".join(f"{spread(results[name][measure]):>22}" for name in results) + f"    {share:.0%}")
        if measure in MEASURES and share < LEAST_SHARE:
            missed.append(f"{measure}: {share:.1%} of fireline-wg, at least {LEAST_SHARE:.0%} wanted")
    for host, size in memory.items():
        print(f"resident, {host}: {size / MEBIBYTE:.1f} MiB")
        if size > MOST_MEMORY.get(host, size):
            missed.append(f"{host}: {size / MEBIBYTE:.1f} MiB of {MOST_MEMORY[host] / MEBIBYTE:.1f}")
    return missed


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--check", action="store_true")
    options.add_argument("--json")
    lab.run(scenario, options.parse_args())
