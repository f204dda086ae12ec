"""How much longer than on a machine with a processor to spare things may take. A limit is the program's; a processor
that somebody else had is not its time, and on a busy machine a limit without this fails for no reason.

The kernel counts for how long somebody waited for a processor (PSI, /proc/pressure/cpu, line "some"). The share of that
time stretches a limit: 1 where nobody waited, FACTOR_MAX where somebody always did. A scenario's own load counts as
well: a kernel does not tell whose it was.
"""
import os
import re
import time
from pathlib import Path

PRESSURE = Path("/proc/pressure/cpu")
FACTOR_MAX = 5.0  # ten that want to run on two processors


def _waited_seconds():
    """Since the machine was booted; None where the kernel does not count it."""
    try:
        return int(re.search(r"^some .*total=(\d+)", PRESSURE.read_text(), re.M)[1]) / 1e6
    except (OSError, TypeError):
        return None


class Strain:
    """A stopwatch that begins when it is made, and the machine's strain since then."""

    def __init__(self):
        self._begin, self._waited = time.monotonic(), _waited_seconds()

    def seconds(self):
        return time.monotonic() - self._begin

    def factor(self):
        if self._waited is None:
            share = float(os.getloadavg()[0] > os.cpu_count())
        else:
            share = (_waited_seconds() - self._waited) / max(self.seconds(), 1e-3)
        return 1 + (FACTOR_MAX - 1) * min(share, 1.0)

    def allows(self, limit, took=None):
        """Whether that time, or all since the beginning, is within the limit."""
        return (self.seconds() if took is None else took) <= limit * self.factor()

    def __str__(self):
        return f"strain {self.factor():.1f}"
