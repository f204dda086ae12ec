#!/usr/bin/python3
"""tools/lab: labs side by side, what its commands do, and that nothing is left, even where `up` was killed.

usage: lab_tool.py
"""
import os
import signal
import subprocess

import lab
import standing_lab

TOOL = str(lab.ROOT / "tools/lab")
PINGED = b"\xcb\x00\x71\x01"  # 203.0.113.1
OWN = f"t{os.getpid()}"  # the labs' names: test runs side by side do not meet


def scenario(laboratory):
    names = [f"{OWN}x{number}" for number in range(3)]
    laboratory.at_end += [lambda: [tool("down", "--name", name, must=False) for name in names]]
    relays = [] if os.access(os.environ.get("FIRELINE_RELAY", ""), os.X_OK) else ["--no-relays"]
    tool("up", "--name", names[0], "cone-symmetric", *relays)
    tool("up", "--name", names[1], "none4-address6", *relays)
    lab.check("stands already" in tool("up", "--name", names[0], must=False).stderr, "a name is taken once")
    lab.check("several labs" in tool("exec", "client", "true", must=False).stderr, "with two labs a name is needed")

    first, second = ((lambda *words, name=name, **how: on(name, *words, **how)) for name in names[:2])
    shown = tool("status", "--name", names[0]).stdout
    lab.check("203.0.113.20" in shown and "symmetric" in shown, "status shows addresses and NAT kinds")
    lab.check(first("client", "ping", "-c3", "-i0.2", "-W2", "203:0:113::1").returncode == 0, "the client reaches the internet")
    lab.check(first("gateway", "ping", "-c3", "-i0.2", "-W2", "172.20.0.110").returncode == 0, "the gateway reaches a resource")
    lab.check(second("client", "ping", "-c1", "-W1", "203:0:113::1", must=False).returncode != 0, "a family is absent")
    if not relays:
        relay = [line for line in shown.splitlines() if line.split()[0] == "relay-1"]
        lab.check("pids" in relay[0], "the relays run")

    tool("unplug", "--name", names[0], "client")
    lab.check("unplugged" in tool("status", "--name", names[0]).stdout, "an unplugged host is shown")
    lab.check(first("client", "ping", "-c1", "-W1", "203.0.113.1", must=False).returncode != 0, "and reaches nobody")
    tool("plug", "--name", names[0], "client")
    lab.check(first("client", "ping", "-c3", "-i0.2", "-W2", "203.0.113.1").returncode == 0, "plugged in again it does")
    tool("nat", "--name", names[0], "client", "none")
    lab.check("203.0.113.120" in tool("status", "--name", names[0]).stdout, "another NAT kind on the fly")

    file = laboratory.folder / "frames.pcap"
    capture = lab.Process(laboratory, [TOOL, "capture", "--name", names[0], "router-client", str(file)], "capture")
    lab.wait_until(lambda: "captures" in capture.text(), 10, "the capture begins")
    first("client", "ping", "-c3", "-i0.2", "-W2", "203.0.113.1")
    lab.wait_until(lambda: PINGED in file.read_bytes(), 10, "the ping is in the file")
    capture.signal(signal.SIGTERM)
    lab.check(capture.wait(5) == 0, "a signal ends the capture")
    lab.check(file.read_bytes()[:4] == b"\xd4\xc3\xb2\xa1", "the file is a pcap file with the ping's address")

    mistakes(names[0])
    for name in names[:2]:
        tool("down", "--name", name)
    lab.check(not residue(names), "down leaves nothing")
    building = lab.Process(laboratory, [TOOL, "up", "--name", names[2]], "up")
    # Its namespaces come behind the file that names them.
    lab.wait_until(lambda: any(one.startswith(f"flab-{names[2]}-") for one in lab.namespace_names()), 10,
                   "the third lab is being built")
    building.kill()
    lab.check(residue(names), "a killed up leaves namespaces")
    tool("status")
    lab.check(not residue(names), "the next command removes them")


def mistakes(name):
    for words, sentence in ((("up", "nonsense"), "use CLIENT-GATEWAY"),
                            (("up", "cone-foo"), "is no NAT kind"),
                            (("up", "--name", "a/b", "cone-cone"), "1 to 20 letters and digits"),
                            (("down", "--name", "nobody"), "no lab nobody"),
                            (("exec", "--name", name, "nobody", "true"), "no host nobody"),
                            (("exec", "--name", name, "client"), "which command?"),
                            (("nat", "--name", name, "client", "foo"), "is no NAT kind"),
                            (("nat", "--name", name, "relay-1", "cone"), "client and gateway"),
                            (("unplug", "--name", name, "internet"), "has no cable"),
                            (("capture", "--name", name, "client", "/none/x.pcap"), "cannot write /none/x.pcap"),
                            (("capture", "--name", name, "client", "/dev/null", "--interface", "x"), "no interface x")):
        refused = tool(*words, must=False)
        lab.check(refused.returncode == 1 and sentence in refused.stderr and refused.stderr.count("\n") == 1,
                  f"one sentence: {refused.stderr.strip()}")


def tool(*words, must=True):
    result = subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=lab.COMMAND_SECONDS)
    lab.require(result.returncode == 0 or not must, f"tools/lab {' '.join(words)}: {result.stderr}")
    return result


def on(name, host, *command, must=True):
    return tool("exec", "--name", name, host, *command, must=must)


def residue(names):
    return [one for one in lab.namespace_names() if any(one.startswith(f"flab-{name}-") for name in names)] + \
           [name for name in names if (standing_lab.FOLDER / name).exists()]


if __name__ == "__main__":
    lab.run(scenario)
