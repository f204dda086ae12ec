#!/usr/bin/python3
"""SIGTERM ends the program within 2 seconds from every state, with no thread left: idle, while starting, with a full TUN
queue, with a blocked socket, under a flooding peer, in the middle of bulk traffic, with a client hanging on its socket.

    namespace near ── veth (throttled on demand) ── namespace far          tunnel.py; near is ended

usage: shutdown.py [--near PROGRAM] [--far PROGRAM]
"""
import argparse
import base64
import os
import signal
import socket
import time

import generators
import lab
from tunnel import OVERLAY, PORT, UNDERLAY, Ends, Tunnel, endpoint, peer

END_SECONDS = 2


def scenario(laboratory, near, far):
    ends = Ends(laboratory)
    left, right = ends.tunnels(near, far)
    states = {
        "idle": lambda: [],
        "waiting for a handshake's answer, TUN queue full": lambda: unanswered(ends, left),
        "blocked socket": lambda: blocked(ends),
        "a peer that floods garbage": lambda: [generators.start(
            ends.far, "garbage", to=UNDERLAY["near"][0], port=PORT, rate=0,
            public_key=base64.b64decode(left.keys.public).hex())],
        "a peer that floods the tunnel": lambda: [generators.start(
            ends.far, "plain", to=OVERLAY["near"][0], port=9, rate=0)],
        "bulk traffic both ways": lambda: bulk(ends),
        "a client that hangs on the configuration socket": lambda: hanging(left),
    }
    for title, enter in states.items():
        ends.near.ping(OVERLAY["far"][0])
        generated = enter()
        time.sleep(1)
        end(left, title)
        for thing in generated:
            thing.kill() if hasattr(thing, "kill") else thing.close()
        ends.near.run("tc", "qdisc", "delete", "dev", "eth0", "root", must=False)
        left.start(left.addresses)
        left.load(left.configuration)
    end(left, "the end of the list")

    # While starting: whatever point the signal meets.
    for delay in (0.0, 0.005, 0.01, 0.02, 0.05, 0.1):
        device = Tunnel(ends.near, near)
        process = ends.near.start(lab.program(near), "-f", device.interface)
        time.sleep(delay)
        process.signal(signal.SIGTERM)
        process.wait(END_SECONDS)
        gone(device)
    lab.check(True, f"a signal 0 to 100 ms after the start ends it within {END_SECONDS} s and leaves nothing")


def end(tunnel, title):
    pid = tunnel.process.pid
    threads = len(os.listdir(f"/proc/{pid}/task"))
    begin = time.monotonic()
    code = tunnel.process.stop(END_SECONDS)
    lab.check(code == 0 and not os.path.exists(f"/proc/{pid}/task/{pid}"),
              f"{title}: {threads} threads ended in {time.monotonic() - begin:.2f} s, exit code {code}")
    gone(tunnel)


def gone(tunnel):
    # The kernel takes it a moment after its program, where rings still held it.
    lab.wait_until(lambda: not tunnel.namespace.has_link(tunnel.interface), END_SECONDS, f"interface {tunnel.interface} goes")
    lab.require(not (lab.SOCKETS / f"{tunnel.interface}.sock").exists(), f"the socket of {tunnel.interface} is gone")


def unanswered(ends, left):
    """A peer that never answers, and a host that sends to it as fast as it can."""
    silent = Tunnel(ends.far, left.program_name)
    left.load("\n".join(["[Peer]", f"PublicKey = {silent.keys.public}", "AllowedIPs = 10.99.0.0/16",
                         f"Endpoint = {endpoint('10.76.0.99')}"]) + "\n", "addconf")
    ends.near.run("ip", "route", "replace", "10.99.0.0/16", "dev", left.interface)
    return [generators.start(ends.near, "plain", to="10.99.0.1", port=9, rate=0)]


def blocked(ends):
    """The underlay takes 64 kbit a second and queues the rest: the socket's send buffer fills up."""
    ends.near.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "64kbit", "burst", "16kb", "limit", "100mb")
    return [generators.start(ends.near, "plain", to=OVERLAY["far"][0], port=9, rate=0)]


def bulk(ends):
    listener = ends.far.start("iperf3", "-s", "-1", "--forceflush")
    lab.wait_until(lambda: "listening" in listener.text(), 5, "iperf3 listens")
    return [ends.near.start("iperf3", "-c", OVERLAY["far"][0], "-t", "20", "--bidir"), listener]


def hanging(left):
    connections = []
    for text in (b"", b"get=1\n", b"set=1\nprivate_key="):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(lab.SOCKETS / f"{left.interface}.sock"))
        connection.sendall(text)
        connections.append(connection)
    return connections


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="wireguard-go")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far)
