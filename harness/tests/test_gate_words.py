"""What a word after --base or --head is taken for, and how it is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gate_testing import commit, git, repository, tiny_project, write

from loopgauge.harness.cli.errors import explain
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.errors import HarnessError, SideUnusable
from loopgauge.harness.gate import environments, revisions, words
from loopgauge.harness.gate.revisions import Revision


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_project(tmp_path_factory.mktemp("project") / "tiny")
    git(folder, "tag", "v1.2", "main")
    return folder


def refused(project: Path, word: str, name: words.SideName = "base") -> str:
    with pytest.raises(HarnessError) as caught:
        words.understand(name, word, project)
    problem = explain(caught.value)
    assert problem is not None
    assert problem.code == ExitCode.USAGE
    assert "\n" not in problem.line()
    return problem.line()


@pytest.mark.parametrize(
    ("word", "origin"),
    [
        ("main", "revision"),
        ("v1.2", "revision"),
        ("HEAD~1", "revision"),
        ("", "revision"),
        (".", "revision"),
        ("uvloop", "factory"),
        ("a.b:c", "factory"),
        (sys.executable, "environment"),
    ],
)
def test_words(project: Path, word: str, origin: str) -> None:
    assert words.understand("base", word, project).origin == origin


def test_a_revision_is_held_by_its_commit(project: Path) -> None:
    meaning = words.understand("head", "v1.2", project)
    assert meaning.revision == Revision("v1.2", git(project, "rev-parse", "main"))
    assert words.understand("base", ".", project).revision == revisions.WORKING_TREE


def test_what_can_mean_two_things_is_asked_back(project: Path) -> None:
    git(project, "branch", "epoll")
    line = refused(project, "epoll")
    assert "--base epoll can mean more than one thing" in line
    assert "Write loopgauge.loops.epoll:new_event_loop for the loop;" in line
    assert "refs/heads/epoll for the revision" in line
    assert words.understand("base", "refs/heads/epoll", project).origin == "revision"


def test_a_python_by_its_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPGAUGE_PYTHONS", str(Path(sys.executable).parent))
    assert (
        words.understand("base", "python3", project).path == Path(sys.executable).parent / "python3"
    )
    assert "is nothing that can be measured" in refused(project, "python3.99")
    git(project, "branch", "python3")
    try:
        assert f"Write {Path(sys.executable).parent}/python3 for the environment" in refused(
            project, "python3"
        )
    finally:
        git(project, "branch", "-D", "python3")


def test_what_means_nothing_gets_the_nearest_names(project: Path) -> None:
    line = refused(project, "mian", "head")
    assert "--head mian is nothing that can be measured. Did you mean 'main'" in line
    assert "'uvloop'" in refused(project, "uvlop")
    assert "It can be a loop" in refused(project, "zzzzzz")
    assert "is a folder, and no virtual environment" in refused(project, "tinyloop")
    assert "there is no such wheel" in refused(project, "tinyloop-1.0-py3-none-any.whl")
    assert "is nothing" in refused(project, "--exec=x")


def test_without_a_repository_both_sides_have_to_be_named(tmp_path: Path) -> None:
    assert "is in no git repository" in refused(tmp_path, "")
    assert "is in no git repository" in refused(tmp_path, "", "head")


def test_without_history_there_is_no_merge_base(project: Path, tmp_path: Path) -> None:
    assert "has no commit yet" in refused(repository(tmp_path / "empty"), "")
    lone = repository(tmp_path / "lone")
    commit(lone, {"x": "1"})
    git(lone, "branch", "-m", "trunk")
    assert "no default branch was found" in refused(lone, "")
    git(lone, "checkout", "-q", "--orphan", "main")
    commit(lone, {"x": "2"})
    git(lone, "checkout", "-q", "trunk")
    assert "have no commit in common here. Name what" in refused(lone, "")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", f"file://{project}", "shallow")
    git(shallow, "remote", "set-head", "origin", "main")
    assert "origin/main have no commit in common here. Fetch" in refused(shallow, "")
    assert "git fetch --unshallow" in refused(shallow, "HEAD~1")


def test_a_repository_that_git_refuses(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "fatal: detected dubious ownership in repository at '/x'"

    def refuse(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 128, stdout="", stderr=says)

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(SideUnusable, match="dubious ownership"):
        words.understand("base", "", project)


def test_an_export_is_the_tree_with_links_modes_and_what_archives_leave_out(
    tmp_path: Path,
) -> None:
    origin = repository(tmp_path / "origin")
    write(
        origin,
        {"run": "#!/bin/sh\n", "bench/app.py": "", ".gitattributes": "bench export-ignore\n"},
    )
    (origin / "run").chmod(0o755)
    (origin / "link").symlink_to("run")
    version = commit(
        origin, {name: (origin / name).read_text() for name in ("run", "bench/app.py")}
    )
    git(origin, "add", ".")
    git(origin, "commit", "-q", "--amend", "--no-edit")
    version = git(origin, "rev-parse", "HEAD")
    out = revisions.export(origin, Revision("x", version), tmp_path / "out")
    assert (out / "bench/app.py").exists()
    assert (out / "link").readlink() == Path("run")
    copy = revisions.export(origin, revisions.WORKING_TREE, tmp_path / "copy")
    assert revisions.content_of(copy) == revisions.content_of(out)
    (copy / "run").chmod(0o644)
    assert revisions.content_of(copy) != revisions.content_of(out)
    assert git(origin, "status", "--porcelain") == ""


def test_the_working_tree_is_what_is_there_and_not_ignored(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    commit(folder, {".gitignore": "*.o\n", "kept": "1", "gone": "1"})
    (folder / "gone").unlink()
    write(folder, {"new file": "2", "x.o": "3", ".bench/sides/x": "4", "kept": "5"})
    copy = revisions.export(folder, revisions.WORKING_TREE, tmp_path / "copy")
    names = sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file())
    assert names == [".gitignore", "kept", "new file"]
    assert (copy / "kept").read_text() == "5"


def test_a_project_below_the_root_of_its_repository(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    version = commit(root, {"shared/x": "1", "projects/mine/pyproject.toml": ""})
    mine = root / "projects/mine"
    out = revisions.export(mine, Revision("x", version), tmp_path / "out")
    assert out == tmp_path / "out/projects/mine"
    assert (tmp_path / "out/shared/x").exists()


def test_submodules_come_from_where_they_are_checked_out(tmp_path: Path) -> None:
    vendor = repository(tmp_path / "vendor")
    commit(vendor, {"lib.c": "1"})
    root = repository(tmp_path / "r")
    allow = ("-c", "protocol.file.allow=always")
    git(root, *allow, "submodule", "add", "-q", str(vendor), "vendor/lib")
    version = commit(root, {"x": "1"})
    for revision in (Revision("x", version), revisions.WORKING_TREE):
        out = revisions.export(root, revision, tmp_path / f"out{revision.commit}")
        assert (out / "vendor/lib/lib.c").read_text() == "1"
        assert not (out / "vendor/lib/.git").exists()
    git(root, "submodule", "deinit", "-q", "-f", "vendor/lib")
    with pytest.raises(SideUnusable, match="git submodule update --init"):
        revisions.export(root, Revision("x", version), tmp_path / "none")


def test_a_version_for_backends_that_ask_git(project: Path) -> None:
    short = git(project, "rev-parse", "work")[:10]
    revision = words.understand("base", "work", project).revision
    assert revision is not None
    assert revisions.described_version(project, revision) == f"1.2+g{short}"


@pytest.mark.parametrize(
    ("lines", "telling"),
    [
        (["a.c:1: error: no", "note: see", "hint: See above for details."], "a.c:1: error: no"),
        (["ERROR: Could not find a version", "", "[notice] A new release"], "ERROR: Could not"),
        (["a.c:1:2: error: no ;", "error: Command 'gcc' failed", "a.c:9:1: error: x"], "a.c:1:2:"),
        (["error[E0425]: cannot find", "error: could not compile"], "error[E0425]"),
        (["no rule", "error: Command 'cc' returned non-zero exit status 1."], "no rule"),
        (["$ pip install x", "killed"], "killed"),
        (["$ pip install x"], ""),
    ],
)
def test_the_line_of_a_failed_build_that_tells_something(lines: list[str], telling: str) -> None:
    assert environments.telling_line(lines).startswith(telling)
    assert bool(environments.telling_line(lines)) == bool(telling)


def test_a_command_is_filled_in_for_the_shell() -> None:
    command = environments.filled_in("{python} -c '{}' ${X} {source}", Path("/a b/p"), Path("/s"))
    assert command == "'/a b/p' -c '{}' ${X} /s"


@pytest.mark.parametrize(
    ("files", "whether"),
    [
        ({"app.py": ""}, False),
        ({"pyproject.toml": "[tool.ruff]\n"}, False),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, True),
        ({"setup.py": ""}, True),
        ({"pyproject.toml": "[broken"}, True),
    ],
)
def test_what_can_be_installed(tmp_path: Path, files: dict[str, str], whether: bool) -> None:
    write(tmp_path, files)
    assert environments.is_installable(tmp_path) is whether
