#!/usr/bin/python3
"""A flood of handshake initiations with valid mac1: the flooded end answers with cookies, its tunnel stays alive, and an
honest peer that starts under the flood gets through with the cookie it is given.

    namespace near ── veth ── namespace far            tunnel.py; one of the two is flooded
      namespace flood ── veth ──┘ 10.75.0.0/24         the flooder, at the flooded end

usage: cookies.py [--near PROGRAM] [--far PROGRAM]     far is flooded; near is the honest peer
"""
import argparse
import base64

import generators
import lab
from tunnel import OVERLAY, PORT, Ends

FLOOD_PER_SECOND = 80_000  # a key exchange takes 30 to 40 us: far more than any core can do
HANDSHAKE_SECONDS = 25     # cookie, then retries 5.33 s apart with mac2; each may meet a full queue


def scenario(laboratory, near, far):
    ends = Ends(laboratory)
    flooder = laboratory.namespace("flood")
    laboratory.link(flooder, ["10.75.0.1/24"], ends.far, ["10.75.0.2/24"], right_name="eth1")
    left, right = ends.tunnels(near, far, initiator="near")
    ends.ping_both_ways()

    key = base64.b64decode(right.keys.public).hex()
    flood = generators.start(flooder, "handshakes", to="10.75.0.2", port=PORT, public_key=key, rate=FLOOD_PER_SECOND)
    answered = ends.near.ping(OVERLAY["far"][0], "-q", count=60, must=False)
    lab.check(answered.returncode == 0, "ping goes on under the flood: " + answered.stdout.strip().splitlines()[-1])

    # A new session under the flood: near forgets everything.
    before = right.handshake_time(left)
    left.restart("kill")
    lab.wait_until(lambda: ends.near.reaches(OVERLAY["far"][0]), HANDSHAKE_SECONDS, "near gets through the flood")
    lab.check(right.handshake_time(left) >= before, "a peer that starts under the flood gets a session")
    report = generators.stop(flood)
    lab.check(report["sent"] / report["seconds"] > FLOOD_PER_SECOND / 3,
              f"the flood ran: {report['sent'] / report['seconds']:.0f} initiations a second")
    lab.check(report["cookie_replies"] > 0, f"{report['cookie_replies']} cookie replies came")
    lab.check(left.process.alive() and right.process.alive(), "both programs are alive")
    ends.tcp_both_ways(families=(0,))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="wireguard-go")
    options.add_argument("--far", default="fireline")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far)
