"""Random conversations over a connection, as data: Hypothesis makes them, `talk()` holds them.

A conversation says what the application does (outside of callbacks, inside one, or as an answer to
a callback of its protocol) and what the other end does. Its trace is what the protocol was told,
step by step, with neighbouring pieces of data joined. It is the same on every loop because each
step ends only when nothing moves any more, and because amounts are either small (kernel buffers
take them all) or huge (they never do).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

#: Twice what both kernel buffers hold; the other end's small reads never get it out of the way.
HUGE = 2 << 20
SMALL = (0, 1, 7, 100, 2000, 3000)
STEPS, ACTIONS = 8, 3


@dataclass(frozen=True)
class Action:
    """What the application does to its transport; `size` is in bytes, or a high-water mark."""

    kind: str
    size: int = 0
    form: str = "bytes"


@dataclass(frozen=True)
class Local:
    """Actions one after the other: in one callback, or while the loop does not run."""

    actions: tuple[Action, ...]
    inside: bool = True


@dataclass(frozen=True)
class Remote:
    """What the other end does; `size` is in bytes."""

    kind: str
    size: int = 0


@dataclass(frozen=True)
class Conversation:
    protocol: str = "data"
    server: bool = False
    keep_open: bool = False
    #: Bytes that `get_buffer()` offers.
    room: int = 1000
    #: What the protocol does in its first connection_made, data, eof, pause, resume, lost.
    answers: dict[str, tuple[Action, ...]] = field(default_factory=dict)
    steps: tuple[Local | Remote, ...] = ()


PROTOCOLS = ("data", "buffered")
FORMS = ("bytes", "bytearray", "memoryview", "slice")
CALLBACKS = ("made", "data", "eof", "pause", "resume", "lost")


def conversations() -> st.SearchStrategy[Conversation]:
    steps = st.lists(st.one_of(_locals(), _locals(), _remotes(), _remotes()), max_size=STEPS)
    answers = st.dictionaries(st.sampled_from(CALLBACKS), _bodies(), max_size=2)
    return st.builds(
        Conversation,
        protocol=st.sampled_from(PROTOCOLS),
        server=st.booleans(),
        keep_open=st.booleans(),
        room=st.sampled_from((1, 100, 1000, 65536)),
        answers=answers,
        steps=steps.map(tuple),
    )


def _locals() -> st.SearchStrategy[Local]:
    return st.builds(Local, _bodies(), st.booleans())


def _bodies() -> st.SearchStrategy[tuple[Action, ...]]:
    return st.lists(_actions(), min_size=1, max_size=ACTIONS).map(tuple)


def _actions() -> st.SearchStrategy[Action]:
    small = st.sampled_from(SMALL)
    write = st.builds(Action, st.just("write"), small, st.sampled_from(FORMS))
    lines = st.builds(Action, st.just("writelines"), small)
    huge = st.builds(Action, st.just("write"), st.just(HUGE), st.sampled_from(FORMS))
    pause, resume = st.just(Action("pause_reading")), st.just(Action("resume_reading"))
    limits = st.builds(Action, st.just("limits"), st.sampled_from((0, 1, 1000, 65536)))
    switch = st.builds(Action, st.just("set_protocol"), form=st.sampled_from(PROTOCOLS))
    ending = st.builds(Action, st.sampled_from(("write_eof", "close", "abort")))
    # A branch named twice is drawn twice as often.
    return st.one_of(write, write, write, lines, huge, pause, resume, limits, switch, ending)


def _remotes() -> st.SearchStrategy[Remote]:
    send = st.builds(Remote, st.just("send"), st.sampled_from((1, 10, 1000, 5000)))
    read = st.builds(Remote, st.just("read"), st.sampled_from((1, 1000, 30_000)))
    ending = st.builds(Remote, st.sampled_from(("half_close", "close", "reset")))
    return st.one_of(send, send, read, st.just(Remote("drain")), ending)
