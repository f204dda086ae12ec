#!/usr/bin/python3
"""Either end's program ends (asked to, or killed) and starts again; the tunnel comes back by itself, also where only the
end that stayed knows the other's address. Topology: tunnel.py.

usage: restart.py [--near PROGRAM] [--far PROGRAM]
"""
import argparse

import lab
from tunnel import OVERLAY, Ends

# The end that stayed notices after the keepalive and rekey timeouts (10 + 5 s) that nobody answers, and starts a
# handshake; one retransmission (5.33 s) on top.
RETURN_SECONDS = 25


def scenario(laboratory, near, far):
    ends = Ends(laboratory)
    left, right = ends.tunnels(near, far, initiator="near")
    ends.ping_both_ways()

    right_knows_nobody = right.configuration
    lab.check("Endpoint" not in right_knows_nobody, "far has no endpoint configured")
    for how in ("stop", "kill"):
        left.restart(how)
        lab.wait_until(lambda: ends.near.reaches(OVERLAY["far"][0]), RETURN_SECONDS, "near is back")
        ends.far.check_reaches(OVERLAY["near"][0], f"near is back after {how}: it initiates at once")

    traffic = ends.near.start("ping", "-n", "-i", "0.2", OVERLAY["far"][0], name="near-traffic")
    right.restart("kill")
    lab.wait_until(lambda: right.handshake_time(left) > 0, RETURN_SECONDS, "near notices that far restarted")
    lab.wait_until(lambda: ends.far.reaches(OVERLAY["near"][0]), 5, "far answers")
    lab.check(traffic.alive(), "far is back after kill: near's unanswered traffic starts a handshake")
    ends.tcp_both_ways(families=(0,))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="wireguard-go")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far)
