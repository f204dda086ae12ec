#!/usr/bin/python3
"""What tools/demo wg shows: one tunnel from fireline-wg to wireguard-go, then one from fireline-wg to fireline-wg, each with
ping, curl and iperf3 both ways, and a table of what came out. Topology: tunnel.py.

usage: wg_demo.py [--keep] [--seconds N]
"""
import argparse
import hashlib
import platform
import re

import lab
from tunnel import OVERLAY, Ends
from wg_privileges import check_held

FILE_BYTES = 16 << 20


def scenario(laboratory, keep, seconds):
    ends = Ends(laboratory)
    rows = []
    for far in ("wireguard-go", "fireline"):
        print(f"== fireline-wg to {name(far)}")
        tunnels = ends.tunnels("fireline", far)
        # What the first tunnel's connections still send may start a handshake before the other end is configured; its
        # retransmission comes 5 s later.
        lab.wait_until(lambda: ends.near.reaches(OVERLAY["far"][0]), 15, "the first ping is answered")
        print(ends.near.output("wg", "show", tunnels[0].interface))
        for tunnel in tunnels:
            if tunnel.program_name == "fireline":
                check_held(tunnel.process)
        rows.append([f"fireline-wg to {name(far)}", *measure(laboratory, ends, seconds)])
        if keep:
            print(f"\nLook around, e.g.:\n  ip netns exec {ends.near.name} wg show\n  ip netns exec {ends.near.name} "
                  f"ping {OVERLAY['far'][0]}\n  ip netns exec {ends.far.name} bash\nEnter goes on.")
            input()
        for tunnel in tunnels:
            tunnel.process.stop()
    titles = ("tunnel", "ping v4", "ping v6", "curl v4", "TCP there", "TCP back")
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
    print(f"\n{platform.processor() or platform.machine()}, Linux {platform.release()}; both ends and the generators share this machine")
    for row in [titles, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def name(program):
    return "fireline-wg" if program == "fireline" else program


def measure(laboratory, ends, seconds):
    cells = []
    for address in OVERLAY["far"]:
        average = re.search(r"= [\d.]+/([\d.]+)/", ends.near.ping(address, "-q", count=20).stdout)[1]
        cells.append(f"{average} ms")
    folder = laboratory.folder / "served"
    folder.mkdir(exist_ok=True)
    content = bytes(range(256)) * (FILE_BYTES // 256)
    (folder / "file").write_bytes(content)
    server = ends.far.start("/usr/bin/python3", "-u", "-m", "http.server", "8000", "--bind", OVERLAY["far"][0],
                            "--directory", folder, name="far-http")
    lab.wait_until(lambda: "Serving" in server.text(), 10, "the web server listens")
    fetched = laboratory.folder / "fetched"
    speed = ends.near.output("curl", "-sS", "--fail", "-o", fetched, "-w", "%{speed_download}",
                             f"http://{OVERLAY['far'][0]}:8000/file")
    server.kill()
    lab.require(hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(content).digest(), "curl fetched other bytes")
    cells.append(f"{float(speed) * 8 / 1e6:.0f} Mbit/s")
    for reverse in (False, True):
        rate = lab.goodput(lab.iperf(ends.far, ends.near, OVERLAY["far"][0], seconds, reverse))
        cells.append(f"{rate / 1e6:.0f} Mbit/s")
    print("   ".join(cells))
    return cells


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--keep", action="store_true")
    options.add_argument("--seconds", type=int, default=3)
    chosen = options.parse_args()
    lab.run(scenario, chosen.keep, chosen.seconds)
