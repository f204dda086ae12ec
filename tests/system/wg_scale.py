#!/usr/bin/python3
"""fireline-wg with 10,000 peers beside the one that is really there: `wg syncconf` gives them, changes half of them and
takes them away while the one peer's session and pings go on; what an idle peer costs in memory.

    namespace near ── veth ── namespace far            tunnel.py; near has the 10,000 more peers

CPU time of wg and fireline-wg together is judged: on a busy machine the clock on the wall shows the others' work, too.
--wall judges that as well. --flood instead: 10,000 handshakes a second are offered to far, whose data has to go on.
--limit instead: more allowed IPs than the device has room for.

usage: wg_scale.py [--wall] [--flood] [--limit]
"""
import argparse
import base64
import os
import random
import resource
import signal
import socket
import statistics
import time

import generators
import lab
import ledger
from tunnel import OVERLAY, PORT, Ends

PEERS = 10_000
SYNC_SECONDS = 3
PEER_KIB = 4            # of memory, each: docs/performance.md has what it is
PING_GAP_SECONDS = 1    # without an answer while 10,000 peers are read
OFFERED_PER_SECOND = 10_000
KEPT = 0.70
ALLOWED_IPS_MAX = 1 << 22  # of a device: core/wireguard/allowed_ips.h
ALLOWED_IPS_PER_REQUEST = 1 << 19  # tools/wg/uapi.h
ANSWER_SECONDS = 120
ROUNDS = 5
# What becomes of the handshakes offered: curve operations, cookies, and what was thrown away.
FLOOD_COUNTERS = ("drop.udp.bad_initiation", "sent.cookie_replies", "drop.udp.handshake_queue_full", "udp.receive.kernel_drops")


def section(number, rng):
    """A peer that is never heard of, as a file of a large site has it."""
    key = base64.b64encode(rng.randbytes(32)).decode()
    psk = base64.b64encode(rng.randbytes(32)).decode()
    host = f"{number >> 8 & 255}.{number & 255}"
    return (f"[Peer]\nPublicKey = {key}\nPresharedKey = {psk}\nAllowedIPs = 10.{100 + (number >> 16)}.{host}/32, "
            f"fd99::{number:x}/128\nEndpoint = 198.18.{host}:{PORT}\n")


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def synchronise(tunnel, text, what, wall):
    """`wg syncconf`; CPU seconds of both programs and seconds on the wall."""
    begun, before = time.monotonic(), cpu_seconds(tunnel.process)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    tunnel.load(text, "syncconf")
    seconds = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = cpu_seconds(tunnel.process) - before
    theirs = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    text = f"{what}: {own:.2f} s of fireline-wg's CPU, {theirs:.2f} of wg's, {seconds:.2f} s on the wall"
    lab.check((seconds if wall else own + theirs) <= SYNC_SECONDS, text)


def many_peers(ends, left, right, wall):
    rng = random.Random(1)
    sections = [section(number, rng) for number in range(PEERS)]
    others = [section(number, rng) for number in range(PEERS // 2)]
    base = left.configuration
    handshake = left.handshake_time(right)
    before = resident_kib(left.process)
    pings = ends.near.start("ping", "-n", "-D", "-i", "0.05", OVERLAY["far"][0], name="ping")

    synchronise(left, base + "\n".join(sections), f"{PEERS} peers are added", wall)
    each = (resident_kib(left.process) - before) / PEERS
    lab.check(each <= PEER_KIB, f"an idle peer takes {each:.2f} KiB")
    begun = time.monotonic()
    lab.check(len(left.show("dump").splitlines()) == PEERS + 2, f"wg show lists them, {time.monotonic() - begun:.2f} s")
    synchronise(left, base + "\n".join(sections), "the same again", wall)
    synchronise(left, base + "\n".join(others + sections[PEERS // 2:]), "half of them are others", wall)
    lab.check(len(left.show("peers").splitlines()) == PEERS + 1, "as many as before")
    synchronise(left, base, "all of them are taken away", wall)
    lab.check(left.show("peers") == right.keys.public, "one peer is left")

    lab.check(left.handshake_time(right) == handshake, "the one peer's session is the same")
    lab.wait_until(lambda: ends.near.reaches(OVERLAY["far"][0]), 20, "the one peer answers")
    pings.signal(signal.SIGINT)
    pings.wait(5)
    times = [float(line[1:line.index("]")]) for line in pings.text().splitlines() if line.startswith("[") and "time=" in line]
    gap = max(later - earlier for earlier, later in zip(times, times[1:]))
    text = f"{len(times)} pings were answered meanwhile, with {gap * 1000:.0f} ms between two at most"
    lab.check(not wall or gap <= PING_GAP_SECONDS, text)


def flood(laboratory, ends, right):
    """Rounds with and without the flood take turns: what the machine does otherwise meets both."""
    flooder = laboratory.namespace("flood")
    laboratory.link(flooder, ["10.75.0.1/24"], ends.far, ["10.75.0.2/24"], right_name="eth1")
    key = base64.b64decode(right.keys.public).hex()
    rates = {False: [], True: []}
    before, spent = ledger.Ledger(right), {"the flooder": 0.0, "the flooded": 0.0}
    seconds = 0.0
    for number in range(2 * ROUNDS + 2):
        flooded = number % 2 == 1
        if flooded:
            offered = generators.start(flooder, "handshakes", to="10.75.0.2", port=PORT, public_key=key,
                                       rate=OFFERED_PER_SECOND)
            time.sleep(1.5)  # until the device knows that it is under load
            both = {"the flooder": offered, "the flooded": right.process}
            begun = {title: cpu_seconds(process) for title, process in both.items()}
        rate = lab.goodput(lab.iperf(ends.far, ends.near, OVERLAY["far"][0], 3, False))
        if flooded:
            for title, process in both.items():
                spent[title] += cpu_seconds(process) - begun[title]
            report = generators.stop(offered)
            seconds += report["seconds"]
            lab.require(report["sent"] / report["seconds"] > 0.9 * OFFERED_PER_SECOND, f"the flood ran: {report}")
        if number >= 2:  # the first of each warms up
            rates[flooded].append(rate)
    quiet, loud = statistics.median(rates[False]), statistics.median(rates[True])
    print("  " + ", ".join(f"{'flooded' if how else 'quiet'} {[round(rate / 1e6) for rate in rates[how]]} Mbit/s" for how in rates))
    change = ledger.Change(before, ledger.settled(right))
    print("  a second of the flood: " + ", ".join(f"{change(name) / seconds:,.0f} {name}" for name in FLOOD_COUNTERS))
    print("  CPU while data flowed: " + ", ".join(f"{value:.1f} s of {title}" for title, value in spent.items()))
    lab.check(loud >= KEPT * quiet, f"with {OFFERED_PER_SECOND} handshakes a second {loud / quiet:.0%} of the data go on")


def limit(ends, left):
    """What is beyond the device's room is refused with an errno, and everything else goes on."""
    path = str(lab.SOCKETS / f"{left.interface}.sock")
    peer = f"set=1\npublic_key={random.Random(2).randbytes(32).hex()}\n"

    def ask(request):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(path)
            connection.sendall(request.encode() + b"\n")
            return connection.recv(64).decode().strip()

    requests = ALLOWED_IPS_MAX // ALLOWED_IPS_PER_REQUEST
    answers = []
    for first in range(0, ALLOWED_IPS_MAX, ALLOWED_IPS_PER_REQUEST):
        numbers = range(first, first + ALLOWED_IPS_PER_REQUEST)
        lines = (f"allowed_ip=10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32\n" for n in numbers)
        answers.append(ask(peer + "".join(lines)))
    lab.check(answers == ["errno=0"] * (requests - 1) + ["errno=-12"],
              f"with those of the other peer {ALLOWED_IPS_MAX} allowed IPs are too many: {answers}")
    lab.check(ends.near.reaches(OVERLAY["far"][0]), "the other peer answers")
    lab.check(ask(peer + "remove=true\n") == "errno=0", "the peer goes, and its allowed IPs")
    lab.check(ask(peer + "allowed_ip=10.1.2.3/32\n") == "errno=0", "there is room again")


def scenario(laboratory, options):
    ends = Ends(laboratory)
    left, right = ends.tunnels("fireline", "fireline")
    ends.ping_both_ways(families=(0,))
    if options.flood:
        flood(laboratory, ends, right)
    elif options.limit:
        limit(ends, left)
    else:
        many_peers(ends, left, right, options.wall)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--flood", action="store_true")
    parser.add_argument("--limit", action="store_true")
    lab.run(scenario, parser.parse_args())
