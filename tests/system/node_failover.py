#!/usr/bin/python3
"""A connection survives what happens to its network, within the times of the specification.

    client ── NAT ── internet ── NAT ── gateway        relay-1, relay-2 on the internet

usage: node_failover.py roam|roam-relayed|relay-killed|relay-silent|relays-killed-direct|nat-reboot|nat-reboot-relayed|
                        gateway-restart|wire-loss
  roam                  the client's address is replaced under iperf3: traffic is back in 2 s
  relay-killed          the relay's process dies, its host lives and says so: 3 s
  relay-silent          the relay's host is gone without a word: 18 s
  relays-killed-direct  both relays die while the path is direct: nothing is lost
  nat-reboot            both NATs lose their power and memory: 18 s; -relayed: symmetric ones
  gateway-restart       the gateway says goodbye and comes back with the same key: 3 s after it is back
  wire-loss             a tenth of the datagrams is lost each way: the path stays, nothing else is lost
"""
import json
import re
import sys
import time

import internet
import lab
from node_lab import PATIENCE, RELAYS, ROLES, TUNNEL, Ends, Pings, describe
from strain import Strain

ROAM_SECONDS, KILLED_SECONDS, SILENT_SECONDS, REBOOT_SECONDS = 2, 3, 18, 18
RESTART_SECONDS = 3  # an intent every 2 s, and what a connection takes
REBOOT_DOWN_SECONDS = 1
WIRE_LOSS = 0.1
PINGS_AFTER = 200  # fifty a second
LATE_SECONDS = 60  # how long a failing scenario waits, to say by how much


def connected(laboratory, kind, expected):
    ends = Ends(laboratory, {role: kind for role in ROLES})
    ends.start()
    ends.wait_connected()
    ends.wait_kind(expected)
    for role in ROLES:
        lab.wait_until(lambda: ends.allocated(role, len(RELAYS)), 10, f"the {role} has its allocations")
    return ends


def roam(laboratory, kind="cone", expected="reflexive"):
    ends = connected(laboratory, kind, expected)
    server = ends.gateway.start("iperf3", "-s", "-1", "--forceflush")
    lab.wait_until(lambda: "listening" in server.text(), 5, "iperf3 listens")
    client = ends.client.start("iperf3", "-J", "-i", "0.1", "-t", 10, "-b", "200M", "-R", "-c", TUNNEL["gateway"][0])
    time.sleep(3)
    key = ends.status("client")["public_key"]
    strain = Strain()
    ends.world.renumber("client", 101)
    ends.reset_client()
    lab.require(client.wait(40) == 0, "iperf3 ends well")
    text = client.text()
    report = json.loads(text[text.find("{"):])
    lab.require(ends.status("client")["public_key"] != key, "the client has another key")
    # The server sends: the intervals count what arrived.
    flowing = [interval["sum"]["bytes"] > 0 for interval in report["intervals"]]
    # A silence of n whole intervals lasted less than two more.
    gap = (longest_false(flowing) + 2) * 0.1
    lab.check(flowing[-1] and strain.allows(ROAM_SECONDS * PATIENCE, gap),
              f"traffic was back within {gap:.1f} s of the new address ({ROAM_SECONDS} s are allowed, {strain}); "
              f"{ends.describe()}")


def longest_false(values):
    longest = run = 0
    for value in values:
        run = 0 if value else run + 1
        longest = max(longest, run)
    return longest


def relay_killed(laboratory):
    ends = connected(laboratory, "symmetric", "relayed")
    used = ends.path()["relay"] or ends.path("gateway")["relay"]
    measure(ends, KILLED_SECONDS, f"{used}'s process was killed", lambda: ends.relays[used].kill())


def relay_silent(laboratory):
    ends = connected(laboratory, "symmetric", "relayed")
    used = ends.path()["relay"] or ends.path("gateway")["relay"]
    measure(ends, SILENT_SECONDS, f"{used}'s host was gone", lambda: ends.world.silence(used))


def nat_reboot(laboratory, kind="cone", expected="reflexive"):
    ends = connected(laboratory, kind, expected)

    def reboot():
        ends.world.reboot("client", lambda: ends.world.reboot("gateway", lambda: time.sleep(REBOOT_DOWN_SECONDS)))

    measure(ends, REBOOT_SECONDS, "both NATs lost their power", reboot)


def relays_killed_direct(laboratory):
    ends = connected(laboratory, "cone", "reflexive")
    pings = Pings(ends)
    for relay in RELAYS:
        ends.relays[relay].kill()
    killed = time.time()
    lab.wait_until(lambda: all(not ends.allocated(role, 1) for role in ROLES), LATE_SECONDS,
                   "both ends notice that the relays are gone")
    noticed = time.time() - killed
    before = len(pings.answers())
    lab.wait_until(lambda: len(pings.answers()) > before + PINGS_AFTER, LATE_SECONDS, "pings go on")
    sent, answered = pings.stop()
    lab.check(sent == answered, f"of {sent} packets {answered} were answered, {noticed:.1f} s until both ends "
                                f"noticed the loss; {ends.describe()}")


def measure(ends, limit, what, do):
    print(f"  before: {ends.describe()}", flush=True)
    pings = Pings(ends)
    time.sleep(1)
    moment, strain = time.time(), Strain()
    do()
    gap, began = pings.gap_after(moment, LATE_SECONDS)
    sent, answered = pings.stop()
    lab.check(strain.allows(limit * PATIENCE, gap),
              f"{gap:.2f} s without an answer, from {began:.2f} s after {what} ({limit} s are allowed, {strain}); "
              f"{ends.describe()}; {sent - answered} of {sent} packets lost")


def gateway_restart(laboratory):
    ends = connected(laboratory, "cone", "reflexive")
    pings = Pings(ends)
    time.sleep(1)
    # The log keeps it; the connection itself is asked for again 2 s after it was last.
    heard = ends.nodes["client"].text().count(": closed")
    lab.require(ends.nodes["gateway"].stop() == 0, "the gateway ends with code 0")
    lab.wait_until(lambda: ends.nodes["client"].text().count(": closed") > heard, 5, "the client heard the goodbye")
    ends.start_node("gateway")
    back, strain = time.time(), Strain()
    pings.gap_after(back, LATE_SECONDS)
    first = min(stamp for stamp, _ in pings.answers() if stamp > back)
    pings.stop()
    lab.check(strain.allows(RESTART_SECONDS * PATIENCE, first - back),
              f"traffic was back {first - back:.2f} s after the gateway was ({RESTART_SECONDS} s are allowed, {strain}); "
              f"{ends.describe()}")


def wire_loss(laboratory):
    ends = Ends(laboratory, {role: "cone" for role in ROLES}, wires={"client": internet.Wire(5, WIRE_LOSS)})
    ends.start()
    ends.wait_connected()
    ends.wait_kind("reflexive", 30)
    lab.wait_until(lambda: ends.path()["source"].startswith("["), 30, "the best path is found: IPv6")
    begin = time.monotonic()
    out = ends.client.run("ping", "-n", "-q", "-i", "0.02", "-c", 1500, TUNNEL["gateway"][0], must=False).stdout
    lost = 1500 - int(re.search(r"(\d+) received", out)[1])
    expected = 1500 * (1 - (1 - WIRE_LOSS) ** 2)
    # Six standard deviations.
    lab.check(abs(lost - expected) < 6 * expected ** 0.5, f"{lost} of 1500 pings lost, {expected:.0f} are right")
    lab.check(ends.path()["since_seconds"] > time.monotonic() - begin, f"the path stayed: {ends.describe()}")


SCENARIOS = {"roam": roam, "relay-killed": relay_killed, "relay-silent": relay_silent,
             "relays-killed-direct": relays_killed_direct, "nat-reboot": nat_reboot,
             "roam-relayed": lambda laboratory: roam(laboratory, "symmetric", "relayed"),
             "nat-reboot-relayed": lambda laboratory: nat_reboot(laboratory, "symmetric", "relayed"),
             "gateway-restart": gateway_restart, "wire-loss": wire_loss}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    lab.run(SCENARIOS[sys.argv[1]])
