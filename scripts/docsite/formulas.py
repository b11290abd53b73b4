"""Formulas of pages, ```math fences in LaTeX as GitHub reads them, as MathML: browsers show it
without a script."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def fence(source: str, language: str, name: str, options: Any, md: Any, **more: Any) -> str:
    """A custom fence of pymdownx.superfences."""
    return f'<div class="formula" tabindex="0">{convert(source.strip(), display="block")}</div>'


def configured(extensions: dict[str, Any]) -> None:
    """Adds the fence to the settings of Markdown's extensions."""
    settings = extensions.setdefault("pymdownx.superfences", {})
    settings["custom_fences"] = [{"name": "math", "class": "math", "format": fence}]
