"""Build the wheel, install it in a fresh environment away from the checkout, and use it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from devtools import environment
from devtools.pythons import Interpreter
from devtools.shell import ROOT, SetupError, run, say

SMOKE = ROOT / "scripts" / "tests" / "wheel_smoke.py"


def build(python: Interpreter) -> Path:
    """Returns the wheel, in dist/<tag>."""
    folder = ROOT / "dist" / python.tag
    shutil.rmtree(folder, ignore_errors=True)
    say(f"wheel for Python {python.version}")
    run(environment.pip(python, "wheel", "--no-deps", "-w", folder, "."), quiet=True)
    (wheel,) = folder.glob("loopgauge-*.whl")
    return wheel


def check(python: Interpreter) -> int:
    """0 when the installed wheel works. The reason is printed where it does not."""
    place = Path(tempfile.mkdtemp(prefix="loopgauge-wheel-"))
    try:
        wheel = build(python)
        venv = place / "venv"
        say("wheel in a fresh environment")
        run(python.inside(python.path, "-m", "venv", venv), quiet=True)
        pip = python.inside(venv / "bin/python", *environment.PIP)
        run([*pip, "install", "--prefer-binary", "-c", environment.LOCK, wheel], quiet=True)
        shutil.copyfile(SMOKE, place / "wheel_smoke.py")
        clean = ["env", "-u", "PYTHONPATH", "-C", str(place)]
        run(python.inside(*clean, venv / "bin/python", "-P", place / "wheel_smoke.py"))
    except SetupError as error:
        say(f"wheel: {error}")
        return 1
    finally:
        if os.environ.get("LOOPGAUGE_KEEP") is None:
            shutil.rmtree(place, ignore_errors=True)
    return 0
