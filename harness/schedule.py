"""Who runs when: everything random in a run, drawn from its one recorded seed.

Each draw has its own stream, named by what it is for, so that a resumed run draws the same for
what is left. Blocks come in mirrored pairs: a drift that is linear in time cancels in every pair
(ABBA or BAAB for two arms), and over a whole set of pairs every arm stands once at each place and
after each other arm equally often (E. J. Williams, Aust. J. Sci. Res. A 2 (1949) 149-168).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

METHOD = "mirrored-williams-1"

MAX_PADDING = 4096  # one page: beyond it the stack only moves by whole pages again


def stream(seed: int, *purpose: str | int) -> random.Random:
    """Seeding by a string is SHA-512 in every Python 3: the same draws on every version."""
    return random.Random("/".join(str(part) for part in (seed, *purpose)))


def mirrored_pairs(count: int) -> list[tuple[list[int], list[int]]]:
    """The rows of a Williams design for `count` places, each with its mirror image."""
    zigzag = [0]
    for step in range(1, count):
        zigzag.append((step + 1) // 2 if step % 2 else count - step // 2)
    distinct = count // 2 if count % 2 == 0 else count
    rows = [[(place + shift) % count for place in zigzag] for shift in range(max(1, distinct))]
    return [(row, row[::-1]) for row in rows]


def blocks(rng: random.Random, arms: Sequence[str], count: int) -> list[list[str]]:
    """`count` blocks, each holding every arm once."""
    if not arms:
        return []
    result: list[list[str]] = []
    while len(result) < count:
        labels = list(arms)
        rng.shuffle(labels)
        pairs = mirrored_pairs(len(labels))
        rng.shuffle(pairs)
        for pair in pairs:
            rows = list(pair)
            rng.shuffle(rows)
            result.extend([labels[place] for place in row] for row in rows)
    return result[:count]


def job_blocks(
    seed: int, round_number: int, benchmark: str, arms: Sequence[str], count: int
) -> list[list[str]]:
    return blocks(stream(seed, "blocks", round_number, benchmark), arms, count)


def batches(seed: int, round_number: int, benchmarks: Sequence[str], size: int) -> list[list[str]]:
    """Which benchmarks share a process, and in which order: new in every round, so that no
    benchmark always runs in the wake of the same other."""
    order = shuffled(stream(seed, "batches", round_number), benchmarks)
    return [order[start : start + size] for start in range(0, len(order), size)]


def process_order(seed: int, round_number: int, rounds: int, arms: Sequence[str]) -> list[str]:
    """The order of the arms' own processes inside a round: the rounds are the blocks."""
    return blocks(stream(seed, "processes"), arms, max(rounds, round_number + 1))[round_number]


def creation_order(seed: int, round_number: int, unit: str, arms: Sequence[str]) -> list[str]:
    return shuffled(stream(seed, "creation", round_number, unit), arms)


def hash_seed(seed: int, round_number: int, unit: str) -> int:
    """For PYTHONHASHSEED: never 0, which would switch the randomisation off."""
    return stream(seed, "hash", round_number, unit).randint(1, 2**32 - 1)


def padding(seed: int, round_number: int, unit: str) -> int:
    """Bytes of environment: they move the stack, whose alignment alone can cost 1 to 2 %."""
    return stream(seed, "padding", round_number, unit).randrange(MAX_PADDING)


def shuffled(rng: random.Random, items: Sequence[str]) -> list[str]:
    result = list(items)
    rng.shuffle(result)
    return result
