"""The arrows between the rooms point one way, and no file knows the machine it was written on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("loops", "harness", "scenarios", "conformance", "reports")

# What each room may import besides itself. The result model is the one door into the harness
# for reports, and the composition root, harness/cli, may import every room.
ALLOWED = {
    "loops": ("loopgauge._core",),
    "scenarios": ("loopgauge.loops",),
    "harness": ("loopgauge.loops", "loopgauge.scenarios", "loopgauge._bench"),
    "harness/cli": ("loopgauge",),
    "conformance": ("loopgauge.loops",),
    "reports": (
        "loopgauge.harness.model",
        "loopgauge.harness.summary",
        "loopgauge.harness.explained",
        "loopgauge.harness.spreadsheet",
        "loopgauge.harness.whole_file",
        "loopgauge.harness.comparison.model",
        "loopgauge.harness.history.model",
        "loopgauge.harness.history.fleet_model",
        "loopgauge.harness.fleet.across",
        "loopgauge.harness.gate.evidence",
        "loopgauge.harness.gate.model",
        "loopgauge.harness.gate.store",
        "loopgauge.conformance.model",
        "loopgauge.conformance.next_steps",
        "loopgauge.conformance.catalogue",
        "loopgauge.conformance.difference",
        "loopgauge.conformance.profiles",
        "loopgauge.conformance.store",
        "loopgauge.conformance.summary",
        "loopgauge.conformance.surface",
    ),
}


def python_files(room: str) -> list[Path]:
    """Sources of a room; its tests may use what they like to build their cases."""
    return [path for path in (ROOT / room).rglob("*.py") if "tests" not in path.parts]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything of ours that a file imports, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import absolutely"
            module = node.module or ""
            if module == "loopgauge":
                yield from ((node.lineno, f"loopgauge.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "harness/cli" if parts[:2] == ("harness", "cli") else parts[0]


def is_allowed(name: str, room: str) -> bool:
    own = "loopgauge." + room.replace("/", ".")
    doors = (own, *ALLOWED[room])
    return any(name == door or name.startswith(door + ".") for door in doors)


def violations(path: Path) -> list[str]:
    room = room_of(path)
    return [
        f"{path.relative_to(ROOT)}:{line}: {room} imports {name}"
        for line, name in imported(path)
        if name.split(".")[0] == "loopgauge" and not is_allowed(name, room)
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room: str) -> None:
    files = python_files(room)
    assert files
    assert [text for path in files for text in violations(path)] == []


@pytest.mark.parametrize(
    ("room", "name", "allowed"),
    [
        ("loops", "loopgauge.harness.model", False),
        ("scenarios", "loopgauge.harness", False),
        ("scenarios", "loopgauge.loops.spec", True),
        ("harness", "loopgauge.reports.run.html", False),
        ("harness", "loopgauge.harness.cli.table", True),
        ("harness/cli", "loopgauge.reports.run.html", True),
        ("reports", "loopgauge.harness.model", True),
        ("reports", "loopgauge.harness.modelling", False),
        ("reports", "loopgauge.harness.statistics", False),
        ("conformance", "loopgauge.scenarios", False),
    ],
)
def test_the_rule_itself(room: str, name: str, allowed: bool) -> None:
    assert is_allowed(name, room) is allowed


def test_only_the_command_line_imports_itself() -> None:
    """harness/cli is the root: nothing in the harness below it may know it."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files("harness")
        if room_of(path) == "harness"
        for line, name in imported(path)
        if name.startswith("loopgauge.harness.cli")
    ]
    assert found == []


def test_rooms_are_imported_by_their_full_name() -> None:
    """With the checkout on sys.path, `harness.x` would be a second copy of the module."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for line, name in imported(path)
        if name.split(".")[0] in ROOMS
    ]
    assert found == []


def test_no_module_is_loaded_twice() -> None:
    """pytest itself makes the packages above a test file; anything else is a second copy."""
    copies = [
        name
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in ROOMS
        and "tests" not in name.split(".")
        and not hasattr(module, "__path__")
    ]
    assert copies == []


def test_the_core_includes_no_python() -> None:
    sources = list((ROOT / "loops/core").rglob("*.[ch]pp"))
    assert sources
    for path in sources:
        text = path.read_text(encoding="utf-8")
        includes = re.findall(r'#\s*include\s*[<"]([^>"]+)', text)
        strangers = [
            name
            for name in includes
            if name == "Python.h"
            or name.startswith(("pybind11", "benchmark"))
            or ("/" in name and name.split("/")[0] in ROOMS and not name.startswith("loops/core/"))
        ]
        assert strangers == [], path


def test_a_fast_loop_loads_no_benchmark_code() -> None:
    program = (
        "import sys, loopgauge, loopgauge.loops.registry, loopgauge.loops.epoll\n"
        "loopgauge.new_event_loop().close()\n"
        "print(*sorted(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = answer.stdout.split()
    strangers = {"click", "rich", "msgspec", "numpy", "matplotlib", "jinja2", "psutil"}
    assert strangers & set(loaded) == set()
    rooms = ("loopgauge.harness", "loopgauge.scenarios", "loopgauge.reports", "loopgauge._bench")
    assert [name for name in loaded if name.startswith(rooms)] == []


# Folders that exist on somebody's machine only, and the hosts of package registries.
MACHINE = re.compile(
    r"(?<![\w.~$}/-])/(?:work|root|home|Users|workspace|mnt)/[\w.-]+"
    r"|https?://[^\s\"']*(?:pypi|pythonhosted|/simple\b|artifactory|nexus)"
)
TEXT = {".py", ".pyi", ".cpp", ".hpp", ".h", ".md", ".toml", ".json", ".txt", ".cmake", ".lock"}
TEXT |= {"", ".sh", ".in", ".html", ".css", ".jinja", ".yml", ".yaml", ".cfg", ".ini"}


def tracked_files() -> list[Path]:
    answer = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in answer.stdout.split("\0") if name]
    return [ROOT / name for name in names if Path(name).suffix in TEXT]


def machine_paths(text: str) -> list[str]:
    return MACHINE.findall(text)


def test_no_file_names_a_machine() -> None:
    this = Path(__file__).resolve()
    found = []
    for path in tracked_files():
        if path.resolve() == this or not path.is_file():
            continue
        names = machine_paths(path.read_text(encoding="utf-8", errors="replace"))
        found += [f"{path.relative_to(ROOT)}: {name}" for name in names]
    assert found == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see /workspace/x.py", 1),
        ("'/root/.venv'", 1),
        ("/home/me/loopgauge", 1),
        ("~/work/x and $HOME/root/y", 0),
        ("share /root /home", 0),
        ("https://pypi.example/simple/x", 1),
        ("harness/worker/plan.py", 0),
    ],
)
def test_the_machine_pattern_itself(text: str, count: int) -> None:
    assert len(machine_paths(text)) == count
