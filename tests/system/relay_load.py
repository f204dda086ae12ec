#!/usr/bin/python3
"""fireline-relay under load: one client that floods beside 1,000 slow allocations, floods from a peer, garbage on every
port beside relaying clients, SIGTERM in the middle of it. Topology: relay_lab.py; load: turn_client.py.

usage: relay_load.py [--allocations N]
"""
import argparse
import json
import subprocess
import time
from pathlib import Path

import lab
from relay_lab import PEER, PORT, PUBLIC, Relay, lost

ECHO_PORT, SINK_PORT = 7000, 7001
SECONDS = 4.0
END_SECONDS = 1


class Load:
    """One program of turn_client.py in a namespace."""

    def __init__(self, namespace, role, **options):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        self.process = namespace.start("/usr/bin/python3", "-B", Path(__file__).with_name("turn_client.py"), role, *words,
                                       name=f"{namespace.label}-{role}", stdin=subprocess.PIPE)

    def lines(self):
        return [json.loads(line) for line in self.process.whole_lines().splitlines() if line.startswith("{")]

    def ready(self):
        lab.wait_until(lambda: self.lines() or not self.process.alive(), 60, f"{self.process.name} is ready")
        lab.require(self.lines(), f"{self.process.name} started")
        return self.lines()[0]

    def go(self):
        self.process.popen.stdin.write(b"\n")
        self.process.popen.stdin.flush()

    def result(self):
        lab.require(self.process.wait(120) == 0, f"{self.process.name} ended well")
        return self.lines()[-1]


def scenario(laboratory, allocations):
    ends = Relay(laboratory)
    ends.start()
    # Thousands of allocations would be thousands of lines.
    ends.ask("/log_filter?directives=warn", "-X", "POST")
    Load(ends.peer, "echo", to=PEER[0], port=ECHO_PORT).ready()
    flooding_client(ends, allocations)
    flooding_peer(ends, allocations)
    garbage_beside(ends)
    end_under_load(ends)


def slow(ends, count, messages=8, server=0):
    load = Load(ends.client, "slow", server=PUBLIC[server], peer=PEER[0], port=ECHO_PORT, count=count, messages=messages,
                seconds=SECONDS)
    load.ready()
    return load


def flooding_peer(ends, allocations):
    """A peer sends as fast as it can to one allocation: it fills that allocation's socket alone."""
    crowd = slow(ends, allocations)
    victim = Load(ends.client, "flood", server=PUBLIC[0], peer=PEER[0], port=SINK_PORT, seconds=0)
    port = victim.ready()["relayed_port"]
    blast = Load(ends.peer, "blast", to=PUBLIC[0], port=port, from_port=SINK_PORT, seconds=SECONDS)
    crowd.go()
    result = crowd.result()
    flooded = blast.result()
    lab.check(result["received"] == result["sent"] <= flooded["sent"],
              f"a peer floods one allocation with {flooded['sent']} datagrams: {result['received']} of "
              f"{result['sent']} echoes of {allocations} slow allocations came back")
    victim.go()


def flooding_client(ends, allocations):
    """A client sends as fast as it can. All clients share the control port, so that the kernel drops there when its
    buffer is full; what waits on allocation sockets must be forwarded all the same."""
    crowd = slow(ends, allocations)
    flood = Load(ends.client, "flood", server=PUBLIC[1], peer=PEER[0], port=SINK_PORT, seconds=SECONDS)
    flood.ready()
    before = ends.counters()
    flood.go()
    crowd.go()
    result, flooded = crowd.result(), flood.result()
    after = ends.counters()
    # The flood comes over IPv6 and the crowd over IPv4: two control sockets, each with its own buffer.
    lab.check(result["received"] == result["sent"] <= flooded["sent"],
              f"a client floods with {flooded['sent']} datagrams: {result['received']} of {result['sent']} echoes of "
              f"{allocations} slow allocations came back")
    print(f"  relayed meanwhile: {after['client.to_peer'] - before['client.to_peer']} datagrams to peers, "
          f"the kernel dropped {after['udp.receive.drop.kernel'] - before['udp.receive.drop.kernel']}", flush=True)


def garbage_beside(ends):
    """Paced garbage on control and allocation ports beside ten relaying clients, then unpaced."""
    before = ends.counters()
    crowd = slow(ends, 10, messages=400)
    loads = [Load(ends.client, "garbage", to=PUBLIC[0], port=PORT, ports=0, rate=20000, seconds=SECONDS),
             Load(ends.peer, "garbage", to=PUBLIC[0], port=49152, ports=16383, rate=5000, seconds=SECONDS)]
    crowd.go()
    result = crowd.result()
    sent = sum(load.result()["sent"] for load in loads)
    lab.check(result["received"] >= 0.99 * result["sent"],
              f"beside {sent} datagrams of garbage {result['received']} of {result['sent']} echoes came back")
    Load(ends.client, "garbage", to=PUBLIC[0], port=PORT, ports=0, rate=0, seconds=2).result()
    lab.check(ends.process.alive(), "unpaced garbage does not end it")
    crowd = slow(ends, 10, messages=100)
    crowd.go()
    result = crowd.result()
    lab.check(result["received"] == result["sent"], "and afterwards nothing is lost")
    after = ends.counters()
    moved = {name: value - before.get(name, 0) for name, value in lost(after).items() if value != before.get(name, 0)}
    lab.check(any(name.startswith("drop.control") for name in moved), f"garbage is dropped by name: {moved}")


def end_under_load(ends):
    crowd = slow(ends, 200, messages=100)
    flood = Load(ends.client, "flood", server=PUBLIC[0], peer=PEER[0], port=SINK_PORT, seconds=SECONDS)
    flood.ready()
    flood.go()
    crowd.go()
    time.sleep(1)
    ends.ask("/log_filter?directives=info", "-X", "POST")
    begin = time.monotonic()
    code = ends.process.stop(END_SECONDS)
    lab.check(code == 0 and "Goodbye!" in ends.process.text(),
              f"SIGTERM under load ends it in {time.monotonic() - begin:.2f} s, exit code {code}")
    for load in (crowd, flood):
        load.process.kill()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--allocations", type=int, default=1000)
    lab.run(scenario, options.parse_args().allocations)
