"""How the text of bootstrap.py and environments.py gets into a Dask worker that has no loopgauge.

A function of ours would travel as a reference to a module that is not there, or as byte code of
another Python. `eval` is everywhere; what it evaluates is text.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

LOADER = """
import sys, types
module = sys.modules.get(name)
if module is None:
    module = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    module = sys.modules.setdefault(name, module)
answer = getattr(module, function)(*arguments)
"""
EXPRESSION = "[exec(loader), answer][1]"


def evaluation(
    function: str, *arguments: Any, of: str = "bootstrap.py"
) -> tuple[str, dict[str, Any]]:
    """The arguments of `eval` that call a function of that file where they are evaluated. The
    module is made once per text and process."""
    source, name = _text(of)
    return EXPRESSION, {
        "loader": LOADER,
        "source": source,
        "name": name,
        "function": function,
        "arguments": arguments,
    }


@functools.cache
def _text(file: str) -> tuple[str, str]:
    source = Path(__file__).with_name(file).read_text(encoding="utf-8")
    return source, f"_loopgauge_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
