#!/usr/bin/python3
"""Garbage from every side: datagrams to the port, packets into the device, text into the configuration socket. The
program stays alive, its memory stays flat, honest traffic goes on.

    namespace near ── veth ── namespace far            tunnel.py; near is the one under test
      namespace flood ── veth ──┘ 10.75.0.0/24         the sender of garbage, at near

usage: garbage.py [--near PROGRAM] [--far PROGRAM] [--goodput]
       --goodput: instead TCP beside 50,000 datagrams a second, at least 70 % of the run without, and an unpaced flood
                  of 10 s
"""
import argparse
import base64
import random
import socket
import statistics
import time

import generators
import lab
from tunnel import OVERLAY, PORT, Ends, wg

PACED_PER_SECOND = 50_000
GOODPUT_RATIO = 0.70
ROUNDS, ROUNDS_MAX = 3, 10  # that count; the first never does
UNPACED_SECONDS = 10
RECOVERY_SECONDS = 1
RSS_SLACK_KIB = 4096  # allocator noise; a leak of one byte a datagram would be several MiB


def scenario(laboratory, near, far, goodput):
    ends = Ends(laboratory)
    flooder = laboratory.namespace("flood")
    laboratory.link(flooder, ["10.75.0.1/24"], ends.near, ["10.75.0.2/24"], right_name="eth1")
    left, right = ends.tunnels(near, far)
    ends.ping_both_ways()
    target = {"to": "10.75.0.2", "port": PORT, "public_key": base64.b64decode(left.keys.public).hex()}

    if goodput:
        goodput_under_garbage(ends, flooder, target)
        datagrams(ends, flooder, left, target, rate=0, seconds=UNPACED_SECONDS)
    else:
        datagrams(ends, flooder, left, target, rate=20_000, seconds=3)
        into_device(ends, left)
        configuration(ends, left)
    lab.check(left.process.alive() and right.process.alive(), "both programs are alive")
    ends.tcp_both_ways()
    for tunnel in (left, right):  # where a sanitizer says what it has to say
        lab.check(tunnel.process.stop() == 0, f"{tunnel.process.name} ends with code 0")


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def datagrams(ends, flooder, left, target, rate, seconds):
    title = f"{rate} datagrams a second" if rate else "an unpaced flood"
    # The first second fills pools and queues; from there on the memory is flat.
    flood = generators.start(flooder, "garbage", rate=rate, seed=random.randrange(1 << 30), **target)
    time.sleep(1)
    before = resident_kib(left.process.pid)
    time.sleep(seconds)
    lab.check(left.process.alive(), f"alive under {title}")
    after = resident_kib(left.process.pid)
    report = generators.stop(flood)
    begin = time.monotonic()
    lab.wait_until(lambda: ends.near.reaches(OVERLAY["far"][0]), RECOVERY_SECONDS, "ping after the flood")
    lab.check(True, f"ping answers {time.monotonic() - begin:.2f} s after {title} ({report['sent']} in all)")
    lab.check(after - before < RSS_SLACK_KIB, f"memory is flat: {before} KiB, then {after} KiB")


def into_device(ends, left):
    flood = generators.start(ends.near, "inner", interface=left.interface, to4=OVERLAY["far"][0], to6=OVERLAY["far"][1],
                             rate=20_000, seed=random.randrange(1 << 30))
    time.sleep(2)
    report = generators.stop(flood)
    lab.check(report["sent"] > 10_000 and left.process.alive(), f"alive after {report['sent']} random packets into the device")
    ends.ping_both_ways()


def configuration(ends, left):
    path = str(lab.SOCKETS / f"{left.interface}.sock")
    key = base64.b64decode(wg("genkey")).hex()
    rows = [
        ("a key of 63 digits", f"private_key={'0' * 63}"),
        ("a key with a letter that is no digit", f"private_key={'g' * 64}"),
        ("a port above 65535", "listen_port=65536"),
        ("a negative mark", "fwmark=-1"),
        ("an unknown key", "nonsense=1"),
        ("a line without =", "nonsense"),
        ("a peer's key before a peer", "endpoint=10.0.0.1:1"),
        ("an endpoint without port", f"public_key={key}\nendpoint=10.0.0.1"),
        ("a prefix that is too long", f"public_key={key}\nallowed_ip=10.0.0.0/33"),
        ("an address that is none", f"public_key={key}\nallowed_ip=10.0.0.256/32"),
        ("a keepalive above 65535", f"public_key={key}\npersistent_keepalive_interval=65536"),
        ("another version of the protocol", f"public_key={key}\nprotocol_version=2"),
    ]
    for rule, line in rows:
        answer = talk(path, f"set=1\n{line}\n\n".encode())
        code = answer.strip().split(b"errno=")[-1]
        lab.check(code not in (b"", b"0") and left.process.alive(), f"{rule}: {answer.strip().decode()}")
    if left.program_name != "wireguard-go":
        lab.check(key not in talk(path, b"get=1\n\n").decode(), "a refused peer is not there")
    for rule, text in (("an operation that does not exist", b"got=1\n\n"), ("nothing", b""), ("half a request", b"set=1\nprivate_key=00"),
                       ("a line of 1 MiB", b"set=1\n" + b"x" * (1 << 20)), ("zeros", bytes(5000))):
        answer = talk(path, text)
        lab.check(b"errno=0" not in answer and left.process.alive(), f"{rule}: {answer[:40]!r}, alive")
    rng = random.Random()
    valid = b"set=1\nlisten_port=51820\npublic_key=" + key.encode() + b"\nallowed_ip=10.99.0.0/24\nremove=true\n\n"
    for _ in range(300):
        mutated = bytearray(valid)
        for _ in range(rng.randrange(1, 6)):
            mutated[rng.randrange(len("set=1\nlisten_port=51820\n"), len(mutated))] = rng.randrange(256)
        talk(path, bytes(mutated))
    left.load(left.configuration)
    lab.check(b"errno=0" in talk(path, b"get=1\n\n"), "300 mutated requests later, get=1 answers errno=0")
    ends.near.ping(OVERLAY["far"][0])


def talk(path, request):
    """One request; all that is answered until the program closes, or for a second after our end of text."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        connection.connect(path)
        answer = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except OSError:  # it closed while we were talking, or waits for more: both are its right
            pass
        return answer


def goodput_under_garbage(ends, flooder, target):
    """Alternates runs with and without garbage; the ratio of the medians of the rounds in which the machine let the garbage
    come at its rate."""
    without, beside, rates = [], [], []
    for turn in range(ROUNDS_MAX):
        if len(rates) == ROUNDS:
            break
        plain = lab.goodput(lab.iperf(ends.far, ends.near, OVERLAY["far"][0], 4))
        flood = generators.start(flooder, "garbage", rate=PACED_PER_SECOND, seed=random.randrange(1 << 30), **target)
        time.sleep(0.5)
        flooded = lab.goodput(lab.iperf(ends.far, ends.near, OVERLAY["far"][0], 4))
        report = generators.stop(flood)
        rate = report["sent"] / report["seconds"]
        print(f"  round {turn}: {plain / 1e6:.0f} and {flooded / 1e6:.0f} Mbit/s, {rate:.0f} a second", flush=True)
        if turn > 0 and rate > 0.95 * PACED_PER_SECOND:
            without.append(plain), beside.append(flooded), rates.append(rate)
    lab.require(len(rates) == ROUNDS, f"the garbage came at its rate in {ROUNDS} of {ROUNDS_MAX} rounds")
    figures = [statistics.median(values) for values in (without, beside, rates)]
    lab.check(True, f"the garbage came at {figures[2]:.0f} a second")
    lab.check(figures[1] >= GOODPUT_RATIO * figures[0], f"TCP beside it {figures[1] / 1e6:.0f} Mbit/s, without "
              f"{figures[0] / 1e6:.0f}: {figures[1] / figures[0]:.2f}, at least {GOODPUT_RATIO}")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="fireline")
    options.add_argument("--goodput", action="store_true")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far, chosen.goodput)
