#!/usr/bin/python3
"""Our TURN client against coturn, a foreign server: allocation, data through channels both ways, a
stale nonce (438), kill -9 and a start, a wrong password, and what happens without the option that such servers need,
because they do not sign errors.

       system_turn_peer, echo                  turnserver
    +-------------------+               +-------------------+
    | ours              |     veth      | relay             |
    | 10.79.0.1         |===============| 10.79.0.2         |
    | fd79::1           |               | fd79::2           |
    +-------------------+               +-------------------+

usage: turn_coturn.py
"""
import os
import re
import shutil
import subprocess

import lab

OURS, RELAY = ("10.79.0.1", "[fd79::1]"), ("10.79.0.2", "[fd79::2]")
USER, PASSWORD = "user", "secret"
ECHO_PORT = 7000
START_SECONDS = 10
ANSWER_SECONDS = 5
STALE_SECONDS = 4  # coturn changes its nonces that often

ECHO = """
import socket, sys, threading
def echo(family, address):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.bind((address, int(sys.argv[1])))
    while True:
        data, source = one.recvfrom(2048)
        one.sendto(b"echo " + data, source)
threading.Thread(target=echo, args=(socket.AF_INET, "10.79.0.1"), daemon=True).start()
echo(socket.AF_INET6, "fd79::1")
"""


class Client:
    def __init__(self, near, port, password=PASSWORD, option=True, name="ours"):
        program = os.environ.get("FIRELINE_TURN_PEER", str(lab.ROOT / "build/tests/system_turn_peer"))
        arguments = ["--unsigned-errors"] if option else []
        arguments += [USER, password]
        for ours, relay in zip(OURS, RELAY):
            arguments += [f"{ours}:{port}", f"{relay}:3478"]
        self.process = near.start(program, *arguments, name=name, stdin=subprocess.PIPE)

    def say(self, line):
        self.process.popen.stdin.write(line.encode() + b"\n")
        self.process.popen.stdin.flush()

    def heard(self, pattern):
        return re.findall(pattern, self.process.whole_lines(), re.MULTILINE)

    def wait_for(self, pattern, seconds=ANSWER_SECONDS):
        return lab.wait_until(lambda: self.heard(pattern), seconds, f"{self.process.name} says {pattern!r}")

    def exchange(self, peer, text):
        """Says it again until the channel is bound, then waits for the echo."""
        def sent():
            self.say(f"send {peer} {text}")
            return self.heard(f"^data {re.escape(peer)} echo {text}$")
        lab.wait_until(sent, ANSWER_SECONDS, f"an echo of {peer}")

    def counters(self):
        before = len(self.heard(r"^counters "))
        self.say("counters")
        lab.wait_until(lambda: len(self.heard(r"^counters ")) > before, ANSWER_SECONDS, "counters")
        items = (item.split("=") for item in self.heard(r"^counters (.*)$")[-1].split())
        return {name: int(count) for name, count in items}


def start_coturn(laboratory, far):
    server = far.start("turnserver", "-n", "--lt-cred-mech", "--user", f"{USER}:{PASSWORD}", "--realm", "firezone",
                       "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", f"--stale-nonce={STALE_SECONDS}",
                       "-L", "10.79.0.2", "-L", "fd79::2", "-E", "10.79.0.2", "-E", "fd79::2", "--pidfile",
                       f"{laboratory.folder}/turnserver.pid", "--userdb", f"{laboratory.folder}/turndb", name="coturn")
    lab.wait_until(lambda: far.output("ss", "-Hlun", "sport = :3478"), START_SECONDS, "coturn listens")
    return server


def scenario(laboratory):
    if not shutil.which("turnserver"):
        raise lab.Skip("turnserver is not installed")
    near, far = laboratory.namespace("ours"), laboratory.namespace("relay")
    laboratory.link(near, ["10.79.0.1/24", "fd79::1/64"], far, ["10.79.0.2/24", "fd79::2/64"])
    server = start_coturn(laboratory, far)
    near.python(ECHO, ECHO_PORT, name="echo")
    lab.wait_until(lambda: near.output("ss", "-Hlun", f"sport = :{ECHO_PORT}"), START_SECONDS, "the echo listens")

    client = Client(near, 5000)
    relayed = client.wait_for(r"^added relayed (\S+)$")
    lab.check(True, f"allocated {' and '.join(relayed)}")
    lab.check(client.heard(r"^added host 10\.79\.0\.1:5000$") and client.heard(r"^added server_reflexive 10\.79\.0\.1:5000$"),
              "and learned our own address")
    for ours in OURS:
        # coturn need not grant the additional family.
        if any(("[" in address) == ("[" in ours) for address in relayed):
            client.exchange(f"{ours}:{ECHO_PORT}", "hello")
            lab.check(True, f"data goes both ways through a channel to {ours}")

    # coturn has another nonce by then.
    near.run("sleep", STALE_SECONDS + 1)
    answered = client.counters()["turn.responses"]
    client.say("refresh")
    lab.wait_until(lambda: client.counters()["turn.responses"] >= answered + 2, ANSWER_SECONDS,
                   "438, and an answer to the second Refresh")
    client.exchange(f"{OURS[0]}:{ECHO_PORT}", "stale")
    lab.check(not client.heard(r"^(invalidated|discarded) "), "a stale nonce is replaced, and the allocation stays")

    server = check_restart(laboratory, far, client, server)

    wrong = Client(near, 5001, password="wrong", name="wrong")
    wrong.wait_for(r"^discarded authentication error$")
    asked = wrong.counters()["turn.requests"]
    near.run("sleep", 2)
    lab.check(wrong.counters()["turn.requests"] == asked, f"a wrong password is given up after {asked} requests")

    strict = Client(near, 5002, option=False, name="strict")
    strict.wait_for(r"^discarded the relay went silent$", seconds=15)
    lab.check(strict.counters()["turn.drop.unsigned"] > 0, "without the option unsigned errors are no answers")
    lab.check(server.alive(), "coturn is alive")


def check_restart(laboratory, far, client, server):
    """coturn is killed and started again. It answers Bindings at once, so that nothing tells the client by itself; asked, it
    knows neither the nonce (438) nor the allocation (437), and gives another one."""
    server.kill()
    server = start_coturn(laboratory, far)
    before = client.heard(r"^added relayed (\S+)$")
    client.say("refresh")
    lab.wait_until(lambda: len(client.heard("^invalidated relayed ")) == len(before), ANSWER_SECONDS, "what it lost is not used")
    lab.wait_until(lambda: len(client.heard("^added relayed ")) == 2 * len(before), ANSWER_SECONDS, "there is another allocation")
    client.exchange(f"{OURS[0]}:{ECHO_PORT}", "again")
    lab.check(not client.heard("^discarded "), "a relay that was killed and is back gives another allocation")
    server.kill()
    client.say("refresh")
    client.wait_for("^discarded the relay went silent$")
    print("  ok: asked while it is away, it counts as lost: who hands relays out hands it out again", flush=True)
    return start_coturn(laboratory, far)


if __name__ == "__main__":
    lab.run(scenario)
