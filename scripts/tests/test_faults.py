"""The deliberate faults fit the sources as they are: who changes a line moves its fault along."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from devtools import faults

    return faults


def test_every_fault_has_one_place(faults: Any) -> None:
    misplaced = {fault.id: fault.occurrences(ROOT) for fault in faults.load()}
    assert {name: count for name, count in misplaced.items() if count != 1} == {}


def test_every_fault_changes_the_built_in_loop(faults: Any) -> None:
    for fault in faults.load():
        assert fault.find != fault.replace, fault.id
        assert fault.file.startswith(("loops/epoll/", "loops/native/", "loops/core/")), fault.id


def test_there_are_enough_faults_with_names_of_their_own(faults: Any) -> None:
    names = Counter(fault.id for fault in faults.load())
    assert len(names) >= 40
    assert {name for name, count in names.items() if count > 1} == set()


def test_both_halves_of_the_loop_have_faults(faults: Any) -> None:
    native = sum(fault.is_native for fault in faults.load())
    assert 15 <= native <= len(faults.load()) - 15


def test_faults_are_chosen_by_area_or_name(faults: Any) -> None:
    everything = faults.load()
    assert faults.select(everything, []) == everything
    assert {fault.area for fault in faults.select(everything, ["TLS"])} == {"TLS"}
    assert [fault.id for fault in faults.select(everything, ["system-exit"])] == [
        "system-exit-is-swallowed"
    ]
    with pytest.raises(faults.SetupError, match="no-such-fault"):
        faults.select(everything, ["timers", "no-such-fault"])
