"""Child processes: CPython's own transport, told of the exit by a pidfd on every version.

`subprocess.Popen` starts the child, so every option is its own. A pidfd needs no thread and no
SIGCHLD handler, and waits for this child alone: what others started with Popen stays theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import os
import signal
import sys
from asyncio import tasks, unix_events
from typing import Any

from loopgauge import _core

_logger = logging.getLogger("asyncio")
_Transport: Any = unix_events._UnixSubprocessTransport  # type: ignore[attr-defined]

#: What the exit status is said to be when somebody else has read it.
UNKNOWN_EXIT = 255

#: The kernel or a sandbox refuses pidfds, or there is no descriptor left: a thread can still wait.
_REFUSED = {errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EMFILE, errno.ENFILE}


class SubprocessTransport(_Transport):  # type: ignore[misc]
    """A child process of the loop, and its pipes."""

    _pidfd: int | None = None

    def _watch(self) -> None:
        """Learns of the exit from now on."""
        try:
            self._pidfd = os.pidfd_open(self._pid)
        except ProcessLookupError:  # reaped already: SIGCHLD is ignored, or somebody was faster
            self._loop.call_soon(self._report_exit, self._known_exit())
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            _waiting_threads().add_child_handler(
                self._pid, self._loop._child_watcher_callback, self
            )
        else:
            self._loop._add_reader(self._pidfd, self._exited)

    def _exited(self) -> None:
        pidfd = self._pidfd
        assert pidfd is not None
        self._pidfd = None
        self._loop._remove_reader(pidfd)
        try:
            returncode = _reap(self._pid, pidfd)
        except ChildProcessError:
            returncode = self._known_exit()
        finally:
            os.close(pidfd)
        self._report_exit(returncode)

    def _report_exit(self, returncode: int) -> None:
        self._loop._child_watcher_callback(self._pid, returncode, self)

    def _known_exit(self) -> int:
        """The exit status of a child that is reaped already. Popen knows it if poll() did it."""
        known: int | None = self._proc.returncode if self._proc is not None else None
        if known is not None:
            return known
        _logger.warning(
            "child process pid %d exit status already read:  will report returncode %d",
            self._pid,
            UNKNOWN_EXIT,
        )
        return UNKNOWN_EXIT

    def send_signal(self, signal: int) -> None:
        """Signals this very child: its number may be another process's once it is reaped.

        Raises ProcessLookupError when the child has exited and its pipes are closed.
        """
        self._check_proc()
        if self._pidfd is None:
            if self._returncode is None:
                super().send_signal(signal)
            return
        with contextlib.suppress(ProcessLookupError):
            _send_signal(self._pidfd, signal)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Closes the pipes, and kills the child if it still runs."""
        super().close()
        if self._pidfd is not None and self._loop.is_closed():  # nobody will hear of the exit
            pidfd, self._pidfd = self._pidfd, None
            os.close(pidfd)


_send_signal = signal.pidfd_send_signal


def _reap(pid: int, pidfd: int) -> int:
    """The exit status of a child that has exited, as Popen tells it. ChildProcessError if somebody
    else has reaped it: then its number may be another child's by now, and is not waited for."""
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    _, status = os.waitpid(pid, 0)
    returncode: int = unix_events.waitstatus_to_exitcode(status)  # type: ignore[attr-defined]
    return returncode


@functools.cache
def _waiting_threads() -> Any:
    """CPython's watcher that has a thread wait for each child; one for the process."""
    name = "_ThreadedChildWatcher" if sys.version_info >= (3, 14) else "ThreadedChildWatcher"
    return getattr(unix_events, name)()


if sys.version_info >= (3, 14):

    def _has_own_watcher(loop: Any) -> bool:
        """True if exits are to be learned of in another way than by pidfd."""
        return type(loop._watcher) is not unix_events._PidfdChildWatcher

else:
    # What the policy makes when it is first asked.
    _DEFAULTS: tuple[Any, ...] = (unix_events.ThreadedChildWatcher,)
    if sys.version_info >= (3, 12):
        _DEFAULTS += (unix_events.PidfdChildWatcher,)
    _INHERITED = (
        asyncio.AbstractEventLoopPolicy.get_child_watcher,
        asyncio.DefaultEventLoopPolicy.get_child_watcher,
    )

    def _has_own_watcher(loop: Any) -> bool:
        """True if somebody has chosen a child watcher."""
        policy = asyncio.get_event_loop_policy()
        if type(policy).get_child_watcher not in _INHERITED:
            return True
        watcher = getattr(policy, "_watcher", None)
        return watcher is not None and type(watcher) not in _DEFAULTS


class Subprocesses(_core.LoopBase, asyncio.SelectorEventLoop):
    """A part of the loop: what subprocess_exec() and subprocess_shell() make."""

    _has_foreign_selector: bool

    async def _make_subprocess_transport(
        self,
        protocol: Any,
        args: Any,
        shell: bool,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        bufsize: int,
        extra: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> asyncio.SubprocessTransport:
        streams = (stdin, stdout, stderr, bufsize)
        if self._has_foreign_selector or _has_own_watcher(self):
            return await super()._make_subprocess_transport(
                protocol, args, shell, *streams, extra=extra, **kwargs
            )
        waiter = self.create_future()
        transport = SubprocessTransport(
            self, protocol, args, shell, *streams, waiter=waiter, extra=extra, **kwargs
        )
        transport._watch()
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await tasks.shield(transport._wait())
            raise
        return transport
