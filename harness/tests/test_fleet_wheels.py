"""Wheels: read here, fitted, kept and installed as on a host, in a folder instead of its cache."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fleet_testing import Cluster

from loopgauge.harness.cli.errors import explain
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.errors import BadWheel, CallFailed
from loopgauge.harness.fleet import delivery, environments
from loopgauge.harness.fleet.delivery import Environment, deliver
from loopgauge.harness.fleet.fleet import open_fleet
from loopgauge.harness.fleet.model import Package
from loopgauge.harness.fleet.place import place_of
from loopgauge.harness.fleet.wheels import Wheel, candidates, goods_of

LOOP = "import asyncio\n\n\ndef new_loop():\n    return asyncio.SelectorEventLoop()\n"
PURE = "py3-none-any"
FOREIGN = "cp39-cp39-manylinux_2_17_s390x"


def wheel_file(
    folder: Path,
    name: str = "tinyloop",
    version: str = "1.0",
    tag: str = PURE,
    metadata: str = "",
    code: str = LOOP,
    format: str = "1.0",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n{code}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": f"Wheel-Version: {format}\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[loopgauge.loops]\n{name} = {name}:new_loop\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)  # the same bytes at any time of day
    return path


def wheels_of(names: Iterable[str]) -> tuple[Wheel, ...]:
    return goods_of(names).wheels


@dataclass
class Workers:
    """Calls what a worker would be asked to call, here; `sent` has the bytes each was sent."""

    asked: list[str] = field(default_factory=list)
    sent: int = 0
    before: Callable[[str, tuple[Any, ...]], tuple[Any, ...]] = lambda name, given: given

    def call(self, worker: str, function: Callable[..., bytes], *given: Any) -> bytes:
        self.asked.append(function.__name__)
        if function is environments.receive:
            self.sent += len(given[-1])
        return function(*self.before(function.__name__, given))

    def deliver(self, *paths: Path | str, index: str = "") -> Environment:
        words = [str(path) for path in paths]
        return deliver(goods_of(words, index), ["one"], self.call)["one"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/loopgauge/fleet"


@pytest.fixture
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Workers:
    """On the cache that tests share, so that an environment is made once; but for a test that
    looks into its `cache`."""
    if "cache" not in request.fixturenames:
        shared = request.getfixturevalue("shared")
        monkeypatch.setenv("XDG_CACHE_HOME", str(shared))
    return Workers()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def inside(environment: Environment, code: str) -> str:
    assert environment.cause == ""
    command = [environment.python, "-P", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


VERSION = "import tinyloop; print(tinyloop.VERSION)"


# --- read here ------------------------------------------------------------------------------


def refused(*names: str) -> str:
    with pytest.raises(BadWheel) as caught:
        goods_of(names)
    problem = explain(caught.value)
    assert problem is not None
    assert problem.code == ExitCode.USAGE
    assert "\n" not in problem.line()
    return problem.line()


def test_a_wheel_is_described(tmp_path: Path) -> None:
    path = wheel_file(tmp_path, metadata="Requires-Python: >=3.11\nRequires-Dist: Some.Thing>2\n")
    (wheel,) = wheels_of([str(path)])
    assert (wheel.project, wheel.version, wheel.modules) == ("tinyloop", "1.0", ("tinyloop",))
    assert (wheel.requires_python, wheel.requires) == (">=3.11", ("some-thing",))
    assert wheel.size == path.stat().st_size


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(str(tmp_path / "x-1.0-py3-none-any.whl"))
    assert "No such file" in refused(str(tmp_path / "x.whl"))
    other = tmp_path / "readme.txt"
    other.write_text("x")
    assert "is not named as a wheel is" in refused(str(other))
    half = wheel_file(tmp_path)
    half.write_bytes(half.read_bytes()[:100])
    assert "is no whole wheel" in refused(str(half))
    empty = tmp_path / "empty-1.0-py3-none-any.whl"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("empty.py", "")
    assert "is no whole wheel" in refused(str(empty))


def test_two_versions_of_one_project_are_refused(tmp_path: Path) -> None:
    files = [wheel_file(tmp_path, version=version) for version in ("1.0", "2.0")]
    assert "two versions of tinyloop" in refused(*map(str, files))


def test_a_version_that_no_index_was_named_for_is_refused(tmp_path: Path) -> None:
    assert "tinyloop==1.0 is no file. Name the index" in refused("tinyloop==1.0")
    path = str(wheel_file(tmp_path))
    with pytest.raises(BadWheel, match="two versions of tinyloop"):
        goods_of([path, "TinyLoop==2.0"], "file:///index")


def test_an_index_is_a_url() -> None:
    with pytest.raises(BadWheel, match="--index names no URL"):
        goods_of(["tinyloop==1.0"], "index/simple")


def test_a_file_named_twice_is_one_wheel(tmp_path: Path) -> None:
    path = str(wheel_file(tmp_path))
    assert len(wheels_of([path, path])) == 1


def test_what_others_require_is_no_candidate(tmp_path: Path) -> None:
    paths = [
        wheel_file(tmp_path, metadata="Requires-Dist: helper\n"),
        wheel_file(tmp_path, name="helper"),
    ]
    assert [wheel.project for wheel in candidates(wheels_of(map(str, paths)))] == ["tinyloop"]


# --- what fits ------------------------------------------------------------------------------


def offered(*wheels: Wheel) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(wheel) for wheel in wheels]


def test_the_most_particular_wheel_is_chosen(tmp_path: Path) -> None:
    major, minor = sys.version_info[:2]
    paths = [
        wheel_file(tmp_path, tag=tag)
        for tag in (PURE, FOREIGN, f"py{major}{minor}-none-any", f"py{major}-none-linux_s390x")
    ]
    chosen = environments.best(offered(*wheels_of(map(str, paths))))
    assert chosen is not None
    assert chosen["file"] == f"tinyloop-1.0-py{major}{minor}-none-any.whl"


@pytest.mark.parametrize(("tag", "metadata"), [(FOREIGN, ""), (PURE, "Requires-Python: <3\n")])
def test_what_does_not_fit_is_not_chosen(tmp_path: Path, tag: str, metadata: str) -> None:
    wheels = wheels_of([str(wheel_file(tmp_path, tag=tag, metadata=metadata))])
    assert environments.best(offered(*wheels)) is None


# --- made and found again -------------------------------------------------------------------


def test_two_workers_make_one_environment_and_find_it_again(
    workers: Workers, cache: Path, tmp_path: Path
) -> None:
    goods = goods_of([str(wheel_file(tmp_path))])
    one, two = deliver(goods, ["one", "two"], workers.call).values()
    assert (one.cause, two.cause) == ("", "")
    assert sorted([one.made, two.made]) == [False, True]
    assert inside(one, VERSION) == "1.0"
    assert [(entry.name, entry.version) for entry in one.installed] == [("tinyloop", "1.0")]
    workers.asked.clear()
    again = deliver(goods, ["one"], workers.call)["one"]
    assert workers.asked == ["survey", "make"]
    assert (again.made, again.python, again.key) == (False, one.python, one.key)


def test_another_wheel_is_another_environment(workers: Workers, tmp_path: Path) -> None:
    one = workers.deliver(wheel_file(tmp_path / "a"))
    other = workers.deliver(wheel_file(tmp_path / "b", code=LOOP + "MORE = 1\n"))
    assert one.key != other.key
    assert inside(other, "import tinyloop; print(tinyloop.MORE)") == "1"


def test_pieces_are_put_together(
    workers: Workers, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PIECE", 100)
    path = wheel_file(tmp_path)
    (wheel,) = wheels_of([str(path)])
    delivery.send(wheel, "one", workers.call)
    assert workers.asked.count("receive") == -(-path.stat().st_size // 100)
    assert workers.sent == path.stat().st_size
    assert environments.is_kept(*offered(wheel))


def test_a_piece_that_comes_twice_does_no_harm(cache: Path, tmp_path: Path) -> None:
    (wheel,) = wheels_of([str(wheel_file(tmp_path))])
    content = Path(wheel.path).read_bytes()
    for offset, piece in [(0, content[:50]), (0, content[:50]), (50, content[50:])]:
        told = environments.receive(wheel.sha256, wheel.file, "t", offset, wheel.size, piece)
        assert json.loads(told)["cause"] == ""
    assert environments.is_kept(*offered(wheel))


def test_what_arrives_changed_is_not_kept(workers: Workers, cache: Path, tmp_path: Path) -> None:
    def changed(name: str, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*given[:-1], given[-1][:-1] + b"?") if name == "receive" else given

    workers.before = changed
    assert "arrived with another hash" in workers.deliver(wheel_file(tmp_path)).cause
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_kept_wheel_that_was_changed_is_missing(
    workers: Workers, cache: Path, tmp_path: Path
) -> None:
    path = wheel_file(tmp_path)
    (wheel,) = wheels_of([str(path)])
    delivery.send(wheel, "one", workers.call)
    (kept,) = cache.glob("wheels/*/*.whl")
    kept.write_bytes(b"something else")
    request = msgspec.json.encode({"wheels": [wheel]})
    assert json.loads(environments.survey(request))["missing"] == [wheel.sha256]
    delivery.send(wheel, "one", workers.call)
    assert kept.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("file", ["../x.whl", "x.txt", "/x.whl", ""])
def test_nothing_is_written_outside_the_cache(cache: Path, file: str) -> None:
    told = environments.receive("0" * 64, file, "t", 0, 1, b"x")
    assert "is no name of a wheel" in json.loads(told)["cause"]
    assert not cache.exists() or list(cache.rglob("*")) == []


def test_a_half_made_environment_is_made_anew(workers: Workers, tmp_path: Path) -> None:
    path = wheel_file(tmp_path)
    home = Path(workers.deliver(path).python).parents[2]
    (home / "whole").unlink()
    (home / "venv/half").write_text("x")
    assert inside(workers.deliver(path), VERSION) == "1.0"
    assert not (home / "venv/half").exists()


def test_pip_holds_the_lock(cache: Path, tmp_path: Path) -> None:
    """A worker that is killed leaves it behind, writing."""
    home = tmp_path / "cache/environments/x"
    hold = "import fcntl, sys; fcntl.flock(int(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with environments.locked(home) as lock:
        home.mkdir()
        environments.run([sys.executable, "-c", hold, str(lock)], home, lock)
        with pytest.raises(BlockingIOError), environments.locked(home, fcntl.LOCK_NB):
            pass
    with environments.locked(home, fcntl.LOCK_NB):
        pass


# --- what else is importable ----------------------------------------------------------------


def test_what_was_sent_comes_before_a_checkout_and_what_does_not_fit_says_so(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither loop is the one of another version that the worker's own Python has."""
    for name in ("tinyloop", "other"):
        (tmp_path / "own" / name).mkdir(parents=True)
        (tmp_path / "own" / name / "__init__.py").write_text("VERSION = 'own'\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'own'}:{os.environ.get('PYTHONPATH', '')}")
    made = workers.deliver(wheel_file(tmp_path, tag=FOREIGN), wheel_file(tmp_path, name="other"))
    words = f"tinyloop-1.0-{FOREIGN}.whl does not fit {environments.here()}"
    assert [entry.words for entry in made.unfitting] == [words]
    assert inside(made, "import other; print(other.VERSION)") == "1.0"
    code = """
from loopgauge.loops import registry
try:
    registry.load_factory(registry.resolve("tinyloop"))
except registry.LoopImportError as error:
    print(error)
"""
    assert words in inside(made, code)


# --- what can go wrong ----------------------------------------------------------------------


def test_a_missing_dependency_is_named(workers: Workers, tmp_path: Path) -> None:
    path = wheel_file(tmp_path, metadata="Requires-Dist: no-such-thing-anywhere\n")
    made = workers.deliver(path)
    assert "no-such-thing-anywhere" in made.cause
    assert "--index" in made.cure
    assert (made.python, "\n" in made.cause) == ("", False)


def test_a_dependency_comes_from_the_index_that_was_named(workers: Workers, tmp_path: Path) -> None:
    """But for what the worker's own Python has. A folder of pages is an index for pip, and needs
    no server."""
    helper = wheel_file(tmp_path / "index/helper", name="helper")
    (helper.parent / "index.html").write_text(f'<a href="{helper.name}">{helper.name}</a>')
    path = wheel_file(tmp_path, metadata="Requires-Dist: helper\nRequires-Dist: msgspec\n")
    made = workers.deliver(path, index=(tmp_path / "index").as_uri())
    assert inside(made, "import helper, msgspec; print(helper.VERSION)") == "1.0"
    (described,) = wheels_of([str(helper)])
    assert made.installed[1:] == [Package("helper", "1.0", described.sha256)]


def test_a_candidate_comes_from_the_index_by_its_name(workers: Workers, tmp_path: Path) -> None:
    helper = wheel_file(tmp_path / "index/helper", name="helper")
    (helper.parent / "index.html").write_text(f'<a href="{helper.name}">{helper.name}</a>')
    made = workers.deliver("helper==1.0", "msgspec==0.0.1", index=(tmp_path / "index").as_uri())
    assert inside(made, "import helper; print(helper.VERSION)") == "1.0"
    (described,) = wheels_of([str(helper)])
    assert made.installed == [Package("helper", "1.0", described.sha256)]
    (unfitting,) = made.unfitting  # and what the worker's own Python has is another version
    assert unfitting.words.startswith(f"msgspec==0.0.1 is not to be had for {environments.here()}")
    code = "try: import msgspec\nexcept ImportError as error: print(error)"
    assert inside(made, code) == unfitting.words


def test_a_wheel_that_does_not_install_is_named_with_the_words_of_pip(
    workers: Workers, tmp_path: Path
) -> None:
    made = workers.deliver(wheel_file(tmp_path, format="9.0"))
    assert made.cause.startswith("pip says: ")
    assert "Wheel-Version" in made.cause


def test_a_project_that_does_not_fit_leaves_the_worker_out(
    workers: Workers, tmp_path: Path
) -> None:
    made = workers.deliver(wheel_file(tmp_path, name="loopgauge", tag=FOREIGN))
    assert "does not fit" in made.cause
    assert "--wheel" in made.cure
    assert workers.asked == ["survey"]


def test_a_cache_that_cannot_be_written_is_named(
    workers: Workers, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    made = workers.deliver(wheel_file(tmp_path))
    assert str(tmp_path / "cache") in made.cause
    assert "XDG_CACHE_HOME" in made.cure


def test_a_cache_that_others_can_write_is_not_used(
    workers: Workers, cache: Path, tmp_path: Path
) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    assert "can be written by others" in workers.deliver(wheel_file(tmp_path)).cause


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by "
            "'NewConnectionError('<pip.HTTPConnection object at 0x7f>: Connection refused')': /x/\n"
            "ERROR: No matching distribution found for x\n",
            "cannot reach the index: Connection refused",
        ),
        ("ERROR: No matching distribution found for x\n", "an environment lacks a dependency: "),
        ("OSError: [Errno 28] No space left on device\nend\n", "its disk is full"),
        ("Error: Command '[python, -m, ensurepip]' died\n", "neither pip nor ensurepip"),
        ("one\nERROR: x is broken\nmore\n", "pip says: x is broken"),
        ("one\ntwo\n", "pip says: two"),
        ("", "pip says: nothing"),
    ],
)
def test_what_pip_says_becomes_a_cause_and_a_cure(said: str, words: str, tmp_path: Path) -> None:
    cause, cure = environments.failed(said, tmp_path / "home/pip.log").args
    assert words in cause
    assert "0x7f" not in cause
    assert cure


def test_a_full_disk_is_named(
    workers: Workers, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device", "there/x")

    monkeypatch.setattr(environments, "made_venv", full)
    assert workers.deliver(wheel_file(tmp_path)).cause == "its disk is full"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (b"x" * (2 << 20), "answers with 2 MiB"),
        (b'{"cause": "a\\u001b[2Jb\\n", "cure": ""}', "a[2Jb"),
        (b'{"installed": [{"name": "<b>", "version": "1", "sha256": ""}]}', "no environment was"),
    ],
)
def test_a_worker_is_not_believed_everything(told: bytes, words: str) -> None:
    survey = b'{"fit": [], "missing": [], "unfitting": [], "cause": "", "cure": ""}'

    def call(worker: str, function: Callable[..., bytes], *given: Any) -> bytes:
        return told if function is environments.make else survey

    made = deliver(goods_of([]), ["one"], call)["one"]
    assert words in made.cause
    assert made.python == ""


def test_what_fails_on_one_worker_stops_no_other(workers: Workers, tmp_path: Path) -> None:
    def call(worker: str, function: Callable[..., bytes], *given: Any) -> bytes:
        return b"{}" if worker == "two" else workers.call(worker, function, *given)

    made = deliver(goods_of([str(wheel_file(tmp_path))]), ["one", "two"], call)
    assert inside(made["one"], VERSION) == "1.0"
    assert made["two"].cause.startswith("no environment was made")


# --- what is deleted ------------------------------------------------------------------------


def test_old_environments_and_wheels_are_deleted(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is beyond the environments that are kept, the one that was not used for long."""
    monkeypatch.setattr(environments, "KEPT", 1)
    homes = {name: cache / "environments" / name for name in ("now", "recent", "old")}
    wheels = {name: cache / "wheels" / name / "x.whl" for name in homes}
    for file in [*(home / "whole" for home in homes.values()), *wheels.values()]:
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    cache.chmod(0o700)
    for file in (homes["old"] / "whole", wheels["old"]):
        os.utime(file, (0, 0))
    environments.clean(keep=homes["now"])
    assert {name for name, home in homes.items() if home.exists()} == {"now", "recent"}
    assert {name for name, wheel in wheels.items() if wheel.exists()} == {"now", "recent"}


# --- to workers of a cluster ----------------------------------------------------------------


def test_workers_measure_in_environments_of_the_wheels_they_were_sent(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Through Dask, to processes that have nothing of it; what does not fit is named."""
    foreign = wheel_file(tmp_path, name="elsewhere", tag=FOREIGN)
    wheels = (str(wheel_file(tmp_path)), str(foreign))
    told: list[str] = []
    with open_fleet(place_of(cluster.on, wheels=wheels), told.append) as fleet:
        (host,) = fleet.hosts
        made = fleet.call(host, "fleet_calls:version_of", b"tinyloop", exclusive=True)
    assert made == b"1.0"
    assert host.executable != sys.executable
    assert len(host.workers) == 2
    assert [(one.name, one.version) for one in host.installed] == [("tinyloop", "1.0")]
    words = f"{foreign.name} does not fit {environments.here()}"
    assert told[0] == f"bringing tinyloop-1.0-{PURE}.whl, {foreign.name} to the workers"
    assert sorted(told[1:]) == [f"one: {words}", f"two: {words}"]


def test_a_host_can_have_one_more_environment(cluster: Cluster, tmp_path: Path) -> None:
    goods = goods_of([str(wheel_file(tmp_path))])
    broken = goods_of([str(wheel_file(tmp_path, name="broken", format="9.0"))])
    with open_fleet(place_of(cluster.on)) as fleet:
        (host,) = fleet.hosts
        assert host.executable == sys.executable
        equipped = fleet.equip(host, goods)
        with pytest.raises(CallFailed, match=r"one: lacks the wheels: pip says: .*Wheel-Version"):
            fleet.equip(host, broken)
    assert inside(Environment(python=equipped.python), VERSION) == "1.0"


def test_a_worker_that_cannot_have_the_wheels_is_left_out(
    empty_cluster: Cluster, tmp_path: Path
) -> None:
    """The other goes on."""
    (empty_cluster.folder / "full").write_text("a file")
    empty_cluster.start_worker("good")
    empty_cluster.start_worker("bad", variables={"XDG_CACHE_HOME": str(tmp_path / "full")})
    empty_cluster.ready(2)
    wheel = str(wheel_file(tmp_path))
    with open_fleet(place_of(empty_cluster.on, wheels=[wheel])) as fleet:
        assert [host.name for host in fleet.hosts] == ["good"]
        (left_out,) = fleet.left_out
    assert left_out.name == "bad"
    assert left_out.reason.startswith("lacks the wheels: ")
    assert "XDG_CACHE_HOME" in left_out.cure


def test_a_worker_that_comes_back_finds_its_environment(
    empty_cluster: Cluster, tmp_path: Path
) -> None:
    empty_cluster.start_worker("one")
    wheel = str(wheel_file(tmp_path))
    with open_fleet(place_of(empty_cluster.on, wheels=[wheel])) as fleet:
        (host,) = fleet.hosts
        assert fleet.call(host, "fleet_calls:version_of", b"tinyloop", exclusive=True) == b"1.0"
        empty_cluster.workers["one"].kill()
        empty_cluster.start_worker("again")
        assert fleet.call(host, "fleet_calls:version_of", b"tinyloop", exclusive=True) == b"1.0"
