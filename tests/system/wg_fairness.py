#!/usr/bin/python3
"""One peer of a fireline-wg floods at twice what it can take, and twenty others hold 1 Mbit/s each: they lose nothing that
counts and wait for nobody (fairness.py).

    flood ────┐
    other-1 ──┤ bridge, 10.76.0.0/24     each a namespace with a fireline-wg: 10.77.0.0/24
      ...     ├────────────── hub        10.76.0.1, 10.77.0.1: the server
    other-20 ─┘

usage: wg_fairness.py [--others N] [--seconds S] [--share PERCENT] [--size BYTES]
  --share   of a core that the hub's program gets
"""
import fairness
import lab
from ledger import Ledger
from tunnel import PORT, Tunnel, endpoint, peer

UNDERLAY, OVERLAY = "10.76.0.{}", "10.77.0.{}"
HUB, FIRST = 1, 2  # the last bytes of the addresses


def scenario(laboratory, options):
    hub = laboratory.namespace("hub")
    hub.run("ip", "link", "add", "net", "type", "bridge")
    hub.run("ip", "address", "add", UNDERLAY.format(HUB) + "/24", "dev", "net")
    hub.run("ip", "link", "set", "net", "up")
    center = Tunnel(hub, "fireline").start([OVERLAY.format(HUB) + "/24"])
    flood = add_end(laboratory, hub, "flood", FIRST)
    others = [add_end(laboratory, hub, f"other-{number}", FIRST + number) for number in range(1, options.others + 1)]
    center.configure(*(peer(end, [OVERLAY.format(FIRST + number) + "/32"]) for number, end in enumerate((flood, *others))))
    for end in (flood, *others):
        end.configure(peer(center, [OVERLAY.format(HUB) + "/32"], endpoint(UNDERLAY.format(HUB), PORT)))
        end.namespace.ping(OVERLAY.format(HUB), count=1)
    fairness.start_server(hub, OVERLAY.format(HUB))
    load = fairness.Load([end.namespace for end in others], OVERLAY.format(HUB))
    flooded = fairness.Flooded(laboratory, center.process.pid, flood.process.pid, [end.process.pid for end in others],
                               lambda: sent(flood), lambda: seen(center))
    fairness.judge(flooded, load, flood.namespace, OVERLAY.format(HUB), options)


def add_end(laboratory, hub, label, number):
    namespace = laboratory.namespace(label)
    laboratory.link(hub, [], namespace, [UNDERLAY.format(number) + "/24"], name=f"p-{label}", right_name="eth0")
    hub.run("ip", "link", "set", f"p-{label}", "master", "net")
    return Tunnel(namespace, "fireline").start([OVERLAY.format(number) + "/24"])


def sent(flood):
    return {"sent": Ledger(flood, link=False).get("udp.send.datagrams")}


def seen(center):
    hub = Ledger(center, link=False)
    return {"opened": hub.get("udp.opened"), **{name: hub.get(f"udp.receive.{name}") for name in
                                               ("loud_senders", "drop.unfair_share", "loud_drops", "kernel_drops")}}


if __name__ == "__main__":
    lab.run(scenario, fairness.options(__doc__, others=20, share=20, size=1200))
