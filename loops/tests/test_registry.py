"""Finding loops, saying why one cannot run here, and making them."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import textwrap

import pytest

from loopgauge.loops import registry
from loopgauge.loops.registry import (
    BadLoop,
    LoopError,
    LoopImportError,
    UnknownLoop,
    availability,
    default_loops,
    known_loops,
    load_factory,
    new_loop,
    resolve,
)
from loopgauge.loops.spec import CAPABILITIES, LoopSpec

BUILT_IN = [
    "epoll",
    "asyncio",
    "uvloop",
    "zuvloop",
    "blazio",
    "rloop",
    "rsloop",
    "talyn",
    "zloop",
    "loopmini",
    "veloxloop",
    "uringcore",
]


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """Writes a package that leaves a trace when it is imported, and forgets it afterwards."""

    def write(source: str, name: str = "fake_backend") -> str:
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text(textwrap.dedent(source))
        return name

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name in [name for name in sys.modules if name.startswith("fake_")]:
        del sys.modules[name]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs metadata of a distribution with entry points of our group."""

    def install(entries: str, name: str = "fake-loops", requires: str = ">=3.11") -> None:
        info = tmp_path / f"{name.replace('-', '_')}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\nRequires-Python: {requires}\n"
        )
        (info / "entry_points.txt").write_text(
            f"[loopgauge.loops]\n{textwrap.dedent(entries).strip()}\n"
        )

    monkeypatch.syspath_prepend(str(tmp_path))
    return install


def test_the_built_in_list_is_complete_and_in_order() -> None:
    assert list(known_loops())[: len(BUILT_IN)] == BUILT_IN
    for name, spec in known_loops().items():
        assert spec.name == name


def test_listing_imports_no_backend(backend, installed) -> None:
    backend("raise RuntimeError('imported')")
    installed("faked = fake_backend:SPEC")
    spec = known_loops()["faked"]
    assert availability(spec) == registry.Availability(True, "", "1.5")
    assert "fake_backend" not in sys.modules


def test_stock_asyncio_is_available_and_is_the_selector_loop() -> None:
    spec = resolve("asyncio")
    assert availability(spec).ok
    assert availability(spec).version.startswith(f"3.{sys.version_info.minor}.")
    loop = new_loop(spec)
    assert isinstance(loop, asyncio.SelectorEventLoop)
    loop.close()


@pytest.mark.parametrize(
    ("name", "nearest"), [("uvlop", "uvloop"), ("asincio", "asyncio"), ("epol", "epoll")]
)
def test_unknown_names_suggest_the_nearest(name, nearest) -> None:
    with pytest.raises(UnknownLoop) as caught:
        resolve(name)
    assert caught.value.name == name
    assert nearest in caught.value.suggestions
    assert nearest in str(caught.value)


@pytest.mark.parametrize("name", ["", "nothing-like-it-at-all", "module:", ":factory", "a b:c"])
def test_unknown_names_without_a_neighbour(name) -> None:
    with pytest.raises(UnknownLoop, match="bench list loops"):
        resolve(name)


def test_a_module_and_factory_need_no_registration(backend) -> None:
    backend(
        """
        import asyncio
        class Loops:
            new = asyncio.SelectorEventLoop
        """
    )
    spec = resolve("fake_backend:Loops.new")
    assert spec.name == "fake_backend:Loops.new"
    assert spec.capabilities == CAPABILITIES
    assert availability(spec).ok
    assert "fake_backend" not in sys.modules
    loop = new_loop(spec)
    assert loop.run_until_complete(asyncio.sleep(0, 5)) == 5
    loop.close()


def test_a_module_that_does_not_exist_is_unavailable_and_cannot_be_imported() -> None:
    spec = resolve("no_such_module_here.sub:factory")
    assert availability(spec).reason == "no module named no_such_module_here.sub"
    with pytest.raises(LoopImportError, match="No module named 'no_such_module_here'") as caught:
        load_factory(spec)
    assert isinstance(caught.value.original, ModuleNotFoundError)


def test_a_submodule_is_looked_for_without_importing_its_package(backend, tmp_path) -> None:
    backend("raise RuntimeError('imported')")
    (tmp_path / "fake_backend" / "inner.py").write_text("")
    assert availability(resolve("fake_backend.inner:new")).ok
    assert not availability(resolve("fake_backend.other:new")).ok
    assert not availability(resolve("fake_backend.inner.deeper:new")).ok


def test_reasons_name_the_cause_and_the_cure() -> None:
    not_installed = LoopSpec("ghost", "ghost_loop_pkg:new", distribution="ghost-loop")
    assert availability(not_installed).reason == "not installed (pip install ghost-loop)"
    too_new = LoopSpec("future", "asyncio:SelectorEventLoop", requires_python=">=4")
    running = ".".join(map(str, sys.version_info[:3]))
    assert availability(too_new).reason == f"needs Python >=4, this is {running}"
    odd = LoopSpec("odd", "asyncio:SelectorEventLoop", requires_python="new ones")
    assert "not a version specifier" in availability(odd).reason
    unbuilt = LoopSpec("native", "asyncio:SelectorEventLoop", needs=("loopgauge._not_built",))
    assert availability(unbuilt).reason == "loopgauge._not_built is not built"


def test_a_backend_that_fails_on_import_keeps_its_own_exception(backend) -> None:
    backend("raise OSError('io_uring is forbidden here')")
    with pytest.raises(LoopImportError, match="OSError: io_uring is forbidden here") as caught:
        new_loop(resolve("fake_backend:new"))
    assert isinstance(caught.value.original, OSError)


@pytest.mark.parametrize(
    ("source", "factory", "error", "message"),
    [
        ("", "new", LoopImportError, "no attribute 'new'"),
        ("new = 3", "new", BadLoop, "is an int, which cannot be called"),
        ("def new(): return 42", "new", BadLoop, r"returned an int, .*no call_soon\(\)"),
        ("def new(): return None", "new", BadLoop, "returned a NoneType"),
        ("def new(): raise ValueError('ring full')", "new", BadLoop, "ValueError: ring full"),
        ("def new(needed): return needed", "new", BadLoop, "raised TypeError"),
        (
            """
            import asyncio
            def new():
                loop = asyncio.SelectorEventLoop()
                loop.close()
                return loop
            """,
            "new",
            BadLoop,
            "returned a closed loop",
        ),
    ],
)
def test_factories_that_are_none(backend, source, factory, error, message) -> None:
    backend(source)
    with pytest.raises(error, match=message) as caught:
        new_loop(resolve(f"fake_backend:{factory}"))
    assert isinstance(caught.value, LoopError)
    assert f"fake_backend:{factory}" in str(caught.value)


def test_a_loop_need_not_derive_from_the_abstract_one(backend) -> None:
    backend(
        """
        import asyncio
        class Wrapped:
            def __init__(self):
                self._loop = asyncio.SelectorEventLoop()
            def __getattr__(self, name):
                return getattr(self._loop, name)
        """
    )
    loop = new_loop(resolve("fake_backend:Wrapped"))
    assert not isinstance(loop, asyncio.AbstractEventLoop)
    loop.close()


def test_an_entry_point_is_listed_and_resolves_to_its_spec(backend, installed) -> None:
    backend(
        """
        from loopgauge.loops.spec import LoopSpec
        SPEC = LoopSpec("faked", "asyncio:SelectorEventLoop", capabilities=frozenset({"fd"}))
        """
    )
    installed("faked = fake_backend:SPEC")
    assert known_loops()["faked"].distribution == "fake-loops"
    assert resolve("faked").capabilities == {"fd"}
    loop = new_loop(known_loops()["faked"])  # also from the listed spec
    loop.close()


def test_an_entry_point_may_be_the_factory_itself(backend, installed) -> None:
    backend("from asyncio import SelectorEventLoop as new")
    installed("faked = fake_backend:new")
    spec = resolve("faked")
    assert (spec.name, spec.factory) == ("faked", "fake_backend:new")
    new_loop(spec).close()


def test_an_entry_point_that_cannot_be_imported_does_not_take_the_others_with_it(
    backend, installed
) -> None:
    backend("raise ImportError('needs a newer libc')")
    installed("faked = fake_backend:SPEC\nmodule_only = fake_backend")
    assert "asyncio" in known_loops()
    assert "module_only" not in known_loops()
    spec = resolve("faked")
    with pytest.raises(LoopImportError, match="needs a newer libc"):
        new_loop(spec)


def test_an_entry_point_cannot_replace_a_built_in_loop(backend, installed) -> None:
    backend("from asyncio import SelectorEventLoop as new")
    installed("uvloop = fake_backend:new")
    assert resolve("uvloop").factory == "uvloop:new_event_loop"


def test_an_entry_point_says_which_python_it_needs(backend, installed) -> None:
    backend("from asyncio import SelectorEventLoop as new")
    installed("faked = fake_backend:new", requires=">=4")
    assert availability(known_loops()["faked"]).reason.startswith("needs Python >=4")


def test_specs_refuse_what_they_cannot_use() -> None:
    with pytest.raises(ValueError, match="not module:attribute"):
        LoopSpec("bad", "module.attribute")
    with pytest.raises(ValueError, match="unknown capabilities teleport"):
        LoopSpec("bad", "module:new", capabilities=frozenset({"fd", "teleport"}))


@pytest.mark.parametrize("minor", [11, 12, 13, 14, 15, 16])
def test_the_default_selection_is_five_loops_that_allow_that_python(minor, monkeypatch) -> None:
    chosen = default_loops((3, minor))
    assert chosen[:3] == ("epoll", "asyncio", "uvloop")
    assert len(set(chosen)) == 5
    for name in chosen:
        requires = known_loops()[name].requires_python
        assert f"3.{minor}.0" in registry.SpecifierSet(requires)


def test_the_default_selection_is_that_of_the_running_python() -> None:
    assert default_loops() == default_loops(sys.version_info[:2])


def test_metadata_of_installed_peers_agrees_with_the_built_in_list() -> None:
    for spec in known_loops().values():
        if spec.distribution in (None, "loopgauge") or not availability(spec).ok:
            continue
        stated = importlib.metadata.metadata(spec.distribution)["Requires-Python"]
        assert stated == spec.requires_python, spec.name
