"""Which benchmarks both sides have."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.subject import APPLICATION_PREFIX


def own_targets(ids: Sequence[str]) -> list[str]:
    """Coroutine functions among the benchmarks, module:attribute: a side may lack them. A scenario
    is ours, so both sides have it."""
    prefix = APPLICATION_PREFIX
    return [name.removeprefix(prefix) for name in ids if name.startswith(prefix)]


def shared_benchmarks(
    ids: Sequence[str], on_base: Collection[str], on_head: Collection[str]
) -> tuple[list[str], list[str], list[str]]:
    """Ids of what both sides have, of what only head has, and of what only base has. `on_base` and
    `on_head`: the targets that exist there. Raises NothingToMeasure for what neither has."""

    def there(name: str, has: Collection[str]) -> bool:
        return (
            not name.startswith(APPLICATION_PREFIX) or name.removeprefix(APPLICATION_PREFIX) in has
        )

    base = [name for name in ids if there(name, on_base)]
    head = [name for name in ids if there(name, on_head)]
    nowhere = own_targets([name for name in ids if name not in base and name not in head])
    if nowhere:
        raise NothingToMeasure(
            f"neither base nor head has {', '.join(nowhere)}",
            "Write module:coroutine_function, as it is imported",
        )
    return (
        [name for name in base if name in head],
        [name for name in head if name not in base],
        [name for name in base if name not in head],
    )
