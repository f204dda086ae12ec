#!/usr/bin/python3
"""fireline-wg on another kernel: in the emulated guest of guest.py, with both UDP backends, against fireline-wg on this one.
Its status says what that kernel does not have: no USO on the TUN, and no GSO once the card computes no checksums (EIO).

usage: guest_wg.py [--cache FOLDER]      the cache is guest.py's
"""
import argparse
import errno
import json

import guest
import lab
from tunnel import OVERLAY, UNDERLAY, Tunnel


class Device(guest.KernelDevice):
    """fireline-wg in the guest."""

    def __init__(self, host, udp_io):
        super().__init__(host)
        self.udp_io = udp_io

    def create(self):
        self.guest.run(f"fireline-wg --udp-io {self.udp_io} --log-file /tmp/{self.udp_io}.log wg0")

    def status(self):
        return json.loads(self.guest.output("fireline-wg --status wg0 --json"))

    def log(self):
        return self.guest.output(f"cat /tmp/{self.udp_io}.log")


def scenario(laboratory, cache):
    host = laboratory.namespace("near")
    folder = guest.made(laboratory, cache, [lab.built("fireline-wg")])
    other = guest.Guest(laboratory, host, folder)
    lab.check(other.kernel.startswith("6.1."), f"the guest runs Linux {other.kernel}")
    guest.join(host, other)
    for udp_io in ("syscall", "io_uring"):
        near, far = Tunnel(host, "fireline"), Device(other, udp_io)
        other.run("ethtool -K eth0 tx on")
        guest.tunnel(near, far, 0, None, "guest")
        guest.traffic(host, other, udp_io, "guest")
        lab.check(guest.bulk(host, other), f"{udp_io}: TCP both ways through the tunnel")
        before = far.status()
        lab.check(before["udp_io"] == udp_io, f"status: the backend is {before['udp_io']}")
        features(before, "a card with checksums", {"tun_tso": ("on", 0), "tun_uso": ("refused", errno.EINVAL),
                                                   "udp4_gro": ("on", 0), "udp4_gso": ("on", 0)})
        lab.check(before["counters"]["udp.send.gso_calls"] > 0, f"{before['counters']['udp.send.gso_calls']} sends were trains")

        other.run("ethtool -K eth0 tx off")
        lab.check(guest.bulk(host, other), f"{udp_io}: TCP both ways after the card's checksums were switched off")
        after = far.status()
        features(after, "a card without checksums", {"udp4_gso": ("on", errno.EIO)})
        lab.check(after["offloads"]["udp4_gso"]["refusing_paths"] == 1, "one path refuses trains")
        refused = after["counters"]["udp.send.gso_refused"] - before["counters"]["udp.send.gso_refused"]
        lab.check(refused == 1, f"{refused} train refused, every later one sent singly")
        said = [line for line in far.log().splitlines() if "segmentation offload" in line]
        lab.check(len(said) == 1, f"the log has one line about it: {said}")
        text = other.output("fireline-wg --status wg0 | grep -E 'uso|udp4_gso'")
        lab.check("tun_uso" in text and "Input/output error" in text, f"for a person: {' '.join(text.split())}")
        far.stop()
        near.process.stop()


def features(status, title, expected):
    for name, (state, error) in expected.items():
        found = status["offloads"][name]
        lab.check((found["state"], found.get("errno", 0)) == (state, error),
                  f"status, {title}: {name} is {found['state']}" + (f" ({found['error']})" if "error" in found else ""))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--cache", default=str(lab.ROOT / "build/guest"))
    lab.run(scenario, options.parse_args().cache)
