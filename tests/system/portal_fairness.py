#!/usr/bin/python3
"""One client floods at twice what its gateway can take, and many others hold 1 Mbit/s each, through the same gateway: they
lose nothing that counts, wait for nobody, and keep their connections. Topology: portal_lab.py, with the others directly at
the internet, one namespace and one fireline-client each: what they share with the flood is the gateway alone.

usage: portal_fairness.py [--others N] [--seconds S] [--share PERCENT]
  --share   how much of its time the gateway may run: it is stopped for the rest of every few milliseconds, for the flood
            comes from the same machine and is as dear to send as to receive
"""
import argparse
import select
import socket
import struct
import time

import lab
from portal_lab import LAB, PATIENCE, System, policy

HOST, ECHO_PORT, FLOOD_PORT = "172.21.0.100", 4007, 4009
PACKET, MEGABIT = 1200, 1_000_000
FIRST = 130  # of the others' public addresses
LOSS_MAX, P99_SECONDS, OVERLOAD = 0.01, 0.020, 2.0  # acceptance of the whole system
SLICE_SECONDS = 0.004
# Answers everything; beside it a socket that nobody reads takes the flood.
SERVER = """
import socket, sys
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind((sys.argv[1], int(sys.argv[3])))
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
echo.bind((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
while True:
    data, source = echo.recvfrom(2048)
    echo.sendto(data, source)
"""
# Lets a process run for a share of its time.
SQUEEZE = """
import os, signal, sys, time
pid, share, period = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
def end(*_):
    os.kill(pid, signal.SIGCONT)
    sys.exit()
signal.signal(signal.SIGTERM, end)
while True:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(period * (1 - share))
    os.kill(pid, signal.SIGCONT)
    time.sleep(period * share)
"""


def scenario(laboratory, options):
    system = System(laboratory, policy(LAB))
    others = [add_host(system, number) for number in range(options.others)]
    system.start_portal()
    for relay in system.relays:
        system.start_relay(relay)
    system.start_gateway()
    system.start_client()
    start_others(system, others)
    server = system.world["dns-resources"].start("/usr/bin/python3", "-c", SERVER, HOST, ECHO_PORT, FLOOD_PORT,
                                                 name="server")
    lab.wait_until(lambda: "listens" in server.text(), 10, "the server listens")
    system.world["client"].ping(HOST)
    load = Load(system, others)
    load.run(5)  # flows are made, paths become direct
    load.run(3)
    report("without the flood", load)
    before = paths(system, others)
    squeeze = lab.Process(laboratory, ["/usr/bin/python3", "-c", SQUEEZE, str(system.programs["gateway"].pid),
                                       str(options.share / 100), str(SLICE_SECONDS)], "squeeze")
    flood = system.world["client"].start("/usr/bin/python3", "-B", lab.ROOT / "tests/system/turn_client.py", "blast",
                                         "--to", HOST, "--port", FLOOD_PORT, "--from-port", 4001,
                                         "--seconds", options.seconds + 10, name="flood")
    time.sleep(1)
    counted = counters(system)
    load.run(options.seconds)
    rates = {name: (value - counted[name]) / options.seconds for name, value in counters(system).items()}
    flood.kill()
    squeeze.stop()
    print("  in a second: " + ", ".join(f"{name} {value:,.0f}" for name, value in rates.items()), flush=True)
    lost, p99 = report("beside the flood", load)
    lab.check(rates["sent"] >= OVERLOAD * rates["opened"],
              f"the flood is {rates['sent'] / max(rates['opened'], 1):.1f} times what the gateway opens (at least {OVERLOAD})")
    lab.check(lost <= LOSS_MAX, f"the others lose {lost:.2%} (at most {LOSS_MAX:.0%})")
    lab.check(p99 <= P99_SECONDS * PATIENCE, f"99 % of their answers come within {1000 * p99:.1f} ms (at most 20)")
    lab.check(paths(system, others) == before, "nobody lost a connection")


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


def counters(system):
    sent = system.status("client")["counters"]
    gateway = system.status("gateway")["counters"]
    return {"sent": sent["udp.send.datagrams"], "opened": gateway["udp.receive.datagrams"] -
            gateway["udp.receive.drop.unfair_share"], "dropped": gateway["udp.receive.drop.unfair_share"],
            "dropped by the kernel": gateway["udp.receive.kernel_drops"]}


class Load:
    """1 Mbit/s of each, in equal steps; each packet's answer and how long it took."""

    def __init__(self, system, others):
        self.ends, self.poll = [], select.epoll()
        for other in others:
            end = system.world[other].socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.setblocking(False)
            end.connect((HOST, ECHO_PORT))
            self.poll.register(end.fileno(), select.EPOLLIN)
            self.ends.append(end)
        self.by_fd = {end.fileno(): end for end in self.ends}

    def run(self, seconds):
        self.sent, self.took = 0, []
        interval = PACKET * 8 / MEGABIT / len(self.ends)
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            # A generator that comes late catches up.
            while self.sent * interval < time.monotonic() - begin:
                try:
                    self.ends[self.sent % len(self.ends)].send(struct.pack("=d", time.monotonic()).ljust(PACKET, b"."))
                except OSError:
                    pass  # counts as lost
                self.sent += 1
            self.collect(interval)
        deadline = time.monotonic() + 1
        while len(self.took) < self.sent and time.monotonic() < deadline:
            self.collect(0.05)

    def collect(self, wait):
        for fd, _ in self.poll.poll(wait):
            try:
                while True:
                    data = self.by_fd[fd].recv(2048)
                    self.took.append(time.monotonic() - struct.unpack_from("=d", data)[0])
            except OSError:
                pass


def report(title, load):
    took = sorted(load.took)
    lost = 1 - len(took) / load.sent
    p99 = took[int(0.99 * (len(took) - 1))] if took else float("inf")
    middle = took[len(took) // 2] if took else float("inf")
    print(f"  {title}: {load.sent} sent, {lost:.2%} lost, half within {1000 * middle:.1f} ms, 99 % within "
          f"{1000 * p99:.1f} ms", flush=True)
    return lost, p99


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument("--others", type=int, default=50)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--share", type=float, default=30)
    lab.run(scenario, arguments.parse_args())
