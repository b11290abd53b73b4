"""Which cases of its rules a figure does not rest on, so that a loop that fails them still has one.

A rule of a scenario is asked by many cases: over TLS where the scenario talks TCP, or of arguments
that it never passes. Such a case is a broken promise of the loop all the same, and counted as one;
it says nothing about the work that was timed. What is left aside is written down here, as patterns
of `fnmatch` over ids of cases ("TRAN-001.other-types-*"), never guessed:

- cases on another transport than the scenario's: the ends of their ids tell (CARRIED);
- cases of another way to schedule, likewise (SCHEDULED);
- of some rules the cases about refusals, argument checks and strange input (ASIDE);
- what the scenario itself names in `aside`, because it does nothing of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence

# What carries the bytes: "served" is a TCP connection that a server of the loop accepted.
CARRIED = {
    "tcp": ("*-tcp",),
    "served": ("*-served",),
    "unix": ("*-unix",),
    "tls": ("*-tls",),
    "udp": ("*-udp",),
    "pipe": ("*-pipe",),
}
# call_soon, call_soon_threadsafe, call_later and call_at
SCHEDULED = {
    "soon": ("*-soon",),
    "threadsafe": ("*-threadsafe",),
    "later": ("*-later",),
    "at": ("*-at",),
}

ASIDE: dict[str, tuple[str, ...]] = {
    # Addresses in ways of writing that are out of use ("127.1", "0x7f.1"); the scenarios look up
    # plain ones, and compare each answer with that of the socket module.
    "DNS-001": ("DNS-001.strange-numbers-*",),
    # Kinds of arguments: the scenario passes the host as str and the port as int.
    "DNS-005": (
        "DNS-005.kinds-bytes-*",
        "DNS-005.kinds-none-*",
        "DNS-005.kinds-str-bytes",
        "DNS-005.kinds-str-none",
        "DNS-005.kinds-str-str",
    ),
    # Other executors than threads.
    "EXEC-003": ("EXEC-003.duck", "EXEC-003.processes", "EXEC-003.interpreters"),
    # What close() leaves of things that the life of a loop in the scenario does not have.
    "LIFE-025": (
        "LIFE-025.uses-executor",
        "LIFE-025.uses-reader",
        "LIFE-025.uses-signal",
        "LIFE-025.uses-threadsafe",
        "LIFE-025.uses-timer",
    ),
    # Attributes of the transport that is returned; sockets in place of pipes.
    "PIPE-001": ("PIPE-001.result-*", "PIPE-001.*-socket"),
    # The same, and an abort with data under way: the scenarios' pipes are closed when empty.
    "PIPE-002": ("PIPE-002.result-*", "PIPE-002.abort-*", "PIPE-002.*-socket"),
    # The program as bytes or Path, where the scenarios name it as str; attributes of the transport
    # that is returned, which Process does not show.
    "PROC-001": ("PROC-001.program-bytes", "PROC-001.program-path", "PROC-001.result"),
    # Children that end or close their output before they are done; no child of a scenario does.
    "PROC-003": ("PROC-003.closes-early", "PROC-003.exits-first"),
    "PROC-013": ("PROC-013.broken-pipe",),
    # A handler that raises; SIGINT, which no scenario that depends on this rule sends.
    "SIGN-001": ("SIGN-001.failing", "SIGN-001.int"),
    # Handlers that are removed while the loop does not run: the scenarios do it in callbacks.
    "SIGN-003": ("SIGN-003.*-before-run",),
    # Readers and files that no scenario has: paused ones, and such as are no files of the system.
    "SNDF-001": ("SNDF-001.paused-stays-paused-*",),
    "SNDF-003": ("SNDF-003.bytes-io-*",),
    # The file's own position: the scenario moves it to the start before every call.
    "SNDF-002": ("SNDF-002.from-the-start-*",),
    # A keyword argument is to be refused.
    "SOON-005": ("SOON-005.keywords-*",),
    # A connection that is refused, and kinds of arguments (paths, sockets) that are not passed.
    "STRM-001": ("STRM-001.refused-*", "STRM-001.unix-path-*", "STRM-001.sock-*"),
    # Refusals: of arguments, of a second reader, of a line beyond the limit; and a reset.
    "STRM-002": (
        "STRM-002.negative",
        "STRM-002.two-readers-*",
        "STRM-002.limit-*",
        "STRM-002.reset",
    ),
    # What drain() does when the connection has ended: those of the scenarios last.
    "STRM-004": ("STRM-004.closed-*", "STRM-004.lost-*", "STRM-004.waiting-lost-*"),
    # A timer that cancels its own handle while it is called: a use after its end.
    "TIME-010": ("TIME-010.own",),
    # A peer that never answers; TLS within TLS.
    "TLSS-008": ("TLSS-008.timeout", "TLSS-008.tls-in-tls"),
    # What is no bytes (str, None, a list ...) is to be refused.
    "TRAN-001": ("TRAN-001.other-types-*",),
    # Reading is paused or resumed twice in a row.
    "TRAN-016": ("TRAN-016.not-counted-*",),
    # An address that is in use is to be refused.
    "UDPD-001": ("UDPD-001.in-use",),
    # Datagrams that are empty or of 60 000 bytes; an endpoint that is closed while more wait.
    "UDPD-002": ("UDPD-002.empty-*", "UDPD-002.large", "UDPD-002.pause-*"),
}


def carriers_of(transport: str) -> tuple[str, ...]:
    """Of a server on it."""
    return ("tcp", "served") if transport == "tcp" else (transport,)


def irrelevant(
    rules: Sequence[str],
    carriers: Sequence[str] = (),
    schedules: Sequence[str] = (),
    aside: Sequence[str] = (),
) -> list[str]:
    """Patterns of the cases on which a figure that depends on `rules` does not rest. `carriers`
    and `schedules` are keys of CARRIED and SCHEDULED; none of them: no such case is left aside."""
    found = [pattern for rule in rules for pattern in ASIDE.get(rule, ())]
    found += [pattern for pattern in aside if pattern.partition(".")[0] in rules]
    for used, patterns in ((carriers, CARRIED), (schedules, SCHEDULED)):
        if used:
            found += [p for name, ends in patterns.items() if name not in used for p in ends]
    return found
