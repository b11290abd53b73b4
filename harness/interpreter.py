"""What one interpreter is, and which loops it can make.

`python -P -m loopgauge.harness.interpreter` prints it as JSON. Needs no more than a worker does,
so that it runs wherever a worker runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import platform
import re
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

EXTENSIONS = ("loopgauge._core", "loopgauge._bench")
BACKENDS = "libloopgauge_native_*.so"
NO_EXTENSIONS = ""
# Somebody's home folder, which says nothing of a build and should be in no file that goes round.
HOME = re.compile(r"/(?:root|home/[^/\s'\"]+)(?=/)")


def describe() -> dict[str, Any]:
    """Fields of model.Interpreter."""
    config = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = str(sysconfig.get_config_var("PY_CORE_CFLAGS") or "") + config
    debian = "deb_system" in sysconfig.get_scheme_names()
    facts: dict[str, Any] = {
        "executable": sys.executable,
        "version": platform.python_version(),
        "implementation": sys.implementation.name,
        "compiler": platform.python_compiler(),
        "config_args": HOME.sub("~", config),
        # Debian and Ubuntu run `make profile-opt` with LTO by their own rules, and strip the flags
        # from what sysconfig tells.
        "optimized": debian or "--enable-optimizations" in config or "-fprofile-use" in flags,
        "lto": debian or "--with-lto" in config or "-flto" in flags,
        "jit": _jit_enabled(),
        "tail_call": "--with-tail-call-interp" in config,
        "debug": hasattr(sys, "gettotalrefcount"),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "libc": " ".join(platform.libc_ver()),
        "loopgauge": own_version(),
        "build_hash": extensions_hash(),
    }
    return {**facts, "build_kind": build_kind(facts)}


def build_kind(facts: dict[str, Any]) -> str:
    """Builds of one kind may be compared: "pgo+lto", "plain", "pgo+lto+nogil", …"""
    words = [
        word
        for word, field in (
            ("pgo", "optimized"),
            ("lto", "lto"),
            ("jit", "jit"),
            ("tailcall", "tail_call"),
            ("debug", "debug"),
            ("nogil", "free_threaded"),
        )
        if facts[field]
    ]
    return "+".join(words) or "plain"


def extensions_hash() -> str:
    """Of the built modules' bytes, the native backends beside them and the Python half of the
    built-in loop: tells two builds of one version apart, and an edited loop from what was asked of
    it before. NO_EXTENSIONS where none is built."""
    digest, found = hashlib.sha256(), False
    package = importlib.import_module("loopgauge.loops")
    for name in EXTENSIONS:
        with contextlib.suppress(ImportError, ValueError, OSError):
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin:
                digest.update(Path(spec.origin).read_bytes())
                found = True
                for backend in sorted(Path(spec.origin).parent.glob(BACKENDS)):
                    digest.update(backend.read_bytes())
    for source in sorted((Path(package.__path__[0]) / "epoll").glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12] if found else NO_EXTENSIONS


def _jit_enabled() -> bool:
    """`sys._jit` exists from 3.14 on; a JIT that is built in but switched off changes nothing."""
    jit = getattr(sys, "_jit", None)
    return bool(jit is not None and jit.is_enabled())


def own_version() -> str:
    try:
        return version("loopgauge")
    except PackageNotFoundError:
        return "development tree"


def natives(names: list[str]) -> list[dict[str, str]]:
    """The native backends that come with this build, and those of `names` (paths): name, path,
    version, and the reason why one cannot be used. Raises ImportError without a build."""
    bench = importlib.import_module("loopgauge._bench")
    return [*bench.native_backends(), *map(bench.native_backend, names)]


def loops(names: list[str]) -> dict[str, dict[str, Any]]:
    """Which of these can be made here. Imports no backend."""
    from loopgauge.loops import registry

    found = {}
    for name in names:
        try:
            spec = registry.resolve(name)
        except registry.UnknownLoop as error:  # registered by a distribution that is elsewhere
            found[name] = unknown(str(error))
            continue
        state = registry.availability(spec)
        found[name] = {
            "factory": spec.factory,
            "distribution": spec.distribution,
            "capabilities": sorted(spec.capabilities),
            "available": state.ok,
            "reason": state.reason,
            "version": state.version,
        }
    return found


def unknown(reason: str) -> dict[str, Any]:
    return {
        "factory": "",
        "distribution": None,
        "capabilities": [],
        "available": False,
        "reason": reason,
        "version": "",
    }


def main() -> None:
    """Reads {"loops": [names], "path": [additions to sys.path]} from stdin, and with "natives":
    [paths] tells of the native backends, too."""
    request = json.load(sys.stdin)
    sys.path.extend(request["path"])
    importlib.import_module("loopgauge._bench")
    answer: dict[str, Any] = {"interpreter": describe(), "loops": loops(request["loops"])}
    if request.get("natives") is not None:
        answer["natives"] = natives(request["natives"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
