"""A file that has all of its text, or is what it was: also where the disk fills or Ctrl-C comes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Folders are made. Raises OSError, which names the file."""
    try:
        if file.exists() and not file.is_file():  # a device or a pipe cannot be replaced
            file.write_text(text, encoding="utf-8")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(file)) from error


def _replace(file: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:100]}.")
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
