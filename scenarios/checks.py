"""How a scenario says that the work was not done, or cannot be done here."""

from __future__ import annotations

import errno
import os


class CheckFailed(Exception):
    """The loop did not do the work, or not in the promised order. The result is INVALID."""


class Lacking(NotImplementedError):
    """This machine lacks what the scenario takes, whatever the loop: descriptors, a package, a
    feature of the kernel. The message says what, and the cure."""


# What the system says when it has no more of something, or never had it; and the cure.
_CURES = {
    errno.EMFILE: "raise the limit with `ulimit -n`, or measure with fewer connections (or the loop"
    " keeps descriptors that it should close)",
    errno.ENFILE: "the whole system is out of descriptors: see fs.file-max",
    errno.EADDRNOTAVAIL: "local ports have run out: wait a minute, or widen"
    " net.ipv4.ip_local_port_range",
    errno.EAFNOSUPPORT: "this kernel does not have that kind of address",
    errno.EPROTONOSUPPORT: "this kernel does not have that protocol",
    errno.ENOSYS: "this kernel is too old, or a container forbids the call",
    errno.ENOBUFS: "the kernel is out of memory for sockets",
    errno.ENOMEM: "free memory, or measure with fewer connections",
}


def machine_lacks(error: BaseException) -> str:
    """What, and the cure, if it is the machine that made a system call fail; "" if not."""
    if isinstance(error, Lacking):
        return str(error)
    if isinstance(error, OSError) and error.errno in _CURES:
        return f"{os.strerror(error.errno)}: {_CURES[error.errno]}"
    return ""


def require(condition: bool, problem: str) -> None:
    """Raises CheckFailed(problem) unless `condition` holds."""
    if not condition:
        raise CheckFailed(problem)
