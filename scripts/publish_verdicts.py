"""Puts the verdicts of conformance runs among the published results, as one result file,
reports/results/NAME.jsonl.xz, which `bench report` reads like any other.

    python scripts/publish_verdicts.py .bench/conformance/A.jsonl .bench/conformance/B.jsonl \\
        3.14-conformance

Verdicts of the lane `rules` are kept, so that every loop was asked the same. Of several verdicts
on one case the last file's counts. A loop that was asked by its factory and is registered gets its
registered name. A loop that lacks verdicts is left out, for nobody could compare it, and named.

What is cut, to keep the file small: the evidence of verdicts with which nothing is wrong, and of
the others the traces of events, logs, and what is long.
"""

from __future__ import annotations

import argparse
import lzma
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from publish_run import RESULTS, without_paths

from loopgauge.conformance import store
from loopgauge.conformance.model import GOOD, AnyRecord, End, Evidence, Subject, Verdict
from loopgauge.loops.backends import SPECS

LANE = "rules"
LINES = 12  # of a traceback or a stack: the end says what was raised
CHARACTERS = 400  # of a value that was wanted or observed
NAMES = {spec.factory: spec.name for spec in SPECS}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("name", help="file name without ending")
    arguments = parser.parse_args()
    try:
        records, partly = merged([store.read(path) for path in arguments.results])
    except (store.UnreadableResult, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"{arguments.name}.jsonl.xz"
    out.write_bytes(lzma.compress(b"".join(map(line, records)), preset=9))
    print(f"{out.name}: {len(records)} records, {out.stat().st_size:,} bytes")
    for loop, asked in partly.items():
        print(f"left out: {loop}, which was asked {asked} cases", file=sys.stderr)
    return 0


def line(record: AnyRecord) -> bytes:
    return msgspec.json.encode(without_paths(msgspec.to_builtins(record))) + b"\n"


def merged(files: Sequence[store.Results]) -> tuple[list[AnyRecord], dict[str, int]]:
    """The records of one file; and who is left out, with how many cases it was asked. Raises
    ValueError where the files are of several Pythons, or of two builds of one loop."""
    if len({(file.header.python, file.header.build) for file in files}) > 1:
        raise ValueError("the results are of several Pythons, or of several builds of one")
    subjects: dict[str, Subject] = {}
    verdicts: dict[tuple[str, str], Verdict] = {}
    for file in files:
        for subject in file.header.subjects:
            add_subject(subjects, subject)
        for verdict in file.verdicts:
            if verdict.lane == LANE:
                made = published(verdict)
                verdicts[made.loop, made.case] = made
    partly = asked_in_part(verdicts)
    header = msgspec.structs.replace(
        files[0].header,
        created=max(file.header.created for file in files),
        lanes=[LANE],
        selection=[],
        subjects=[subjects[name] for name in in_order(subjects) if name not in partly],
    )
    kept = [verdict for verdict in verdicts.values() if verdict.loop not in partly]
    return [header, *kept, End()], partly


def in_order(loops: Iterable[str]) -> list[str]:
    """As everywhere: that of the registry, then whoever is not in it."""
    known = [*NAMES.values()]
    return sorted(loops, key=lambda loop: known.index(loop) if loop in known else len(known))


def add_subject(subjects: dict[str, Subject], found: Subject) -> None:
    name = NAMES.get(found.factory, found.loop)
    subject = msgspec.structs.replace(found, loop=name)
    if subjects.setdefault(name, subject) != subject:
        raise ValueError(f"two builds of {name} were asked")


def published(verdict: Verdict) -> Verdict:
    return msgspec.structs.replace(
        verdict,
        loop=NAMES.get(verdict.factory, verdict.loop),
        reason=cut(verdict.reason),
        evidence=Evidence(notes=verdict.evidence.notes)
        if verdict.verdict in GOOD
        else short(verdict.evidence),
    )


def short(evidence: Evidence) -> Evidence:
    return msgspec.structs.replace(
        evidence,
        observations=[
            (what, cut(wanted), cut(seen)) for what, wanted, seen in evidence.observations[-3:]
        ],
        events=[],
        logs=[],
        traceback=last_lines(evidence.traceback),
        stack=last_lines(evidence.stack),
        resources=[cut(one) for one in evidence.resources[:5]],
        output=cut(last_lines(evidence.output)),
    )


def cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"


def last_lines(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return text if len(lines) <= LINES else f"…\n{''.join(lines[-LINES:])}"


def asked_in_part(verdicts: Iterable[tuple[str, str]]) -> dict[str, int]:
    """`verdicts`: loop and case. The loops that lack a case that another has, with their number."""
    by_loop: dict[str, set[str]] = {}
    for loop, case in verdicts:
        by_loop.setdefault(loop, set()).add(case)
    every = set().union(*by_loop.values())
    return {loop: len(cases) for loop, cases in by_loop.items() if cases != every}


if __name__ == "__main__":
    sys.exit(main())
