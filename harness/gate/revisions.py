"""The versions of a project that git knows, and its working tree, as folders to build from.

Nothing is written to the repository: a commit is read into an index of its own and checked out
beside it. `git archive` would do, but it leaves out what `export-ignore` names (benchmarks and
tests, often), and then the working tree and the commit it is equal to would be two things.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loopgauge.harness.errors import SideUnusable, UnknownSide

DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
LEFT_OUT = ".bench"  # our own results in a working tree are no part of what is measured
GITLINK = "160000"  # the mode of a submodule in a tree
UNSHALLOW = "Fetch the history: git fetch --unshallow (actions/checkout: fetch-depth: 0)"


@dataclass(frozen=True)
class Revision:
    """`commit` is "" for the working tree. `name` is how it was asked for."""

    name: str
    commit: str = ""


WORKING_TREE = Revision("working tree")


def find(project: Path, word: str) -> Revision | None:
    """The commit that git understands a word as; None where it does not."""
    if word.startswith("-") or top(project) is None:
        return None
    commit = _git(project, "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
    return Revision(word, commit) if commit else None


def full_name(project: Path, word: str) -> str:
    """refs/heads/main for main; "" for what is no branch and no tag."""
    return _git(project, "rev-parse", "--symbolic-full-name", "--verify", "--quiet", word) or ""


def merge_base(project: Path) -> Revision:
    """Where what is checked out left the default branch. Raises UnknownSide."""
    if top(project) is None:
        raise UnknownSide(
            f"{project} is in no git repository, so there is nothing to compare with",
            "Name both sides: --base and --head take loops, wheels and virtual environments, too",
        )
    if find(project, "HEAD") is None:
        raise UnknownSide(f"{project} has no commit yet", "Make one, or name what to compare with")
    branch = next((name for name in DEFAULT_BRANCHES if find(project, name)), None)
    if branch is None:
        raise UnknownSide(
            f"no default branch was found (none of {', '.join(DEFAULT_BRANCHES)})",
            "Name what to compare with: --base REVISION",
        )
    branch = _git(project, "rev-parse", "--abbrev-ref", branch) or branch  # of origin/HEAD
    commit = _git(project, "merge-base", branch, "HEAD")
    if not commit:
        raise UnknownSide(
            f"what is checked out and {branch} have no commit in common here",
            UNSHALLOW if is_shallow(project) else "Name what to compare with: --base REVISION",
        )
    return Revision(f"merge base with {branch}", commit)


def near(project: Path, word: str) -> list[str]:
    """Branches and tags with similar names."""
    names = _git(project, "for-each-ref", "--format=%(refname:short)") or ""
    return difflib.get_close_matches(word, names.split(), n=3, cutoff=0.5)


def is_shallow(project: Path) -> bool:
    return _git(project, "rev-parse", "--is-shallow-repository") == "true"


def top(folder: Path) -> Path | None:
    """The root of the working tree that a folder is in. Raises SideUnusable where git has a reason
    of its own to refuse (a repository of somebody else's, for example)."""
    try:
        answer = _run(folder, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        return None  # no git: nothing here is a revision
    if answer.returncode == 0:
        return Path(answer.stdout.strip())
    if "not a git repository" in answer.stderr or "work tree" in answer.stderr:
        return None
    raise SideUnusable(f"git refuses {folder}: {_last(answer.stderr)}", "Ask git: git status")


def export(project: Path, revision: Revision, into: Path) -> Path:
    """Writes the whole tree of the repository and returns the project's folder in it, which may be
    below its root. Submodules are taken from where they are checked out. Raises SideUnusable."""
    root = top(project)
    assert root is not None
    if revision.commit:
        _check_out(root, revision.commit, into)
    else:
        _copy_working_tree(root, into)
    return into / project.resolve().relative_to(root.resolve())


def described_version(project: Path, revision: Revision) -> str:
    """For build backends that ask git for a version, and find no repository in what we export:
    the last tag, with the commit as local part."""
    commit = revision.commit or (_git(project, "rev-parse", "HEAD") or "")
    tag = _git(project, "describe", "--tags", "--abbrev=0", commit) if commit else ""
    number = (tag or "").removeprefix("v")
    if not number or not number.replace(".", "").isdigit():
        number = "0"
    return f"{number}+g{commit[:10]}" if commit else number


def content_of(tree: Path) -> str:
    """sha256 of all files: their names, bytes, kinds and whether they can be executed."""
    digest = hashlib.sha256()
    for path in sorted(_files(tree)):
        kind = "link" if path.is_symlink() else "x" if os.access(path, os.X_OK) else "file"
        data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        digest.update(f"{path.relative_to(tree)}\0{kind}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _check_out(repository: Path, commit: str, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        own_index = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        for arguments in (["read-tree", commit], ["checkout-index", "-a", f"--prefix={into}/"]):
            done = _run(repository, *arguments, env=own_index)
            if done.returncode:
                raise SideUnusable(f"{commit[:10]} cannot be exported: {_last(done.stderr)}")
    for name, wanted in _submodules(repository, commit):
        _check_out_submodule(repository / name, wanted, into / name)


def _check_out_submodule(submodule: Path, commit: str, into: Path) -> None:
    here = top(submodule) if submodule.is_dir() else None
    if here is None or here.resolve() != submodule.resolve() or find(submodule, commit) is None:
        raise SideUnusable(
            f"the submodule {submodule} does not hold the commit {commit[:10]}",
            "Fetch it: git submodule update --init --recursive, or git fetch in the submodule",
        )
    _check_out(submodule, commit, into)


def _submodules(repository: Path, commit: str) -> Iterator[tuple[str, str]]:
    for line in (_git(repository, "ls-tree", "-r", "-z", commit) or "").split("\0"):
        facts, _, name = line.partition("\t")
        if facts.startswith(GITLINK):
            yield name, facts.split()[2]


def _copy_working_tree(repository: Path, into: Path) -> None:
    """What is tracked, as it is now, and what is new and not ignored."""
    listed = _git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted({*(listed or "").split("\0")} - {""}):
        path, copy = repository / name, into / name
        if LEFT_OUT in Path(name).parts or name.endswith("/"):  # "/": somebody else's repository
            continue
        if path.is_dir() and not path.is_symlink():
            if (path / ".git").exists():
                _copy_working_tree(path, copy)
            continue
        if path.exists() or path.is_symlink():  # what is deleted is still listed
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy, follow_symlinks=False)
    into.mkdir(parents=True, exist_ok=True)


def _files(tree: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(tree):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in [*files, *links])


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where it fails."""
    try:
        done = _run(folder, *arguments)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _run(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = ["git", "-C", str(folder), *arguments]
    # Messages are looked at, so they have to be English; names of files may be any bytes.
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env={**(env or os.environ), "LC_ALL": "C"},
    )


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
