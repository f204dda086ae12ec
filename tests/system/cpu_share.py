"""What a process gets of the CPU: a limit that is as fine as a slower core would be, a rank, and what it has used.

The kernel gives a limited process its quota once a period, but takes the account only when it schedules, and at its tick:
every 4 ms at 250 Hz. A busy process runs on until then, has overdrawn a quota of 1 ms fourfold, and pays back by standing
still for several periods; whoever waits for it would measure that. So while a limit is on, each CPU has a process with
real-time priority that wakes every quarter of a millisecond and does nothing: the kernel schedules then.

Where the kernel groups processes by session (sched_autogroup_enabled), their nice values count among those of one session
alone, and the session has one of its own.
"""
import contextlib
import os
from pathlib import Path

import lab

QUOTA_MICROSECONDS = 1000  # the least that the kernel takes
LOOK_SECONDS = 0.00025
NANOSECONDS = 1_000_000_000
# cgroup v1 and v2; within its quota it goes first, as with nice -20.
CONTROLLERS = ((Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": "{period}", "cpu.cfs_quota_us": "{quota}",
                                             "cpu.shares": "88761"}),
               (Path("/sys/fs/cgroup"), {"cpu.max": "{quota} {period}", "cpu.weight": "8668"}))
LOOK = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
while True:
    time.sleep(float(sys.argv[2]))
"""
# Its share of a core, and the longest of a thousand standstills.
SPIN = """
import sys, time
gaps, begin, last = [], time.monotonic(), time.monotonic()
busy = time.process_time()
while last - begin < float(sys.argv[1]):
    now = time.monotonic()
    if now - last > 0.0002:
        gaps.append(now - last)
    last = now
gaps.sort()
print((time.process_time() - busy) / (last - begin), gaps[int(0.999 * (len(gaps) - 1))] if gaps else 0)
"""
SPIN_SECONDS = 2


@contextlib.contextmanager
def limited(laboratory, share):
    """Gives a function that puts a process, by its id, under a limit of that share of one core."""
    quota, period = QUOTA_MICROSECONDS, round(QUOTA_MICROSECONDS / share)
    group, root = _group(f"fireline-share-{os.getpid()}", quota, period)
    looks = [lab.Process(laboratory, ["/usr/bin/python3", "-c", LOOK, str(cpu), str(LOOK_SECONDS)], f"look-{cpu}")
             for cpu in sorted(os.sched_getaffinity(0))]
    try:
        yield lambda pid: (group / "cgroup.procs").write_text(str(pid))
    finally:
        for look in looks:
            look.kill()
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):  # it may have ended
                (root / "cgroup.procs").write_text(pid)
        group.rmdir()


def _group(name, quota, period):
    for root, settings in CONTROLLERS:
        group = root / name
        with contextlib.suppress(OSError):
            group.mkdir()
        if all((group / file).exists() for file in settings):
            for file, value in settings.items():
                (group / file).write_text(value.format(quota=quota, period=period))
            return group, root
        with contextlib.suppress(OSError):
            group.rmdir()
    raise lab.Skip("no control group here limits the CPU of a process")


def check_limit(laboratory, limit):
    """What a process that never sleeps makes of that limit."""
    spin = lab.Process(laboratory, ["/usr/bin/python3", "-c", SPIN, str(SPIN_SECONDS)], "spin")
    limit(spin.pid)
    spin.wait(SPIN_SECONDS + 10)
    share, standstill = map(float, spin.text().split())
    print(f"  limited so, a busy loop gets {share:.1%} of a core and stands still for at most {1000 * standstill:.1f} ms "
          "in 999 of 1,000 cases", flush=True)


def put_first(pid):
    """Whenever it has work, it goes before every process without real-time priority, as on a core of its own. What it starts
    from here on does not."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(task), os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def rank(pid, nice):
    """Among processes, and among sessions."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(task), nice)
    with contextlib.suppress(OSError):  # no such groups here
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def used_seconds(pid):
    """CPU time of all its threads, as the scheduler has it: ticks would miss what runs between two of them."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / NANOSECONDS
