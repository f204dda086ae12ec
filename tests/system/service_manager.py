"""systemd's end of sd_notify(3)."""
import socket

import lab

STATE_SECONDS = 30


class ServiceManager:
    """What a program gets as NOTIFY_SOCKET: `path`."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(STATE_SECONDS)

    def check(self, *states):
        told = [self.socket.recv(4096).decode() for _ in states]
        lab.check(all(one.startswith(state) for one, state in zip(told, states)), f"the service manager is told {told}")
        if states == ("STOPPING=1",):
            self.path.unlink()
