#!/usr/bin/python3
"""One client floods at twice what its gateway can take, and many others hold 1 Mbit/s each, through the same gateway: they
lose nothing that counts, wait for nobody, and keep their connections (fairness.py). Topology: portal_lab.py, with the
others directly at the internet, one namespace and one fireline-client each: what they share with the flood is the gateway
alone.

usage: portal_fairness.py [--others N] [--seconds S] [--share PERCENT] [--size BYTES]
  --share   of a core that the gateway gets
"""
import fairness
import lab
from portal_lab import LAB, PATIENCE, System, policy

HOST = "172.21.0.100"
FIRST = 130  # of the others' public addresses
CONNECTING_SECONDS = 10  # at most


def scenario(laboratory, options):
    system = System(laboratory, policy(LAB))
    others = [add_host(system, number) for number in range(options.others)]
    # As a network card without UDP segmentation: what is opened leaves the gateway singly, at its cost.
    system.world["gateway"].run("ethtool", "-K", "dns-resources", "tx-udp-segmentation", "off")
    system.start_portal()
    for relay in system.relays:
        system.start_relay(relay)
    system.start_gateway()
    system.start_client()
    start_others(system, others)
    fairness.start_server(system.world["dns-resources"], HOST)
    system.world["client"].ping(HOST)
    load = fairness.Load([system.world[other] for other in others], HOST)
    for _ in range(CONNECTING_SECONDS):  # flows are made
        load.run(1)
        if all(paths(system, others).values()):
            break
    before = paths(system, others)
    pids = {name: program.pid for name, program in system.programs.items()}
    flooded = fairness.Flooded(laboratory, pids["gateway"], pids["client"], [pids[other] for other in others],
                               lambda: sent(system), lambda: seen(system))
    fairness.judge(flooded, load, system.world["client"], HOST, options, PATIENCE)
    after = paths(system, others)
    changed = {other: (before[other], after[other]) for other in others if before[other] != after[other]}
    lab.check(not changed, f"nobody lost a connection (times connected before and after: {changed or 'the same'})")


def add_host(system, number):
    """A client without NAT, named so that System takes it for one."""
    label = f"client-{100 + number}"
    host = system.world.hosts[label] = system.lab.namespace(label)
    system.lab.link(system.world.core, [], host, [f"203.0.113.{FIRST + number}/24"], name=f"p-{label}", right_name="eth0")
    system.world.core.run("ip", "link", "set", f"p-{label}", "master", "net")
    host.own_files()
    return label


def start_others(system, others):
    token = system.token("client", "alice")
    for other in others:
        system.tokens[other] = token
        system._start(other, lab.built("fireline-client"), token=("client", "alice"), api_url=True)
    for other in others:
        system._wait(other, lambda: system._joined(other) and system.status(other)["configured"], f"{other} has its tunnel")


def paths(system, others):
    """How often each has connected."""
    return {other: system.programs[other].text().count(": connected") for other in others}


def sent(system):
    return {"sent": system.status("client")["counters"]["udp.send.datagrams"]}


def seen(system):
    gateway = system.status("gateway")["counters"]
    kept = gateway["udp.receive.datagrams"] - gateway["udp.receive.drop.unfair_share"]
    return {"opened": kept, **{name: gateway[f"udp.receive.{name}"] for name in
                               ("loud_senders", "drop.unfair_share", "loud_drops", "kernel_drops")}}


if __name__ == "__main__":
    lab.run(scenario, fairness.options(__doc__, others=50, share=35, size=200))
