"""What the fairness scenarios share: a server, the load of many who want little, a flood of one who wants more than there
is, a program that may run for a part of its time only, and the verdict.

The flood comes from the same machine and is as dear to send as to receive: so the flooded program's CPU is limited, its
capacity measured under that limit with the flood alone, and the flood's rate set by it.
"""
import argparse
import os
import select
import socket
import struct
import time

import cpu_share
import lab

ECHO_PORT, FLOOD_PORT = 4007, 4009
PACKET, MEGABIT = 1200, 1_000_000
LOSS_MAX, P99_SECONDS, OVERLOAD = 0.01, 0.020, 2.0  # acceptance
MARGIN = 1.1      # the flood's rate above that: pacing and the count of what was sent are not exact
MEASURED_SECONDS = 4
# Before whatever else this machine does.
PROGRAM_NICE, FLOOD_NICE = -20, -17
# Answers everything; beside it a socket that nobody reads takes the flood.
SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sink = socket.socket(family, socket.SOCK_DGRAM)
sink.bind((sys.argv[1], int(sys.argv[3])))
echo = socket.socket(family, socket.SOCK_DGRAM)
echo.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
echo.bind((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
while True:
    data, source = echo.recvfrom(2048)
    echo.sendto(data, source)
"""


def options(usage, others, share, size):
    """--others N, --seconds S, --share PERCENT of a core that the flooded program gets, --size BYTES of the flood's datagrams."""
    arguments = argparse.ArgumentParser(usage=usage)
    arguments.add_argument("--others", type=int, default=others)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--share", type=float, default=share)
    arguments.add_argument("--size", type=int, default=size)
    return arguments.parse_args()


def start_server(namespace, address):
    server = namespace.start("/usr/bin/python3", "-c", SERVER, address, ECHO_PORT, FLOOD_PORT, name="server")
    lab.wait_until(lambda: "listens" in server.text(), 10, "the server listens")
    cpu_share.put_first(server.pid)


class Flood:
    """Datagrams from a fixed port in trains, through the tunnel of that namespace; `rate` a second, 0: unpaced."""

    def __init__(self, namespace, address, size, rate, seconds):
        self.process = namespace.start("/usr/bin/python3", "-B", lab.ROOT / "tests/system/turn_client.py", "blast", "--to",
                                       address, "--port", FLOOD_PORT, "--from-port", 4001, "--size", size,
                                       "--rate", int(rate), "--seconds", seconds, name="flood")
        cpu_share.rank(self.process.pid, FLOOD_NICE)
        time.sleep(1)

    def stop(self):
        self.process.kill()


class Load:
    """1 Mbit/s of each, in equal steps; each packet's answer and how long it took."""

    def __init__(self, namespaces, address):
        self.ends, self.poll = [], select.epoll()
        for namespace in namespaces:
            end = namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            end.setblocking(False)
            end.connect((address, ECHO_PORT))
            self.poll.register(end.fileno(), select.EPOLLIN)
            self.ends.append(end)
        self.by_fd = {end.fileno(): end for end in self.ends}
        self.sent, self.took = 0, []

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

    def report(self, title):
        """Prints it; the lost share and the wait of 99 of 100."""
        took = sorted(self.took)
        lost = 1 - len(took) / self.sent
        p99 = took[int(0.99 * (len(took) - 1))] if took else float("inf")
        middle = took[len(took) // 2] if took else float("inf")
        print(f"  {title}: {self.sent} sent, {lost:.2%} lost, half within {1000 * middle:.1f} ms, 99 % within "
              f"{1000 * p99:.1f} ms", flush=True)
        return lost, p99


class Flooded:
    """The program that is flooded, and who works beside it. Two functions that read counters into dictionaries, `sent()`
    of the flood's own end and `seen()` of the program's: the flood's datagrams `sent`, those `opened`, and whatever else
    tells something."""

    def __init__(self, laboratory, pid, flooding_pid, others_pids, sent, seen):
        self.laboratory, self.pid, self.readers = laboratory, pid, (sent, seen)
        cpu_share.rank(flooding_pid, FLOOD_NICE)
        cpu_share.rank(pid, PROGRAM_NICE)
        # On other machines server, others and generator, which is this process, would have their own cores.
        for other in (*others_pids, os.getpid()):
            cpu_share.put_first(other)

    def during(self, act):
        """Runs `act`; the counters' growth in a second, and the share of a core that the program used."""
        before, used, begin = self.read(), cpu_share.used_seconds(self.pid), time.monotonic()
        act()
        used, passed = cpu_share.used_seconds(self.pid) - used, time.monotonic() - begin
        rates = {name: (value - before[name][0]) / (when - before[name][1]) for name, (value, when) in self.read().items()}
        return rates, used / passed

    def read(self):
        """Each counter, and when it was read: a program that is flooded, or that floods, takes its time to answer."""
        counters = {}
        for reader in self.readers:
            values = reader()
            when = time.monotonic()
            counters.update((name, (value, when)) for name, value in values.items())
        return counters


def judge(flooded, load, flood_from, address, options, patience=1):
    """Runs `load` beside a flood of twice the capacity that the program has under its limit."""
    load.run(5)  # paths become direct
    _, used = flooded.during(lambda: load.run(3))
    load.report(f"without the flood ({used:.1%} of a core)")
    with cpu_share.limited(flooded.laboratory, options.share / 100) as limit:
        cpu_share.check_limit(flooded.laboratory, limit)
        limit(flooded.pid)
        _, used = flooded.during(lambda: load.run(3))
        load.report(f"without the flood, limited to {options.share:g} % ({used:.1%} of a core)")
        flood = Flood(flood_from, address, options.size, 0, MEASURED_SECONDS + 20)
        capacity, used = flooded.during(lambda: time.sleep(MEASURED_SECONDS))
        flood.stop()
        print(f"  the flood alone ({used:.1%} of a core), in a second: " + words(capacity), flush=True)
        lab.require(capacity["sent"] > 0 and capacity["opened"] > 0, "the flood is sent, and some of it opened")
        flood = Flood(flood_from, address, options.size, OVERLOAD * MARGIN * capacity["opened"], options.seconds + 20)
        seen, used = flooded.during(lambda: load.run(options.seconds))
        flood.stop()
    print(f"  with the load ({used:.1%} of a core), in a second: " + words(seen), flush=True)
    lost, p99 = load.report("beside the flood")
    lab.check(seen["sent"] >= OVERLOAD * capacity["opened"],
              f"the flood is {seen['sent'] / max(capacity['opened'], 1):.1f} times the capacity (at least {OVERLOAD})")
    lab.check(lost <= LOSS_MAX, f"the others lose {lost:.2%} (at most {LOSS_MAX:.0%})")
    lab.check(p99 <= P99_SECONDS * patience, f"99 % of their answers come within {1000 * p99:.1f} ms (at most 20)")


def words(rates_seen):
    return ", ".join(f"{name} {value:,.0f}" for name, value in rates_seen.items())
