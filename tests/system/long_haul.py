#!/usr/bin/python3
"""Mixed traffic for a long time, with rekeys, roams and restarts: two devices that live all the time keep their memory,
descriptors and buffers, and every counter of their ledgers adds up at the end. A third device starts again and again.

    namespace near                          namespace far
    ┌───────────────────────────┐          ┌───────────────────────────────────────────┐
    │ near   10.77.0.1 fd77::1  ├── veth ──┤ far    10.77.0.2 fd77::2    over IPv4     │
    │        10.78.0.1          │          │ third  10.78.0.3            over IPv6     │
    └───────────────────────────┘          └───────────────────────────────────────────┘

usage: long_haul.py [--seconds N]     default two hours
"""
import argparse
import base64
import itertools
import re
import signal
import time
from pathlib import Path

import generators
import lab
import ledger
from tunnel import OVERLAY, PORT, UNDERLAY, Ends, Tunnel, endpoint, peer

HUB, THIRD, THIRD_PORT = "10.78.0.1", "10.78.0.3", 51821
OTHER_PORT = 51999
NEW_ADDRESS = {"near": "10.76.0.11", "far": "10.76.0.12"}
EVENT_SECONDS = 20  # from one roam or restart to the next
SAMPLE_SECONDS = 2
FOLLOW_SECONDS = 60  # 25 s until the end that stayed starts a handshake (restart.py), and a loaded machine
REKEY_SECONDS = 120
WARM_UP_SHARE = 0.25  # of the time, until pools and heap have seen everything
# The heap moves by some pages. One buffer of 64 KiB lost at each of the 20 roams and restarts of ten minutes is 1.3 MB.
RESIDENT_GROWTH_MAX = 1 << 20


class Watched:
    """A device that lives all the time, and what it held at each look."""

    def __init__(self, label, tunnel):
        self.label, self.tunnel, self.samples = label, tunnel, []
        self.folder = Path(f"/proc/{tunnel.process.pid}")
        lab.require((self.folder / "comm").read_text().startswith("fireline-wg"), f"{label}'s process is known")
        self.before = ledger.Ledger(tunnel)

    def look(self):
        status = (self.folder / "status").read_text()
        resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
        self.samples.append((resident, len(list((self.folder / "fd").iterdir()))))

    def judge(self):
        after = ledger.settled(self.tunnel)
        warm = self.samples[int(len(self.samples) * WARM_UP_SHARE):]
        early, late = warm[:len(warm) // 3], warm[-(len(warm) // 3):]
        first, last = (max(resident for resident, _ in part) for part in (early, late))
        lab.check(last - first <= RESIDENT_GROWTH_MAX,
                  f"{self.label}: resident {self.samples[0][0] / 2**20:.1f} MiB at first, {first / 2**20:.1f} warm, "
                  f"{last / 2**20:.1f} at last ({len(self.samples)} looks)")
        tenths = range(0, len(self.samples), max(1, len(self.samples) // 10))
        print(f"  {self.label}: resident KiB over the time: {[self.samples[i][0] // 1024 for i in tenths]}")
        # Each command of ours is a connection for a moment.
        first, last = (min(descriptors for _, descriptors in part) for part in (early, late))
        lab.check(first == last, f"{self.label}: {first} descriptors warm, {last} at last")
        held = [{pool["name"]: pool["in_use"] for pool in one.pools} for one in (self.before, after)]
        lab.check(held[0] == held[1], f"{self.label}: buffers out at rest, {held[0]} before, {held[1]} after")
        ledger.one_end(ledger.Change(self.before, after))


class Traffic:
    """TCP both ways, pings over both links both ways, floods of plain UDP and random packets inside, of garbage outside."""

    def __init__(self, ends, near, far, seconds):
        self.pings = [one.start("ping", "-n", "-q", "-i", "0.2", to, name=f"ping-{to}")
                      for one, to in ((ends.near, OVERLAY["far"][1]), (ends.far, OVERLAY["near"][0]),
                                      (ends.near, THIRD), (ends.far, HUB))]
        listener = ends.far.start("iperf3", "-s", "--forceflush", name="iperf3-server")
        lab.wait_until(lambda: "listening" in listener.text(), 10, "iperf3 listens")
        self.stream = ends.near.start("iperf3", "-c", OVERLAY["far"][0], "-t", seconds * 2, "-b", "40M", "--bidir",
                                      "-i", "10", name="iperf3")
        key = base64.b64decode(near.keys.public).hex()
        outside = {"to": UNDERLAY["near"][1], "port": PORT, "public_key": key}  # IPv6: its addresses stay
        self.floods = [generators.start(ends.near, "plain", 3000, to=OVERLAY["far"][0], port=9),
                       generators.start(ends.far, "inner", 200, interface=far.interface, to4=OVERLAY["near"][0],
                                        to6=OVERLAY["near"][1]),
                       generators.start(ends.far, "garbage", 500, **outside),
                       generators.start(ends.far, "handshakes", 5, **outside)]

    def stop(self):
        lab.check(self.stream.alive(), "the TCP connection outlived everything")
        sent = [generators.stop(flood)["sent"] for flood in self.floods]
        self.stream.kill()
        for ping in self.pings:
            ping.signal(signal.SIGINT)
            ping.wait(10)
        answers = [re.search(r"(\d+) packets transmitted, (\d+) received", ping.text()).groups() for ping in self.pings]
        print(f"  sent by the floods: {sent}; pings sent and answered: {answers}")


class Events:
    """Roams and restarts, one after the other."""

    def __init__(self, ends, near, far, third):
        self.ends, self.near, self.far, self.third = ends, near, far, third
        self.count = 0
        self.next = itertools.cycle((lambda: self.roam("near"), lambda: self.restart("stop"), lambda: self.roam("far"),
                                     lambda: self.move_port(OTHER_PORT), lambda: self.move_port(PORT),
                                     lambda: self.restart("kill")))
        self.address = {side: UNDERLAY[side][0] for side in NEW_ADDRESS}

    def happen(self):
        next(self.next)()
        self.count += 1
        lab.wait_until(lambda: self.ends.near.reaches(OVERLAY["far"][0]) and self.ends.near.reaches(THIRD), FOLLOW_SECONDS,
                       f"everybody answers after event {self.count}")

    def roam(self, side):
        old = self.address[side]
        new = UNDERLAY[side][0] if old == NEW_ADDRESS[side] else NEW_ADDRESS[side]
        end = getattr(self.ends, side)
        end.run("ip", "address", "add", f"{new}/24", "dev", "eth0")
        end.run("ip", "address", "delete", f"{old}/24", "dev", "eth0")
        self.address[side] = new

    def move_port(self, port):
        self.near.set("listen-port", port)

    def restart(self, how):
        self.third.restart(how)


def scenario(laboratory, seconds):
    ends = Ends(laboratory)
    near, far = Tunnel(ends.near, "fireline"), Tunnel(ends.far, "fireline")
    third = Tunnel(ends.far, "fireline", port=THIRD_PORT)
    near.start([*(f"{address}/{bits}" for address, bits in zip(OVERLAY["near"], (24, 64))), f"{HUB}/24"])
    far.start([f"{address}/{bits}" for address, bits in zip(OVERLAY["far"], (24, 64))])
    third.start([f"{THIRD}/24"])
    near.configure(peer(far, [f"{OVERLAY['far'][0]}/32", f"{OVERLAY['far'][1]}/128"], endpoint(UNDERLAY["far"][0])),
                   peer(third, [f"{THIRD}/32"], endpoint(UNDERLAY["far"][1], THIRD_PORT)))
    far.configure(peer(near, [f"{OVERLAY['near'][0]}/32", f"{OVERLAY['near'][1]}/128"], endpoint(UNDERLAY["near"][0])))
    third.configure(peer(near, [f"{HUB}/32"], endpoint(UNDERLAY["near"][1])))
    watched = [Watched("near", near), Watched("far", far)]

    traffic, events = Traffic(ends, near, far, seconds), Events(ends, near, far, third)
    begin, handshakes = time.monotonic(), set()
    event_due = begin + EVENT_SECONDS
    while time.monotonic() < begin + seconds:
        time.sleep(SAMPLE_SECONDS)
        for one in watched:
            one.look()
        handshakes.add(near.handshake_time(far))
        if time.monotonic() >= event_due:
            events.happen()
            event_due = time.monotonic() + EVENT_SECONDS
    traffic.stop()
    print(f"  {seconds} s, {events.count} roams and restarts")
    sessions = len(handshakes - {0})
    lab.check(sessions >= max(1, seconds // (REKEY_SECONDS + 15)), f"{sessions} sessions between near and far")
    for one in watched:
        one.judge()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=7200)
    lab.run(scenario, options.parse_args().seconds)
