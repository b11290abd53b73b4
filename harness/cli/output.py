"""JSON for programs and files for others, the same way from every command."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click


def print_json(document: Any) -> None:
    """One document on stdout; not-a-number and infinity become null."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def write_whole(file: Path, text: str) -> None:
    """The file has all of it or is what it was, also where the disk fills. Raises Problem."""
    from loopgauge.harness.cli.errors import Problem
    from loopgauge.harness.cli.exit_codes import ExitCode

    try:
        if file.exists() and not file.is_file():  # a device or a pipe cannot be replaced
            file.write_text(text, encoding="utf-8")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, text)
    except OSError as error:
        raise Problem(
            ExitCode.ENVIRONMENT,
            f"cannot write {file}: {error.strerror or error}",
            "What was measured is intact: make room, or choose another --out",
        ) from error


def _replace(file: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.chmod(0o666 & ~umask())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def umask() -> int:
    """There is no way to read it without setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
