#!/usr/bin/python3
"""What tools/demo shows: one policy file, a portal, two relays, a gateway behind a NAT and a client behind a symmetric
NAT; the client reaches a web server and an iperf3 server behind the gateway, directly and through a relay, and nothing
else.
Topology: portal_lab.py.

usage: system_demo.py [--keep] [--seconds N] [--wires]
"""
import argparse
import os
import platform
import shlex
import sys
import time

import internet
import lab
import standing_lab
from portal_lab import LAB, LAB_6, ROLES, ZEROS, System, is_prohibited, policy

KINDS = {"client": "symmetric", "gateway": "cone"}
WEB = {"name": "Intranet", "type": "ip", "address": "172.20.0.100", "filters": ["tcp/80", "icmp"]}
IPERF = "172.21.0.100"
FORBIDDEN_HOST, FORBIDDEN_PORT = "172.20.0.110", 22
KEPT = """
The lab is up. On the client's host:
  tools/lab exec client curl http://{web}/get
  tools/lab exec client {client} status
  tools/lab exec client bash
The policy file is {policy}: what it says holds as soon as it is saved.
  tools/lab exec portal {portal} status
  tools/lab exec gateway {gateway} status
  tools/lab status
Take it down:
  tools/lab down"""


def scenario(laboratory, seconds, wires, keep=False):
    begin = time.monotonic()
    system = System(laboratory, policy(LAB, LAB_6, WEB), kinds=KINDS,
                    wires=internet.REFERENCE_WIRES if wires else None)
    system.serve()
    print("== portal, two relays, gateway behind a NAT, client behind a symmetric NAT")
    started = time.monotonic()
    system.start()
    ready = time.monotonic()
    system.curl(WEB["address"])
    first = time.monotonic()
    print(f"lab built in {started - begin:.1f} s; from the portal's start until all have logged in "
          f"{ready - started:.2f} s, to the first byte {first - started:.2f} s: {1000 * (first - ready):.0f} ms for "
          f"choosing a gateway, connecting to it, and curl")
    rows = [measure(system, "reflexive", seconds)]
    print("== something keeps the two NATs' packets apart")
    system.world.part(*ROLES)
    system.reset_client()
    rows.append(measure(system, "relayed", seconds))
    print("== what the policy does not give")
    show_refusals(system)
    show_table(rows)
    if keep:
        system.world.part(*ROLES, apart=False)
    else:
        system.finish()
    return system


def measure(system, kind, seconds):
    lab.wait_until(lambda: system.curl(WEB["address"], must=False).returncode == 0, 30, "the web server is reached")
    system.wait_kind(kind)
    path = system.paths()[0]
    relay = f" through relay {path['relay']}" if path["relay"] else ""
    print(f"path {kind}{relay}: {path['source']} to {path['destination']}")
    cells = ["direct" if kind == "reflexive" else kind]
    took = float(system.curl(WEB["address"], "/get", "-w", "%{time_total}", "-o", "/dev/null").stdout)
    cells.append(f"{1000 * took:.1f} ms")
    cells.append(f"{8e-6 * ZEROS / system.download(IPERF):.0f} Mbit/s")
    for reverse in (False, True):
        rate = lab.goodput(lab.iperf(system.world["dns-resources"], system.world["client"], IPERF, seconds, reverse))
        cells.append(f"{rate / 1e6:.0f} Mbit/s")
    return cells


def show_refusals(system):
    result = system.curl(FORBIDDEN_HOST, must=False)
    lab.require(result.returncode == 7, "a host of no resource is out of reach")
    print(f"{FORBIDDEN_HOST}, a host of no resource: {result.stderr.strip()}")
    refusal = system.refusal(WEB["address"], FORBIDDEN_PORT)
    lab.require(is_prohibited(WEB["address"], refusal), f"a port of no filter is prohibited, not {refusal}")
    print(f"{WEB['address']} port {FORBIDDEN_PORT}, which the filter does not name: ICMP \"administratively "
          f"prohibited\" after {refusal[2]} ms")


def show_table(rows):
    titles = ("path", "curl", "10 MB", "iperf3 there", "iperf3 back")
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
    print(f"\n{platform.processor() or platform.machine()}, Linux {platform.release()}; everything shares this machine")
    for row in [titles, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def keep(seconds, wires):
    if os.geteuid() != 0:
        sys.exit("system_demo.py: namespaces need root: run it with sudo")
    try:
        standing_lab.sweep()
        made = standing_lab.build(None, f"{KINDS['client']}-{KINDS['gateway']}",
                                  lambda made: scenario(made, seconds, wires, keep=True).world)
    except lab.Failure as failure:
        sys.exit(f"system_demo.py: {failure}")
    programs = {name: shlex.quote(os.path.relpath(lab.built(f"fireline-{name}"), lab.ROOT))
                for name in ("portal", "gateway", "client")}
    print(KEPT.format(web=WEB["address"], policy=made.folder / "portal/lib/fireline/policy.json", **programs))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--keep", action="store_true")
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--wires", action="store_true", help="20 ms from client to gateway and back, 80 ms relayed")
    chosen = options.parse_args()
    keep(chosen.seconds, chosen.wires) if chosen.keep else lab.run(scenario, chosen.seconds, chosen.wires)
