"""A plugin for the processes of a gate: what is installed is measured, and not the sources that the
tests lie beside. pytest puts folders of its own first on the import path; here they come last.

With `--import-mode=importlib` it adds none, and stays as it is.
"""

from __future__ import annotations

import sys

import pytest

PLUGIN = __name__


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """After the folders of `pythonpath` were put there, and before the first conftest.py is."""
    folders = [str(folder) for folder in early_config.getini("pythonpath")]
    sys.path[:] = [*(entry for entry in sys.path if entry not in folders), *folders]
    append(early_config.known_args_namespace)


def pytest_configure(config: pytest.Config) -> None:
    append(config.option)


def append(options: object) -> None:
    if getattr(options, "importmode", "") == "prepend":
        options.importmode = "append"  # type: ignore[attr-defined]
