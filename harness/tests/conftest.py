from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fleet_testing import cluster, empty_cluster  # noqa: F401
from history_testing import opener  # noqa: F401
from postgres_testing import postgres, postgres_url  # noqa: F401

if TYPE_CHECKING:
    from plugin_testing.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    from plugin_testing.project import project_in

    return project_in(tmp_path)
