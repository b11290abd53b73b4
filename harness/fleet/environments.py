"""Wheels and environments on a host: what fits, what arrived, and a virtual environment of it.

Runs in the Dask worker's Python, to which it is sent by value: nothing here is imported from
loopgauge, and beyond the standard library only `packaging`, which comes with distributed.

Everything lies in `~/.cache/loopgauge/fleet` (`$XDG_CACHE_HOME/loopgauge/fleet`):

    wheels/<sha256>/<file>.whl      checked against its hash whenever it is about to be used
    environments/<key>/venv         with `pip.log` beside it, and `whole`, which is written last
    environments/<key>.lock         held while it is made, by pip itself, too

A folder without `whole` is made anew. It is not renamed into place, because scripts in a virtual
environment hold its path. Kept are the ten environments that were used last and whatever was used
within two days; wheels that were not used for thirty days are deleted.

What the worker's own Python can import is importable in the environment, too, behind everything
that was installed into it: dependencies that are there need not be sent.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

RULES = 1  # of how an environment is made: part of its key
WHOLE = "whole"
LOG = "pip.log"
KEPT = 10
KEPT_S = 2 * 86_400
WHEELS_KEPT_S = 30 * 86_400
PIP_S = 900  # pip's own patience with an index is 15 s a try, and 5 tries a file
ANOTHER_CACHE = "start the worker with XDG_CACHE_HOME set to a folder of its own"

# What the worker's Python would import from, and what is installed there.
LOOK = """
import importlib.metadata, json, re, sys
there, modules = set(), {}
for one in importlib.metadata.distributions():
    there.add(f"{one.metadata['Name']}=={one.version}")
for module, names in importlib.metadata.packages_distributions().items():
    for name in names:
        modules.setdefault(re.sub("[-_.]+", "-", name).lower(), []).append(module)
print(json.dumps({"path": sys.path, "there": sorted(there), "modules": modules}))
"""


class Refused(Exception):
    """This host cannot have the environment: cause and cure."""


class Unavailable(Refused):
    """No wheel to be had for this host."""


_answers: dict[str, bytes] = {}


def begin(ticket: str, function: str, *arguments: Any) -> bool:
    """Does it in a thread of its own: the worker goes on answering its scheduler meanwhile. `tell`
    has the answer as soon as there is one."""

    def perform() -> None:
        try:
            _answers[ticket] = globals()[function](*arguments)
        except BaseException as error:
            words = {"cause": f"{type(error).__name__}: {error}", "cure": "Look into its log"}
            _answers[ticket] = json.dumps(words).encode()

    threading.Thread(target=perform, daemon=True).start()
    return True


def tell(ticket: str) -> bytes | None:
    return _answers.pop(ticket, None)


def survey(request: bytes) -> bytes:
    """Which of the wheels fit here, and which of those have to be sent.

    `request` is {"wheels": [...]} with the fields of wheels.Wheel. The answer is JSON:
    {"fit": [sha256], "missing": [sha256], "unfitting": [{"project", "words"}], "cause", "cure"};
    a cause says why nothing can be done here at all.
    """
    answer: dict[str, Any] = {"fit": [], "missing": [], "unfitting": [], "cause": "", "cure": ""}
    try:
        if sys.version_info < (3, 11):  # noqa: UP036  this Python is the worker's own
            raise Refused(f"loopgauge needs Python 3.11, this is {here()}", "")
        wheels = json.loads(request)["wheels"]
        for project in dict.fromkeys(wheel["project"] for wheel in wheels):
            offered = [wheel for wheel in wheels if wheel["project"] == project]
            chosen = best(offered)
            if chosen is not None:
                answer["fit"].append(chosen["sha256"])
            else:
                answer["unfitting"].append({"project": project, "words": unfitting(offered)})
        fit = [wheel for wheel in wheels if wheel["sha256"] in answer["fit"]]
        answer["missing"] = [wheel["sha256"] for wheel in fit if not is_kept(wheel)]
    except (Refused, OSError) as error:
        answer["cause"], answer["cure"] = said(error)
    return json.dumps(answer).encode()


def receive(sha256: str, file: str, token: str, offset: int, size: int, data: bytes) -> bytes:
    """Keeps a piece of a wheel; with its last one it is checked and taken over.

    `token` is the sender's, so that two who send the same wheel do not write into one file. A
    piece may come twice. The answer is JSON: {"cause", "cure"}, both "" where all is well.
    """
    answer = {"cause": "", "cure": ""}
    try:
        path = wheel_path(sha256, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{token}.part")
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as output:
            output.seek(offset)
            output.write(data)
        if offset + len(data) == size:
            if digest_of(part) != sha256:
                part.unlink()
                raise Refused(f"{file} arrived with another hash than it was sent with", "")
            part.replace(path)
    except (Refused, OSError) as error:
        answer["cause"], answer["cure"] = said(error)
    return json.dumps(answer).encode()


def make(request: bytes) -> bytes:
    """The environment with the wheels that fit: made now, or found.

    `request`: {"wheels": [those that fit], "left_out": [those that do not, with "words"],
    "named": [{"project", "version"}], "index": URL or "", "behind": source of a module with
    put_behind()}. The answer is JSON: {"python", "key", "installed": [{"name", "version",
    "sha256"}], "unfitting": [{"project", "words"}], "made", "cause", "cure"}.
    Takes seconds, minutes with an index. It goes on if whoever asked has gone: the next who asks
    finds it.
    """
    answer: dict[str, Any] = {"python": "", "key": "", "installed": [], "made": False}
    answer.update(cause="", cure="")
    try:
        asked = json.loads(request)
        look = looked_around()
        key = key_of(asked, look)
        home = cache() / "environments" / key
        with locked(home) as lock:
            if not is_whole(home):
                build(asked, look, home, lock)
                answer["made"] = True
            (home / WHOLE).touch()
            whole = json.loads((home / WHOLE).read_text(encoding="utf-8"))
        clean(keep=home)
        answer.update(python=str(home / "venv/bin/python"), key=key, **whole)
    except (Refused, OSError) as error:
        answer["cause"], answer["cure"] = said(error)
    return json.dumps(answer).encode()


# --- what fits ------------------------------------------------------------------------------


def best(offered: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The wheel that pip would take here; None where none fits."""
    from packaging.specifiers import SpecifierSet
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    ranks = {tag: rank for rank, tag in reversed([*enumerate(sys_tags())])}
    running = "{}.{}.{}".format(*sys.version_info[:3])
    fitting = []
    for wheel in offered:
        tags = parse_wheel_filename(wheel["file"])[3]
        fit = [ranks[tag] for tag in tags if tag in ranks]
        if fit and running in SpecifierSet(wheel["requires_python"]):
            fitting.append((min(fit), wheel["file"], wheel))
    return min(fitting, key=lambda found: found[:2])[2] if fitting else None


def unfitting(offered: list[dict[str, Any]]) -> str:
    files = [wheel["file"] for wheel in offered]
    if len(files) == 1:
        return f"{files[0]} does not fit {here()}"
    return f"none of {', '.join(files)} fits {here()}"


def here() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}"


# --- wheels ---------------------------------------------------------------------------------


def cache() -> Path:
    """Of this user alone: who could write there could give us code."""
    folder = user_cache() / "loopgauge/fleet"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.geteuid() or folder.stat().st_mode & 0o022:
        raise Refused(
            f"{folder}, where wheels are kept, belongs to another user or can be written by others",
            f"chmod go-w {shlex.quote(str(folder))}, or {ANOTHER_CACHE}",
        )
    return folder


def user_cache() -> Path:
    path = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if not os.path.isabs(path):  # noqa: PTH117  what is left of "~" for a user without a home
        raise Refused("its user has no home folder", ANOTHER_CACHE)
    return Path(path)


def wheel_path(sha256: str, file: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not re.fullmatch(r"[\w.+!-]+\.whl", file):
        raise Refused(f"{file!r} is no name of a wheel", "")
    return cache() / "wheels" / sha256 / file


def is_kept(wheel: dict[str, Any]) -> bool:
    """Whole, and nobody has changed it since."""
    path = wheel_path(wheel["sha256"], wheel["file"])
    if not path.is_file() or digest_of(path) != wheel["sha256"]:
        return False
    path.touch()
    return True


def digest_of(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# --- the environment ------------------------------------------------------------------------


def looked_around() -> dict[str, Any]:
    """Asked of a fresh process: Dask puts folders of its own on the import path of a worker."""
    done = subprocess.run([sys.executable, "-P", "-c", LOOK], capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{sys.executable} does not start: {last(done.stderr)}", "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def key_of(asked: dict[str, Any], look: dict[str, Any]) -> str:
    facts = [
        RULES,
        sorted(wheel["sha256"] for wheel in asked["wheels"]),
        sorted(wheel["sha256"] for wheel in asked["left_out"]),
        [[named["project"], named["version"]] for named in asked["named"]],
        asked["index"],
        asked["behind"],
        [sys.version, sys.executable, sys.prefix, sys.base_prefix],
        [look["path"], look["there"]],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def is_whole(home: Path) -> bool:
    """Its Python may have been removed with the one it was made from."""
    return (home / WHOLE).exists() and os.access(home / "venv/bin/python", os.X_OK)


def build(asked: dict[str, Any], look: dict[str, Any], home: Path, lock: int) -> None:
    """First what was sent, by hash and with no index; then, with what the worker's Python has in
    sight, what is still missing of their dependencies."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    venv = home / "venv"
    pip = made_venv(venv, home, lock)
    if asked["wheels"]:
        listed = home / "wheels.txt"
        listed.write_text("".join(map(requirement, asked["wheels"])), encoding="utf-8")
        offline = ["--no-index", "--no-deps", "--require-hashes", "-r", str(listed)]
        run([*pip, *offline], home, lock)
    fetched, unfitting = with_named(pip, asked, look, home, lock)
    put_behind(site_of(venv), asked["behind"], imported_from(look["path"]))
    fetched += with_dependencies(pip, asked, fetched, home, lock)
    for wheel in [*asked["left_out"], *unfitting]:
        stand_in(site_of(venv), wheel)
    sent = [
        {"name": wheel["project"], "version": wheel["version"], "sha256": wheel["sha256"]}
        for wheel in asked["wheels"]
    ]
    whole = home / f"{WHOLE}.new"
    about = {
        "installed": [*sent, *fetched],
        "unfitting": [{"project": one["project"], "words": one["words"]} for one in unfitting],
    }
    whole.write_text(json.dumps(about), encoding="utf-8")
    whole.replace(home / WHOLE)


def made_venv(venv: Path, home: Path, lock: int) -> list[str]:
    """Returns the command that installs into it."""
    has_pip = importlib.util.find_spec("pip") is not None
    without = ["--without-pip"] if has_pip else []
    run([sys.executable, "-m", "venv", *without, str(venv)], home, lock)
    python = str(venv / "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python] if has_pip else [python, "-m", "pip"]
    return [*pip, "install", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"]


def requirement(wheel: dict[str, Any]) -> str:
    path = wheel_path(wheel["sha256"], wheel["file"])
    return f"{wheel['project']} @ {path.as_uri()} --hash=sha256:{wheel['sha256']}\n"


def with_named(
    pip: list[str], asked: dict[str, Any], look: dict[str, Any], home: Path, lock: int
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """What the index gave, and what it has no fitting wheel of."""
    fetched: list[dict[str, str]] = []
    unfitting = []
    for named in asked["named"]:
        try:
            fetched += from_index([*pip, "--no-deps", pinned(named)], asked, home, lock)
        except Unavailable as error:
            words = f"{pinned(named)} is not to be had for {here()}: {error.args[0]}"
            modules = look["modules"].get(named["project"], [])
            unfitting.append({**named, "words": words, "modules": modules, "entry_points": ""})
    return fetched, unfitting


def with_dependencies(
    pip: list[str], asked: dict[str, Any], fetched: list[dict[str, str]], home: Path, lock: int
) -> list[dict[str, str]]:
    """What the index gave for them."""
    if not fetched and not any(wheel["requires"] for wheel in asked["wheels"]):
        return []
    names = [f"{one['name']}=={one['version']}" for one in fetched]
    return from_index([*pip, *map(pinned, asked["wheels"]), *names], asked, home, lock)


def pinned(one: dict[str, Any]) -> str:
    return f"{one['project']}=={one['version']}"


def from_index(
    install: list[str], asked: dict[str, Any], home: Path, lock: int
) -> list[dict[str, str]]:
    """What was installed: name, version and hash."""
    report = home / "report.json"
    # In the environment, not in the command, which every user of the machine can read.
    source = {"PIP_INDEX_URL": asked["index"]} if asked["index"] else {"PIP_NO_INDEX": "1"}
    run([*install, "--report", str(report)], home, lock, **source)
    return [
        {
            "name": entry["metadata"]["name"],
            "version": entry["metadata"]["version"],
            "sha256": entry["download_info"].get("archive_info", {}).get("hashes", {})["sha256"],
        }
        for entry in json.loads(report.read_text(encoding="utf-8"))["install"]
    ]


def imported_from(path: list[str]) -> list[str]:
    """Without the standard library, which an environment has."""
    paths = sysconfig.get_paths()
    own = {paths["stdlib"], paths["platstdlib"]}
    return [
        entry
        for entry in path
        if entry
        and entry not in own
        and Path(entry).name != "lib-dynload"
        and not re.fullmatch(r"python\d+\.zip", Path(entry).name)
    ]


def site_of(venv: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(venv)}))


def put_behind(site: Path, source: str, folders: list[str]) -> None:
    text = f"{source}\nput_behind({json.dumps(folders)})\n"
    (site / "_loopgauge_behind.py").write_text(text, encoding="utf-8")
    # Read in alphabetical order: after all others, which may add folders.
    (site / "zzz_loopgauge_behind.pth").write_text("import _loopgauge_behind\n", encoding="utf-8")


def stand_in(site: Path, wheel: dict[str, Any]) -> None:
    """In the place of a loop whose wheel does not fit. Whatever the worker's own Python has under
    that name is another version, and must not be measured for it."""
    words = f"raise ImportError({wheel['words']!r})\n"
    for module in wheel["modules"]:
        (site / f"{module}.py").write_text(words, encoding="utf-8")
    info = site / f"{wheel['project'].replace('-', '_')}-{wheel['version']}.dist-info"
    info.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {wheel['project']}\nVersion: {wheel['version']}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    (info / "entry_points.txt").write_text(wheel["entry_points"], encoding="utf-8")


# --- processes and locks --------------------------------------------------------------------


def run(command: list[str], home: Path, lock: int, **variables: str) -> None:
    """All it says goes to the log. It holds the lock, too: if this worker is killed, nobody else
    begins in the folder before the process has ended that is still writing there."""
    log = home / LOG
    with log.open("a+b") as output:
        output.write(f"$ {shlex.join(command)}\n".encode())
        output.flush()
        begin = output.tell()
        child = subprocess.Popen(
            command,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**undisturbed(), **variables},
            start_new_session=True,
            pass_fds=[lock],
        )
        try:
            code = child.wait(timeout=PIP_S)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Refused(f"pip did not end within {PIP_S} s", f"See {log} there") from None
            raise
        if code:
            output.seek(begin)
            raise failed(output.read().decode(errors="replace"), log)


def undisturbed() -> dict[str, str]:
    """Without the host's own settings of pip: an index of its own could answer for ours. What
    says how a network is reached (proxies, SSL_CERT_FILE, REQUESTS_CA_BUNDLE) stays."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON")) or name == "PIP_CERT"
    }
    return {**own, "PIP_CONFIG_FILE": os.devnull}


def failed(text: str, log: Path) -> Refused:
    words = last(text)
    if "No space left" in text:
        return Refused("its disk is full", f"Make room there: {log.parent.parent}")
    if "connection broken by" in text:  # and then says that there is no such project
        broken = text.rpartition("connection broken by")[2].strip().partition("\n")[0]
        words = re.sub(r"^.*?>: |'?\)'.*$", "", broken)
        return Refused(
            f"cannot reach the index: {words[:300]}",
            "Check --index, and proxies and certificates of that machine",
        )
    if "No matching distribution" in text:
        return Unavailable(
            f"an environment lacks a dependency: {words}",
            "Give its wheel with --wheel, name an index with --index, or install it there",
        )
    if "ensurepip" in text:
        return Refused(
            "its Python has neither pip nor ensurepip",
            "Install pip there (Debian: sudo apt-get install python3-pip python3-venv)",
        )
    return Refused(f"pip says: {words}", f"All it said is in {log} there")


def last(text: str) -> str:
    """The last line that names an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error", line, re.IGNORECASE)]
    return re.sub(r"^ERROR: ", "", (errors or lines or ["nothing"])[-1])[:300]


def said(error: Exception) -> tuple[str, str]:
    if isinstance(error, Refused):
        cause, cure = error.args
        return cause, cure
    assert isinstance(error, OSError)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "its disk is full", f"Make room there: {error.filename or user_cache()}"
    return (
        f"{error.filename or 'the folder for wheels'}: {error.strerror or error}",
        ANOTHER_CACHE,
    )


@contextmanager
def locked(home: Path, how: int = 0) -> Iterator[int]:
    """One worker at a time makes an environment; another waits and finds it made."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | how)
        yield lock.fileno()


def clean(keep: Path) -> None:
    """By the rule at the top."""
    now = time.time()
    homes = [path.parent for path in keep.parent.glob(f"*/{WHOLE}")]
    by_use = sorted(homes, key=lambda home: (home / WHOLE).stat().st_mtime, reverse=True)
    for home in by_use[KEPT:]:
        with suppress(OSError), locked(home, fcntl.LOCK_NB):
            if home != keep and now - (home / WHOLE).stat().st_mtime > KEPT_S:
                (home / WHOLE).unlink()  # first: what is half deleted must not count
                shutil.rmtree(home, ignore_errors=True)
    for path in cache().glob("wheels/*/*"):
        with suppress(OSError):
            if now - path.stat().st_mtime > WHEELS_KEPT_S:
                path.unlink()
                path.parent.rmdir()
