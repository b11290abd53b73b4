"""Sides from revisions, wheels, environments and factories."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from gate_testing import LOOP, commit, git, repository, tiny_project, write
from msgspec import structs

from loopgauge.harness.cli.errors import explain
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.errors import HarnessError
from loopgauge.harness.gate import environments, sides
from loopgauge.harness.gate.model import Settings, Side


@dataclass
class Project:
    folder: Path
    work: Path
    said: list[str] = field(default_factory=list)

    def prepare(self, base: str = "", head: str = "", **settings: object) -> tuple[Side, Side]:
        self.said.clear()
        chosen = Settings(**{"benchmarks": ["app:main"], **settings})
        return sides.prepare(base, head, chosen, self.folder, self.work, self.said.append)

    def refused(self, base: str = "", head: str = "", **settings: object) -> tuple[ExitCode, str]:
        with pytest.raises(HarnessError) as caught:
            self.prepare(base, head, **settings)
        problem = explain(caught.value)
        assert problem is not None
        assert "\n" not in problem.line()
        return problem.code, problem.line()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one test built, the next one need not."""
    return tmp_path_factory.mktemp("sides")


@pytest.fixture
def project(tmp_path: Path, work: Path) -> Project:
    return Project(tiny_project(tmp_path / "tiny"), work)


@pytest.fixture
def app(tmp_path: Path) -> Project:
    """An application that needs no build, of which nothing is there yet."""
    folder = repository(tmp_path / "app")
    files = {"pyproject.toml": "[tool.loopgauge.gate]\n", ".gitignore": ".bench\n*.pyc\n"}
    commit(folder, {**files, "app.py": "VERSION = 1\nasync def main(): pass\n"})
    commit(folder, {"app.py": "VERSION = 2\nasync def main(): pass\nasync def more(): pass\n"})
    return Project(folder, folder / ".bench/builds")


def inside(side: Side, code: str) -> str:
    done = subprocess.run(
        [side.executable, "-P", "-c", f"import sys; sys.path += {side.path!r}\n{code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


BUILT = "import tinyloop; print(tinyloop.REVISION, getattr(tinyloop, 'BUILT', False))"


def test_by_default_the_merge_base_is_compared_with_the_working_tree(project: Project) -> None:
    write(project.folder, {"tinyloop/__init__.py": LOOP.format(revision="not committed")})
    base, head = project.prepare()
    assert inside(base, BUILT) == "first True"
    assert inside(head, BUILT) == "not committed True"
    assert (base.origin, head.origin) == ("revision", "revision")
    assert base.commit == git(project.folder, "rev-parse", "main")
    assert base.title == f"merge base with main ({base.commit[:10]})"
    assert (head.commit, head.title) == ("", "working tree")
    assert base.loop == head.loop == "tiny"  # the project's one entry point
    assert base.version == "1.0"
    assert base.content != head.content
    assert git(project.folder, "status", "--porcelain") == "M tinyloop/__init__.py"


def test_the_bench_is_importable_behind_what_the_side_brings(project: Project) -> None:
    base, _ = project.prepare("main", "work")
    code = (
        "import loopgauge.harness.cli, msgspec; print(sys.path.index({!r}) > sys.path.index({!r}))"
    )
    own = str(Path(base.executable).parents[1] / "lib" / f"python3.{sys.version_info[1]}")
    ours = environments.folders_behind()[0]
    assert inside(base, code.format(ours, f"{own}/site-packages")) == "True"


def test_a_checkout_on_pythonpath_does_not_take_the_place_of_the_build(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, _ = project.prepare("main", "work")
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    assert inside(base, BUILT) == "first True"


def test_what_was_built_once_is_not_built_again(app: Project) -> None:
    first = app.prepare("main~1", "main")
    assert [line.split()[0] for line in app.said] == ["building", "building", "the"]
    assert app.prepare("main~1", "main") == first
    # The working tree is what `main` is: the same files, the same environment.
    _, head = app.prepare("main~1")
    assert head.executable == first[1].executable
    assert len(app.said) == 1


def test_a_build_that_was_interrupted_is_done_again(app: Project) -> None:
    base, _ = app.prepare("main~1", "main")
    home = Path(base.executable).parents[2]
    (home / environments.WHOLE).unlink()
    (home / "venv/bin/python").unlink()
    app.prepare("main~1", "main")
    assert [line.split()[0] for line in app.said] == ["building", "the"]
    assert inside(base, "import app; print(app.VERSION)") == "1"


def test_the_same_build_on_both_sides_is_said_and_no_error(project: Project) -> None:
    base, head = project.prepare("work", "work")
    assert base.content == head.content
    assert project.said[-1] == "base and head are the same build: whatever differs is chance"


def test_a_change_outside_the_loop_is_said(project: Project) -> None:
    commit(project.folder, {"README": "more words"})
    project.prepare("work~1", "work")
    assert project.said[-1] == "the loop tiny is the same on both sides"


def test_each_side_that_does_not_build_has_its_own_message(project: Project) -> None:
    commit(project.folder, {"tinyloop/__init__.py": "does not compile"})
    code, line = project.refused("main", "work")
    assert code == ExitCode.ENVIRONMENT
    assert "head (work (" in line
    assert "does not build: tinyloop.cpp:7: error: expected ';'" in line
    log = Path(line.rpartition(" is in ")[2].removesuffix("."))
    assert "tinyloop.cpp:7" in log.read_text()
    assert any("tinyloop.cpp:7" in said for said in project.said)
    code, line = project.refused("work", "main")
    assert code == ExitCode.ENVIRONMENT
    assert "base (work (" in line


def test_the_settings_name_the_command(project: Project) -> None:
    command = "cp -r {source}/tinyloop $(dirname $(dirname {python}))/lib/python3*/site-packages"
    base, _ = project.prepare("main", "work", build=command, loop="tinyloop:new_loop")
    assert inside(base, BUILT) == "first False"
    code, line = project.refused("main", "work", build="echo no such compiler; exit 3")
    assert (code, "base (main (" in line) == (ExitCode.ENVIRONMENT, True)
    assert "does not build: no such compiler" in line


def test_wheels(project: Project, tmp_path: Path) -> None:
    base, _ = project.prepare("main", "work")
    wheels = []
    for revision in ("main", "work"):
        git(project.folder, "checkout", "-q", revision)
        code = f"import backend; print(backend.build_wheel({str(tmp_path)!r}))"
        subprocess.run([sys.executable, "-c", code], cwd=project.folder, check=True)
        built = tmp_path / "tinyloop-1.0-py3-none-any.whl"
        (tmp_path / revision).mkdir()
        wheels.append(str(built.rename(tmp_path / revision / built.name)))
    elsewhere = Project(tmp_path / "elsewhere", project.work)
    elsewhere.folder.mkdir()
    base, head = elsewhere.prepare(*wheels)
    assert (base.origin, base.loop) == ("wheel", "tiny")
    assert inside(base, BUILT) == "first True"
    assert inside(head, BUILT) == "second True"
    code, line = elsewhere.refused(wheels[0], str(tmp_path / "gone.whl"))
    assert (code, "there is no such wheel" in line) == (ExitCode.USAGE, True)
    broken = tmp_path / "tinyloop-2.0-py3-none-any.whl"
    broken.write_text("no archive")
    code, line = elsewhere.refused(wheels[0], str(broken), loop="tiny")
    assert (code, "head (" in line) == (ExitCode.ENVIRONMENT, True)


def test_environments_of_the_user(project: Project, tmp_path: Path) -> None:
    built, _ = project.prepare("main", "work")
    folder = str(Path(built.executable).parents[1])
    base, head = project.prepare(folder, folder, loop="tiny")
    assert (base.origin, base.executable) == ("environment", built.executable)
    assert base.content == head.content
    assert "the same build" in project.said[-1]
    by_python, _ = project.prepare(built.executable, folder, loop="tiny")
    assert by_python.executable == built.executable
    venv.create(tmp_path / "bare", symlinks=True)
    code, line = project.refused(folder, str(tmp_path / "bare"), loop="tiny")
    assert code == ExitCode.ENVIRONMENT
    assert "head (" in line
    assert "bin/python -m pip install loopgauge" in line


def test_loops_by_name_and_by_factory(project: Project) -> None:
    base, head = project.prepare("asyncio", "tinyloop:new_loop", loop="epoll")
    assert (base.loop, head.loop) == ("asyncio", "tinyloop:new_loop")
    assert (base.origin, head.origin) == ("factory", "factory")
    assert base.executable == head.executable == sys.executable
    assert head.path == [str(project.folder)]
    assert base.content != head.content
    assert project.said == []
    project.prepare("asyncio", "asyncio")
    assert "the same build" in project.said[-1]


def test_a_factory_that_is_not_there(project: Project) -> None:
    code, line = project.refused("asyncio", "tinylop:new_loop")
    assert code == ExitCode.ENVIRONMENT
    assert "head (tinylop:new_loop) has no loop" in line


def test_a_base_from_before_the_loop(project: Project) -> None:
    git(project.folder, "checkout", "-q", "--orphan", "before")
    git(project.folder, "rm", "-rfq", ".")
    commit(project.folder, {"README": "nothing yet"})
    code, line = project.refused("before", "work", loop="tinyloop:new_loop")
    assert code == ExitCode.ENVIRONMENT
    assert "base (before (" in line
    assert "has no loop tinyloop:new_loop" in line


def test_a_side_does_not_borrow_the_loop_of_our_own_environment(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be measured in the place of the one that was asked for."""
    write(tmp_path / "ours", {"tinyloop/__init__.py": LOOP.format(revision="ours")})
    behind = [*environments.folders_behind(), str(tmp_path / "ours")]
    monkeypatch.setattr(environments, "folders_behind", lambda: behind)
    git(project.folder, "checkout", "-q", "--orphan", "before")
    git(project.folder, "rm", "-rfq", ".")
    commit(project.folder, {"README": "nothing yet"})
    code, line = project.refused("before", "work", loop="tinyloop:new_loop")
    assert code == ExitCode.ENVIRONMENT
    assert "base (before (" in line
    assert f"would be taken from {tmp_path}/ours/tinyloop" in line


def test_two_pythons_are_said(project: Project) -> None:
    base, head = (sides.checked(side) for side in project.prepare("asyncio", "asyncio"))
    other = replace(head, python="3.99.0 (plain)", side=structs.replace(head.side, content="x"))
    assert sides.remarks(base, other)[-1] == (
        f"base runs on Python {base.python}, head on 3.99.0 (plain): a difference may be the"
        " interpreter's"
    )


def test_a_project_that_needs_no_build(app: Project) -> None:
    base, head = app.prepare("main~1", "main")
    assert (base.loop, head.loop) == ("asyncio", "asyncio")
    names = ["app:main", "app:more", "nothing:main", "app.sub:x"]
    assert sides.targets(base, names) == {"app:main"}
    assert sides.targets(head, names) == {"app:main", "app:more"}


def test_a_benchmark_whose_module_fails_is_not_taken_for_removed(project: Project) -> None:
    write(
        project.folder,
        {
            "fails.py": "import no_such_module\n",
            "raises.py": "raise RuntimeError\n",
            "dies.py": "import os\nos._exit(3)\n",
            "chatty.py": "print('{}')\nclass K:\n    async def run(self): pass\n",
        },
    )
    _, side = project.prepare("asyncio", "tinyloop:new_loop")
    there = {"fails:main", "raises:main", "dies:main", "chatty:K.run"}
    assert sides.targets(side, [*there, "chatty:main", "absent:main"]) == there
    assert sides.targets(side, []) == set()


def test_which_loop_is_meant_has_to_be_clear(tmp_path: Path, work: Path) -> None:
    bare = Project(repository(tmp_path / "bare"), work)
    commit(bare.folder, {"x.py": ""})
    code, line = bare.refused("HEAD", "HEAD", benchmarks=["sleep0"])
    assert (code, "--loop NAME" in line) == (ExitCode.USAGE, True)
    entries = '[project.entry-points."loopgauge.loops"]\na = "x:a"\nb = "x:b"\n'
    write(bare.folder, {"pyproject.toml": entries})
    code, line = bare.refused("HEAD", "HEAD", benchmarks=["sleep0"])
    assert (code, "there are a, b" in line) == (ExitCode.USAGE, True)


def test_old_environments_are_dropped(app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "KEPT", 1)
    base, head = app.prepare("main~1", "main")
    assert not Path(base.executable).exists()
    assert Path(head.executable).exists()
