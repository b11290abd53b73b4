"""A result file of any origin: a run file of ours, pyperf's JSON or Google Benchmark's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loopgauge.harness.errors import NotARunFile, TruncatedRun
from loopgauge.harness.formats import google_benchmark, pyperf
from loopgauge.harness.formats.foreign import Reading
from loopgauge.harness.packed import content
from loopgauge.harness.store import RunFile, read_run

CURE = (
    "Give a file that `bench run` wrote (.bench/runs/*.jsonl), or the JSON of pyperf (-o FILE) or "
    "of Google Benchmark (--benchmark_out=FILE)"
)


def read_any(path: Path, loop: str = "") -> RunFile:
    """`loop` names what a foreign file measured, where the file itself does not; empty: the name of
    its format. Any of them may be packed: pyperf writes NAME.json.gz where it is asked to. Raises
    NotARunFile, NewerSchema or TruncatedRun."""
    data = _bytes(path)
    return _foreign(path, data, loop).run_file() if _is_one_document(data) else read_run(path)


def read_foreign(path: Path, loop: str = "") -> Reading:
    """A file that another tool wrote. Raises NotARunFile of any other."""
    data = _bytes(path)
    if not _is_one_document(data):
        read_run(path)  # says what is wrong with it
        raise NotARunFile(f"{path} is a run file already", "Only foreign files need importing")
    return _foreign(path, data, loop)


def read_any_whole(path: Path, loop: str = "") -> tuple[RunFile, str]:
    """For readers who take what there is: the run, and what is wrong with it (mostly "")."""
    try:
        return read_any(path, loop), ""
    except TruncatedRun as error:
        return error.whole, error.cause


def _foreign(path: Path, data: bytes, loop: str) -> Reading:
    document = _document(path, data)
    if pyperf.is_one(document):
        return pyperf.read(path, document, loop)
    if google_benchmark.is_one(document):
        return google_benchmark.read(path, document, loop)
    raise NotARunFile(
        f"{path} is not a loopgauge run file, nor JSON of pyperf or Google Benchmark", CURE
    )


def _bytes(path: Path) -> bytes:
    try:
        return content(path)
    except OSError as error:
        raise NotARunFile(
            f"cannot read {path}: {error.strerror or error}",
            "`bench list runs` names the runs there are",
        ) from error


def _is_one_document(data: bytes) -> bool:
    """A run file is JSON Lines, and its first line says of which record it is."""
    first = data.lstrip().split(b"\n", 1)[0]
    if not first.startswith(b"{"):
        return False
    try:
        return "record" not in json.loads(first)
    except ValueError:
        return b'"record"' not in first  # spread over lines; or the first of ours, cut


def _document(path: Path, data: bytes) -> dict[str, Any]:
    """By the standard library: Google Benchmark writes NaN, which strict JSON does not know."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise NotARunFile(f"{path} is not whole JSON ({error})", CURE) from error
    assert isinstance(document, dict)  # it begins with a brace
    return document
