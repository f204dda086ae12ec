"""A wire that takes time, and loses or reorders segments where it is asked to: fireline-lab-delay in a namespace of its own.

    left ── left (namespace between) right ── right
"""
import re
from dataclasses import dataclass

import lab

QUEUE_PACKETS = 100000  # platform spec 8.1: the test bed itself drops nothing


@dataclass(frozen=True)
class Wire:
    milliseconds: float  # each way
    loss: float = 0  # share of the segments each way
    reorder: float = 0  # share of the segments each way that others overtake

    def join(self, between, left, left_name, right, right_name, mtu=1500):
        """Joins two namespaces through a third; returns the process in it."""
        between.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        link(between.lab, left, left_name, between, "left", mtu)
        link(between.lab, between, "right", right, right_name, mtu)
        process = between.start(lab.built("fireline-lab-delay"), "left", "right", "--delay", self.milliseconds,
                                "--loss", self.loss, "--reorder", self.reorder)
        lab.wait_until(lambda: "joined" in process.text() or not process.alive(), 10, f"{between.label} is there")
        lab.require(process.alive(), f"{between.label} is there:\n{process.text()}")
        return process


def link(laboratory, left, left_name, right, right_name, mtu=1500):
    laboratory.link(left, [], right, [], name=left_name, right_name=right_name, mtu=mtu)
    for end, name in ((left, left_name), (right, right_name)):
        end.run("ip", "link", "set", name, "txqueuelen", QUEUE_PACKETS)


class Report:
    """What a wire says about itself at its end."""

    def __init__(self, process):
        process.stop()
        text = process.text()
        self.ceiling = float(re.search(r"ceiling: ([\d.]+) Gbit/s", text)[1]) * 1e9
        self.counts = {name: sum(map(int, re.findall(rf"{name} (\d+)", text)))
                       for name in ("frames", "lost", "late", "full", "kernel drops")}

    def dropped(self):
        """What it lost without being asked to."""
        return self.counts["full"] + self.counts["kernel drops"]
