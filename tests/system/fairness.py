"""What the fairness scenarios share: a server, the load of many who want little, a flood of one who wants more than there
is, a program that may run for a part of its time only, and the verdict.

The flood comes from the same machine and is as dear to send as to receive: so the flooded program's CPU is limited, its
capacity measured under that limit with the flood alone, and the flood's rate set by it.
"""
import argparse
import contextlib
import os
import select
import socket
import struct
import time
from pathlib import Path

import lab

ECHO_PORT, FLOOD_PORT = 4007, 4009
PACKET, MEGABIT = 1200, 1_000_000
LOSS_MAX, P99_SECONDS, OVERLOAD = 0.01, 0.020, 2.0  # acceptance
MARGIN = 1.25     # the flood's rate above that: pacing and the count of what was sent are not exact
MEASURED_SECONDS = 4
PERIOD_MICROSECONDS = 5000  # of it the program's share, at least 1,000, which the kernel wants
# cgroup v1 and v2.
CONTROLLERS = ((Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": "{period}", "cpu.cfs_quota_us": "{quota}"}),
               (Path("/sys/fs/cgroup"), {"cpu.max": "{quota} {period}"}))
# Ahead of the flood: on other machines they would have their own cores.
URGENT = ("nice", "-n", "-10")
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


def options(usage, others):
    """--others N, --seconds S and --share PERCENT of a core that the flooded program gets."""
    arguments = argparse.ArgumentParser(usage=usage)
    arguments.add_argument("--others", type=int, default=others)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--share", type=float, default=20)
    return arguments.parse_args()


def start_server(namespace, address):
    server = namespace.start(*URGENT, "/usr/bin/python3", "-c", SERVER, address, ECHO_PORT, FLOOD_PORT, name="server")
    lab.wait_until(lambda: "listens" in server.text(), 10, "the server listens")


@contextlib.contextmanager
def limited(pid, share):
    """The process gets that share of one core, in short periods."""
    quota, name = int(PERIOD_MICROSECONDS * share), f"fireline-fairness-{os.getpid()}"
    for root, settings in CONTROLLERS:
        group = root / name
        with contextlib.suppress(OSError):
            group.mkdir()
        if not all((group / file).exists() for file in settings):
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            for file, value in settings.items():
                (group / file).write_text(value.format(quota=quota, period=PERIOD_MICROSECONDS))
            (group / "cgroup.procs").write_text(str(pid))
            yield
        finally:
            with contextlib.suppress(OSError):  # it may have ended
                (root / "cgroup.procs").write_text(str(pid))
            group.rmdir()
        return
    raise lab.Skip("no control group here limits the CPU of a process")


class Flood:
    """Datagrams from a fixed port in trains, through the tunnel of that namespace; `rate` a second, 0: unpaced."""

    def __init__(self, namespace, address, rate, seconds):
        self.process = namespace.start("nice", "-n", "10", "/usr/bin/python3", "-B",
                                       lab.ROOT / "tests/system/turn_client.py", "blast", "--to",
                                       address, "--port", FLOOD_PORT, "--from-port", 4001, "--rate", int(rate),
                                       "--seconds", seconds, name="flood")
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


def judge(load, flood_from, address, limit, counters, options, patience=1):
    """Runs `load` beside a flood of twice the capacity of the program that `limit()` holds down. `counters()`: a
    dictionary with the flood's datagrams `sent`, those `opened`, and whatever else tells something."""
    load.run(5)  # paths become direct
    load.run(3)
    load.report("without the flood")
    with limit():
        load.run(3)
        load.report("without the flood, CPU limited")
        flood = Flood(flood_from, address, 0, MEASURED_SECONDS + 5)
        capacity = rates(counters, lambda: time.sleep(MEASURED_SECONDS), MEASURED_SECONDS)
        flood.stop()
        print("  the flood alone, in a second: " + words(capacity), flush=True)
        flood = Flood(flood_from, address, OVERLOAD * MARGIN * capacity["opened"], options.seconds + 10)
        seen = rates(counters, lambda: load.run(options.seconds), options.seconds)
        flood.stop()
    print("  with the load, in a second: " + words(seen), flush=True)
    lost, p99 = load.report("beside the flood")
    lab.check(seen["sent"] >= OVERLOAD * capacity["opened"],
              f"the flood is {seen['sent'] / max(capacity['opened'], 1):.1f} times the capacity (at least {OVERLOAD})")
    lab.check(lost <= LOSS_MAX, f"the others lose {lost:.2%} (at most {LOSS_MAX:.0%})")
    lab.check(p99 <= P99_SECONDS * patience, f"99 % of their answers come within {1000 * p99:.1f} ms (at most 20)")


def rates(counters, during, seconds):
    before = counters()
    during()
    return {name: (value - before[name]) / seconds for name, value in counters().items()}


def words(rates_seen):
    return ", ".join(f"{name} {value:,.0f}" for name, value in rates_seen.items())
