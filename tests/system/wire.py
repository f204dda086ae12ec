#!/usr/bin/python3
"""The labs' slow wires: they take their time, lose their share, and carry TCP and GSO trains whole.

    client ── router-client ══ wire ══ internet        portal ── router-portal ══ wire ══ internet

usage: wire.py
"""
import re
import time

import internet
import lab

PINGS = 4000  # so that a loss in one direction alone is told from one in both
LOSS = 0.05
TARGET = internet.address(1)


def scenario(laboratory):
    wires = {"client": internet.Wire(10), "portal": internet.Wire(0, LOSS)}
    world = internet.Internet(laboratory, sites=("client", "portal"), wires=wires)
    for family, target in zip(internet.FAMILIES, TARGET):
        # The first ones wait for neighbours to be found.
        world["client"].ping(target)
        out = world["client"].ping(target, "-q", count=20).stdout
        smallest = float(out.rpartition("= ")[2].split("/")[0])
        lab.check(smallest >= 20, f"IPv{family}: 10 ms each way make a round trip of {smallest} ms")
    out = world["portal"].run("ping", "-n", "-q", "-i", "0.002", "-c", PINGS, "-W", "1", TARGET[0], must=False,
                              seconds=120).stdout
    lost = PINGS - int(re.search(r"(\d+) received", out)[1])
    # Both ways; six standard deviations.
    expected = PINGS * (1 - (1 - LOSS) ** 2)
    lab.check(abs(lost - expected) < 6 * expected ** 0.5, f"{lost} of {PINGS} pings lost, {expected:.0f} are right")
    begin = time.monotonic()
    rate = lab.goodput(lab.iperf(world.core, world["client"], TARGET[0], seconds=2))
    lab.check(rate > 0, f"TCP passes: {rate / 1e6:.0f} Mbit/s in {time.monotonic() - begin:.1f} s (no limit)")


if __name__ == "__main__":
    lab.run(scenario)
