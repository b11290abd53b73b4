"""The documentation: MkDocs with what scripts/docs_hooks.py adds."""

from __future__ import annotations

from pathlib import Path

from devtools.pythons import Interpreter
from devtools.shell import ROOT, SetupError, output, say, status

BUILT = ROOT / "build" / "docs"
# Without it the theme advertises its successor in the middle of the warnings.
QUIET = {"NO_MKDOCS_2_WARNING": "1"}


def build(python: Interpreter, out: str | None = None) -> int:
    """0 and a folder of pages that can be opened from the disk, or 1 and what is wrong in them:
    a link or an anchor that leads nowhere, a page outside the navigation."""
    folder = Path(out).resolve() if out else BUILT
    say(f"documentation: {folder / 'index.html'}")
    return status([*_mkdocs(python), "build", "--strict", "--quiet", "-d", folder], env=QUIET)


def serve(python: Interpreter, address: str) -> int:
    return status([*_mkdocs(python), "serve", "--dev-addr", address], env=QUIET)


def _mkdocs(python: Interpreter) -> list[str | Path]:
    if output([python.launcher, "-c", "import material, latex2mathml"]) is None:
        raise SetupError(
            "the packages of the documentation are not installed; type: "
            f"{python.launcher} -m pip install 'mkdocs-material' latex2mathml"
        )
    return [python.launcher, "-m", "mkdocs"]
