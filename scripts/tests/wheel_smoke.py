"""Uses an installed wheel: run by `scripts/dev wheel` in an environment far from the checkout.

Not collected by pytest: the development tree is on its path, and would be tested instead.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import loopgauge
import loopgauge._bench
import loopgauge._core


def bench(*words: str) -> str:
    """stdout of the installed `bench` command, which must succeed."""
    program = Path(sys.executable).with_name("bench")
    answer = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"bench {words}: {answer.returncode}\n{answer.stderr}"
    return answer.stdout


def check_files() -> None:
    site = Path(sys.prefix)
    assert Path(loopgauge.__file__).is_relative_to(site), loopgauge.__file__
    names = [str(path) for path in distribution("loopgauge").files or ()]
    assert not [name for name in names if "/tests/" in name or name.endswith((".cpp", ".hpp"))]
    assert "loopgauge/py.typed" in names


def check_loop() -> None:
    async def main() -> str:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop()).__module__

    assert loopgauge.run(main()).startswith("loopgauge.")


def check_bench() -> None:
    listed = json.loads(bench("list", "loops", "--json"))
    assert "epoll" in json.dumps(listed)
    run = Path("run.jsonl")
    bench("run", "sleep0", "--quick", "--loop", "epoll", "--loop", "asyncio", "--out", str(run))
    kinds = [json.loads(line)["record"] for line in run.read_text().splitlines()]
    assert kinds[0] == "header"
    assert kinds[-1] == "end"
    page = Path("page")
    bench("report", str(run), "--out", str(page))
    pages = [page] if page.is_file() else sorted(page.rglob("*.html"))
    assert pages
    text = pages[0].read_text()
    assert "<svg" in text or "data:image" in text


def main() -> None:
    for check in (check_files, check_loop, check_bench):
        check()
        print(f"wheel: {check.__name__} ok", file=sys.stderr)


if __name__ == "__main__":
    main()
