"""A Debian forky root folder: where Python 3.14 and 3.15 come from when nothing else has them.

Made by debootstrap (root only, about two minutes, 1.3 GB). The folder is LOOPGAUGE_FORKY,
/var/lib/loopgauge/forky where that exists, or forky in the user's cache.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devtools import packages
from devtools.shell import ROOT, SetupError, run, say

MIRROR = "http://deb.debian.org/debian"
SYSTEM_WIDE = Path("/var/lib/loopgauge/forky")
PACKAGES = (
    *("g++", "cmake", "ninja-build", "libbenchmark-dev", "libgtest-dev", "git", "ca-certificates"),
    *packages.NATIVE_LOOPS.values(),
    *packages.COUNTING.values(),
    *("python3-venv", "python3.14-venv", "python3.14-dev", "libpython3.14-testsuite"),
    *("python3.15", "python3.15-venv", "python3.15-dev", "libpython3.15-testsuite"),
)


def folder() -> Path:
    """Where the root folder is, or would be made."""
    named = os.environ.get("LOOPGAUGE_FORKY")
    if named:
        return Path(named).absolute()
    if SYSTEM_WIDE.exists():
        return SYSTEM_WIDE
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "loopgauge" / "forky"


def prefix() -> tuple[str, ...]:
    """The words before a command that run it inside the root folder."""
    return (
        "env",
        f"LOOPGAUGE_ROOT={ROOT}",
        str(Path(__file__).with_name("enter-root")),
        str(folder()),
    )


def exists() -> bool:
    """Whether the folder is complete: both Pythons and their test packages are in it."""
    needed = ["usr/bin/g++", "usr/bin/cmake"]
    for version in ("3.14", "3.15"):
        needed.append(f"usr/include/python{version}/Python.h")
        needed.append(f"usr/lib/python{version}/test/test_asyncio")
    return all((folder() / path).exists() for path in needed)


def provide() -> None:
    """Make whatever is missing. Raises SetupError where that needs rights we do not have."""
    if os.geteuid() != 0:
        raise SetupError("Python 3.14 and 3.15 from Debian forky need root; type: sudo scripts/dev")
    if exists():
        return
    target = folder()
    if not (target / "usr/bin/apt-get").exists():
        _bootstrap(target)
    _install(target)
    if not exists():
        raise SetupError(f"{target} is incomplete; remove it and start again")


def _bootstrap(target: Path) -> None:
    packages.ensure_command("debootstrap", "debootstrap")
    # Debian 12's debootstrap does not know the name forky; its script for sid serves.
    script = Path("/usr/share/debootstrap/scripts/sid")
    say(f"Debian forky into {target} (about two minutes)")
    target.mkdir(parents=True, exist_ok=True)
    options = ("--variant=minbase", "--include=ca-certificates")
    run(["debootstrap", *options, "forky", str(target), MIRROR, str(script)], quiet=True)


def _install(target: Path) -> None:
    say("Python 3.14 and 3.15 into the Debian forky root folder")
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(Path("/etc") / name, target / "etc" / name)
    # A frozen or lagging mirror is good enough here; its signature is still verified.
    fresh = ("-o", "Acquire::Check-Valid-Until=false")
    apt = [*prefix(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", *fresh]
    run([*apt, "update"], quiet=True)
    run([*apt, "install", "--no-install-recommends", *PACKAGES], quiet=True)
