"""JSON for programs and files for others, the same way from every command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


def print_json(document: Any) -> None:
    """One document on stdout; not-a-number and infinity become null."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def write_whole(file: Path, text: str) -> None:
    """The file has all of it or is what it was, also where the disk fills. Raises Problem, also for
    a file that holds results of ours."""
    from loopgauge.harness import whole_file
    from loopgauge.harness.cli.errors import Problem
    from loopgauge.harness.cli.exit_codes import ExitCode

    require_no_result(file)
    try:
        whole_file.write(file, text)
    except OSError as error:
        raise Problem(
            ExitCode.ENVIRONMENT,
            f"cannot write {file}: {error.strerror or error}",
            "What was measured is intact: make room, or choose another --out",
        ) from error


def require_no_result(file: Path) -> None:
    """What was measured cannot be made again as it was. Raises Problem where `file` is a run, a
    conformance result or a part of a gate, packed or not."""
    import msgspec

    from loopgauge.harness.cli.errors import Problem
    from loopgauge.harness.cli.exit_codes import ExitCode
    from loopgauge.harness.packed import first_line

    if not file.is_file():
        return
    try:
        envelope = msgspec.json.decode(first_line(file), type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if {"record", "schema", "kind"} <= envelope.keys():
        raise Problem(
            ExitCode.USAGE,
            f"{file} is a result file, which is never overwritten",
            "Choose another place for what is made of it",
        )


def require_writable(outputs: Mapping[str, Path | None]) -> None:
    """Finds out before minutes of measuring, not after them. `outputs`: by their options. Leaves
    nothing behind. Raises Problem."""
    from loopgauge.harness.cli.errors import Problem
    from loopgauge.harness.cli.exit_codes import ExitCode

    for option, file in outputs.items():
        if file is None:
            continue
        require_no_result(file)
        try:
            _try_to_write(file)
        except OSError as error:
            raise Problem(
                ExitCode.ENVIRONMENT,
                f"{option} {file} cannot be written: {error.strerror or error}",
                "Nothing was measured: choose another place",
            ) from error


def _try_to_write(file: Path) -> None:
    import tempfile

    if file.is_file():
        file.open("ab").close()
    elif file.exists():  # a device, or a pipe whose reader would take this for the end
        if not os.access(file, os.W_OK):
            raise PermissionError(13, "Permission denied")
    else:
        folder = next(one for one in file.absolute().parents if one.exists())
        tempfile.TemporaryFile(dir=folder).close()
