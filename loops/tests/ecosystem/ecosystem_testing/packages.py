"""Packages that a Python may have no wheel for: a test says so and is skipped."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, distribution
from types import ModuleType

import pytest


def installed(package: str, module: str = "") -> ModuleType:
    """The imported package, or a module of it. Skips the test file where it is not installed."""
    try:
        distribution(package)
    except PackageNotFoundError:
        pytest.skip(
            f"{package} is not installed: no wheel for Python {_version()}", allow_module_level=True
        )
    return importlib.import_module(module or package)


def compiled(package: str, *modules: str) -> None:
    """Fails unless the named extension modules of the package are compiled ones.

    Skips where the wheel of this Python has none (`py3-none-any`): then there is nothing to load.
    """
    if "-none-any" in (distribution(package).read_text("WHEEL") or ""):
        pytest.skip(f"the wheel of {package} for Python {_version()} has no compiled modules")
    for name in modules:
        file = importlib.import_module(name).__file__
        assert file is not None
        assert file.endswith(".so"), f"{name} is {file}"


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
