#!/usr/bin/python3
"""fireline-lab-delay beside the kernel's netem, in the emulated guest: both take as long, lose as many and cost TCP as much.

    namespace one ── netem at both ends ── namespace two        namespace one ── fireline-lab-delay ── namespace two
      10.1.0.1                               10.1.0.2             10.2.0.1                               10.2.0.2

usage: guest_netem.py [--cache FOLDER]      the cache is guest.py's
"""
import argparse
import re
import statistics

import guest
import lab

DELAY_MILLISECONDS, LOSS_PERCENT = 50, 2  # each way
PINGS = 3000  # so that a loss in one direction alone is told from one in both
# A program's part of a round trip takes up to 12 ms in the emulation beside compilers; a delay forgotten one way is 50 ms.
ROUND_TRIP_DIFFERENCE_MAX = 25
RUNS, STREAM_SECONDS, STREAMS = 3, 15, 4
# Beside compilers 0.6: a program in the emulation takes its time for each segment. The losses themselves are the pings' matter.
STREAM_RATIO = (0.4, 2.0)

WIRES = f"""set -e
ip netns add one; ip netns add two
ip link add theirs netns one type veth peer name theirs netns two
ip link add ours netns one type veth peer name left
ip link add right type veth peer name ours netns two
for i in left right; do ip link set $i up; done
for end in one two; do
  number=1; [ $end = one ] || number=2
  ip -n $end address add 10.1.0.$number/24 dev theirs; ip -n $end link set theirs up
  ip -n $end address add 10.2.0.$number/24 dev ours; ip -n $end link set ours up
  tc -n $end qdisc add dev theirs root netem limit 100000 delay {DELAY_MILLISECONDS}ms loss {LOSS_PERCENT}%
  ip netns exec $end ethtool -K theirs tso off gso off
done"""


def scenario(laboratory, cache):
    folder = guest.made(laboratory, cache, [lab.built("fireline-lab-delay")])
    machine = guest.Guest(laboratory, laboratory.namespace("host"), folder)
    machine.run("; ".join(WIRES.splitlines()).replace("do;", "do"))
    machine.run(f"fireline-lab-delay left right --delay {DELAY_MILLISECONDS} --loss {LOSS_PERCENT / 100} >/tmp/wire 2>&1 & "
                "for i in $(seq 100); do grep -q joined /tmp/wire && exit; sleep 0.1; done; cat /tmp/wire; exit 1")
    machine.run("ip netns exec two iperf3 -s -D")
    found = {name: (*pings(machine, address), stream(machine, address))
             for name, address in (("netem", "10.1.0.2"), ("ours", "10.2.0.2"))}
    for name, (round_trip, lost, rate) in found.items():
        print(f"  {name}: {round_trip:.1f} ms, {lost} of {PINGS} pings lost, TCP {rate / 1e6:.1f} Mbit/s")
    (their_time, their_lost, their_rate), (our_time, our_lost, our_rate) = found["netem"], found["ours"]
    lab.check(our_time >= 2 * DELAY_MILLISECONDS and abs(our_time - their_time) <= ROUND_TRIP_DIFFERENCE_MAX,
              "they take as long")
    expected = PINGS * (1 - (1 - LOSS_PERCENT / 100) ** 2)
    for name, lost in (("netem", their_lost), ("our wire", our_lost)):
        lab.check(abs(lost - expected) <= 5 * expected ** 0.5, f"{name} lost {lost}, {expected:.0f} are right")
    lab.check(STREAM_RATIO[0] <= our_rate / their_rate <= STREAM_RATIO[1], f"TCP gets {our_rate / their_rate:.2f} of netem's")


def pings(machine, address):
    """Median of the round trips in ms, and how many got no answer."""
    said = machine.output(f"ip netns exec one ping -n -i 0.01 -c {PINGS} -W 1 {address} | sed -n 's/.*time=\\([0-9.]*\\).*/\\1/p' | "
                          "sort -n | awk '{time[NR] = $1} END {print time[int((NR + 1) / 2)], NR}'", seconds=PINGS).split()
    lab.require(len(said) == 2, f"no answer from {address}")
    return float(said[0]), PINGS - int(said[1])


def stream(machine, address):
    """Bit/s that arrive, the median of some runs."""
    command = f"ip netns exec one iperf3 -c {address} -t {STREAM_SECONDS} -P {STREAMS} -C cubic -f k | grep 'SUM.*receiver'"
    return statistics.median(float(re.search(r"([\d.]+) Kbits/sec", machine.output(command))[1]) * 1e3 for _ in range(RUNS))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--cache", default=str(lab.ROOT / "build/guest"))
    lab.run(scenario, options.parse_args().cache)
