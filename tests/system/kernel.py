"""What the kernel can do, asked of the kernel itself: a program of ours that does without is no proof that it cannot."""
import ctypes
import errno
import fcntl
import os
import struct

import lab

IO_URING_SETUP = 425  # the same number on every architecture
IO_URING_PARAMETERS = 120  # bytes
CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x1000, 0x4000
OFFLOADS_WITH_USO = 0x1 | 0x2 | 0x4 | 0x20 | 0x40  # checksum, TSO4, TSO6, USO4, USO6


def require_io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    ring = libc.syscall(IO_URING_SETUP, 8, ctypes.create_string_buffer(IO_URING_PARAMETERS))
    if ring < 0:
        raise lab.Skip(f"io_uring_setup fails on this kernel: {os.strerror(ctypes.get_errno())}")
    os.close(ring)


def require_uso():
    """A TUN of its own, in a network namespace that ends with the child."""
    child = os.fork()
    if child == 0:
        os._exit(_uso_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == errno.EINVAL:
        raise lab.Skip("TUNSETOFFLOAD refuses USO on this kernel: Invalid argument")
    lab.require(code == 0, f"a TUN can be asked for USO ({os.strerror(code)})")


def _uso_errno():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return ctypes.get_errno()
    try:
        with open("/dev/net/tun", "r+b", buffering=0) as tun:
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"probe", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
            fcntl.ioctl(tun, TUNSETOFFLOAD, OFFLOADS_WITH_USO)
    except OSError as error:
        return error.errno
    return 0
