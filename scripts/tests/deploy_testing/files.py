"""What deploy/compose.yaml and deploy/kubernetes say, and their command lines for this machine."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

from docs_testing.shown import commands
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes"

# What stands for another machine, a folder of the container or a fixed port, and what does here.
ON_LOOPBACK = {
    "0.0.0.0": "127.0.0.1",
    "tls://0.0.0.0": "tls://127.0.0.1",
    "8786": "0",
    "127.0.0.1:8787": "127.0.0.1:0",
    ":8787": "127.0.0.1:0",
    "$(DASK_WORKER_NAME)": "pod",
}


def documents(path: Path) -> list[dict[str, Any]]:
    """With aliases and merges resolved, as compose and kubectl read them."""
    return list(YAML(typ="safe").load_all(path.read_text(encoding="utf-8")))


def compose() -> dict[str, Any]:
    (document,) = documents(COMPOSE)
    return document


def kubernetes(name: str, kind: str) -> dict[str, Any]:
    return next(item for item in documents(KUBERNETES / name) if item["kind"] == kind)


def compose_command(service: str) -> list[str]:
    return shlex.split(compose()["services"][service]["command"])


def pod_command(part: str) -> list[str]:
    """Of `scheduler` or `worker` in the Dask operator's resource."""
    (container,) = kubernetes("fleet.yaml", "DaskCluster")["spec"][part]["spec"]["containers"]
    return list(container["args"])


def page_commands() -> tuple[list[str], list[str]]:
    """The scheduler and the worker that docs/fleet.md starts on one machine."""
    text = (ROOT / "docs/fleet.md").read_text(encoding="utf-8")
    shown = [item for item in commands(text, "docs/fleet.md") if item.words[0] == "dask"]
    scheduler, worker = (list(item.words) for item in shown if not item.why_not)
    return scheduler, worker


def here(command: list[str], scheduler: str = "", tls: Path | None = None) -> list[str]:
    """The same command with this Python's dask, on the loopback and with free ports; its scheduler
    at the address `scheduler`, its certificates in the folder `tls`."""
    dask, *words = command
    assert dask == "dask"
    separate = [part for word in words for part in word.split("=", maxsplit=word.startswith("--"))]
    return [sys.executable, "-m", "dask", *(_translated(word, scheduler, tls) for word in separate)]


def _translated(word: str, scheduler: str, tls: Path | None) -> str:
    if re.fullmatch(r"(tcp|tls)://(scheduler|loopgauge-scheduler|127\.0\.0\.1):8786", word):
        return scheduler
    if tls is not None and word.startswith("/tls/"):
        return str(tls / word.removeprefix("/tls/"))
    return ON_LOOPBACK.get(word, word)
