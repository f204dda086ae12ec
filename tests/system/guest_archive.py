#!/usr/bin/python3
"""A guest whose archive was not unpacked as a whole says what it lacks, before any command runs in it.

usage: guest_archive.py [--cache FOLDER]      the cache is guest.py's
"""
import argparse
import shutil

import guest
import lab


def cut(archive):
    """Without its end, where modules and libraries are."""
    data = archive.read_bytes()
    archive.write_bytes(data[:len(data) * 19 // 20])


def empty(archive):
    archive.write_bytes(bytes(4096))


# What is done to the archive, and what has to be said.
ROWS = (("an archive whose end is missing", cut, ("lacks ./", "unpacking failed")),
        ("no archive at all", empty, ("the guest ended", "panic")))


def scenario(laboratory, cache):
    for number, (title, damage, words) in enumerate(ROWS):
        folder = laboratory.folder / f"guest-{number}"
        folder.mkdir()
        made = guest.made(laboratory, cache)
        shutil.copy(made / "initrd.gz", folder / "initrd.gz")
        (folder / "kernel").symlink_to(made / "kernel")
        damage(folder / "initrd.gz")
        try:
            guest.Guest(laboratory, laboratory.namespace(f"host-{number}"), folder)
        except lab.Failure as failure:
            lab.check(all(word in str(failure) for word in words), f"{title}: {failure}")
        else:
            raise lab.Failure(f"{title}: the guest runs")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--cache", default=str(lab.ROOT / "build/guest"))
    lab.run(scenario, options.parse_args().cache)
