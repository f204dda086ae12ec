#!/usr/bin/python3
"""A host that slept finds its way back at once: the clocks of one program jump, and the tunnel works again. Topology:
portal_lab.py.

The jump is made by time_shift/: boot and wall time run ahead, monotonic time does not, as in suspend. It is longer than
a WireGuard session lasts and shorter than anything that the portal or a relay gives.
"""
import sys

import lab
from portal_lab import CONNECT_SECONDS, LAB, LAB_6, System, policy
from shifted_clock import ShiftedClock

SERVER = "172.21.0.100"
SLEEP_SECONDS = 240
LOOK_SECONDS = 10  # the program looks every 5 s
USAGE = "usage: portal_suspend.py client|gateway"


def scenario(laboratory, sleeper):
    system, clock = System(laboratory, policy(LAB, LAB_6)), ShiftedClock(laboratory.folder)
    system.start_portal()
    for relay in system.relays:
        system.start_relay(relay)
    system.environment = clock.environment() if sleeper == "gateway" else {}
    system.start_gateway()
    system.environment = clock.environment() if sleeper == "client" else {}
    system.start_client()
    system.serve()
    system.check_curl(SERVER)
    logins = system.counter(sleeper, "portal.joins")
    clock.advance(SLEEP_SECONDS)
    lab.wait_until(lambda: f"the machine slept for {SLEEP_SECONDS} s" in system.programs[sleeper].text(), LOOK_SECONDS,
                   f"the {sleeper} notices that it slept")
    print(f"  ok: the {sleeper} notices that it slept")
    lab.wait_until(lambda: system.counter(sleeper, "portal.joins") > logins, CONNECT_SECONDS,
                   f"the {sleeper} logs in again")
    system.check_curl(SERVER)
    system.finish()


if __name__ == "__main__":
    if sys.argv[1:] not in (["client"], ["gateway"]):
        sys.exit(USAGE)
    lab.run(scenario, sys.argv[1])
