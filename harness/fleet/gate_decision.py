"""What the gates of several hosts say together: each host first, and then all.

Nothing is averaged: a change on one host is a change, and is named with it. With every host there
is one more chance of a false alarm, so the confirmations of all hosts are one family, whose error
is held together (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from loopgauge.harness import environment
from loopgauge.harness.exit_codes import ExitCode, first
from loopgauge.harness.fleet.gate_model import Finding, GatesFile, GatesResult
from loopgauge.harness.gate import judging
from loopgauge.harness.gate.decision import decide, step_file
from loopgauge.harness.gate.model import FAILING
from loopgauge.harness.gate.store import FILE, GateFile, read_gate
from loopgauge.harness.packed import there


def decide_all(gates: GatesFile) -> tuple[GatesResult, list[GateFile]]:
    """The result, and each host's gate with its own, in the order of the keys. Raises RunFileError
    where a file cannot be read."""
    left_out = {
        key: one.reason or "not finished; go on with --resume"
        for key, one in gates.hosts.items()
        if one.state != "done"
    }
    files = {key: read_gate(folder) for key, folder in begun(gates.folders()).items()}
    kept = confirmed(files)
    for key, file in files.items():
        file.result = decide(file, kept[key])
    results = {key: file.result for key, file in files.items() if file.result is not None}
    codes = {ExitCode(result.exit_code) for result in results.values()}
    if left_out:
        codes.add(ExitCode.LEFT_OUT)
    if not results:
        codes.add(ExitCode.NOTHING_MEASURED)
    findings = [
        Finding(host=key, decision=decision)
        for key, result in results.items()
        for decision in result.decisions
        if decision.verdict in FAILING
    ]
    result = GatesResult(
        utc=environment.utc_now(),
        exit_code=int(first(codes)),
        hosts={key: result.exit_code for key, result in results.items()},
        findings=findings,
        left_out=left_out,
    )
    return result, [*files.values()]


def begun(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Those that got as far as a header."""
    return {
        key: folder for key, folder in sorted(folders.items()) if there(folder / FILE).is_file()
    }


def confirmed(files: Mapping[str, GateFile]) -> dict[str, dict[str, bool]]:
    """By host, which flagged changes its second stage confirms, with the error of all hosts'
    confirmations held together."""
    flags = [(key, flag) for key, file in files.items() for flag in flags_of(file)]
    keep = judging.confirmed([flag for _, flag in flags])
    found: dict[str, dict[str, bool]] = {key: {} for key in files}
    for (key, flag), kept in zip(flags, keep, strict=True):
        found[key][flag.benchmark] = kept
    return found


def flags_of(file: GateFile) -> list[judging.Flag]:
    timed, again = step_file(file, "timing"), step_file(file, "confirmation")
    if timed is None or again is None:
        return []
    settings = file.header.settings
    return judging.flags_again(again, judging.judged_first(timed, settings), settings)
