"""What an operation costs, tier upon tier: bare system calls, a native loop, Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Layer, Stack
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.field import Colour, ticks_of
from loopgauge.reports.plots.frame import FOOT, HEAD, SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale

WIDTH = 380.0
LEFT = 112.0
RIGHT = WIDTH - 70.0
TOP = HEAD + 16
ROW = 19.0
BAR = 11.0
LONGEST_NAME = 17
NATIVE = "native"  # beside the name of a loop without Python
GAP = 0.8
FURTHEST = 4.0  # times the bar in the middle
ARROW = "\u2192"

ROLES = {"floor": theme.MUTED, "native": "arm0", "Python": "arm1", "loop": "arm2"}
WORDS = {
    "floor": "system calls",
    "native": "native loop",
    "Python": "its Python",
    "loop": "loop and Python",
}
STEP = {"floor": 76.0, "native": 74.0, "Python": 68.0, "loop": 90.0}  # of the legend


def tiers(benchmark: BenchmarkSummary, colour: Colour) -> Drawing:
    """One bar per arm that has layers; a layer that costs less than nothing has no width."""
    stacks = told(benchmark)
    bottom = TOP + len(stacks) * ROW
    canvas = Canvas(WIDTH, bottom + FOOT + 14, colour)
    title = "Tier upon tier: shorter is better"
    head(
        canvas, title, f"{wording.per_operation(benchmark)} · bar: 95 % interval of the last layer"
    )
    x = 6.0
    for tier in (tier for tier in ROLES if any(tier in _names(stack) for stack in stacks)):
        canvas.box(x, HEAD - 5, 10, 10, ROLES[tier])
        canvas.text(x + 14, HEAD, WORDS[tier], role=theme.MUTED, size=SMALL)
        x += STEP[tier] + 18
    stripes(canvas, TOP, ROW, len(stacks))
    scale = Scale(0.0, _reach(stacks), LEFT, RIGHT, logarithmic=False)
    axis(canvas, scale, TOP, bottom, ticks_of(benchmark), apart=52)
    said = [benchmark.id]
    whole = {arm.arm: arm.cost for arm in _arms(benchmark) if arm.status == "ok"}
    for number, stack in enumerate(stacks):
        middle = TOP + (number + 0.5) * ROW
        name = wording.shorten(name_of(stack), LONGEST_NAME)
        canvas.text(LEFT - 8, middle, name, align="right")
        at = 0.0
        for layer in stack.layers:
            width = scale(at + max(layer.cost, 0.0)) - scale(at)
            # The gap tells layers apart without their colours; their order is always the same.
            canvas.box(scale(at), middle - BAR / 2, max(width - GAP, 0.0), BAR, ROLES[layer.tier])
            at += max(layer.cost, 0.0)
        low, _, high = _ends(stack)
        canvas.lines([(scale(low), middle, scale(high), middle)], theme.INK, 1.2)
        if at > scale.high:
            canvas.text(RIGHT, middle, ARROW, size=SMALL, bold=True)
        words = wording.amount(whole.get(stack.arm, at), benchmark)
        canvas.text(WIDTH - 2, middle, words, size=SMALL, align="right")
        said.append(
            f"{name_of(stack)}: {', '.join(in_words(layer, benchmark) for layer in stack.layers)}"
        )
    return Drawing(canvas, title, f"{'; '.join(said)}.")


def name_of(stack: Stack) -> str:
    """ "libuv, native", for that is not the Python loop on the same library."""
    name = stack.arm.removeprefix(f"{NATIVE}:")
    return f"{name}, {NATIVE}" if stack.layers[-1].tier == "native" else name


def told(benchmark: BenchmarkSummary) -> list[Stack]:
    """The stacks, where a stack is one arm and nothing else with the cost and the interval that
    the arm has everywhere: layers are estimated from differences, in another way."""
    own = {arm.arm: arm for arm in _arms(benchmark) if arm.status == "ok"}
    alone = {
        msgspec.json.encode(stack.layers[0]): own[stack.arm]
        for stack in benchmark.tiers
        if len(stack.layers) == 1 and stack.arm in own
    }
    return [
        Stack(arm=stack.arm, layers=[_as(alone, stack.layers[0]), *stack.layers[1:]])
        for stack in benchmark.tiers
    ]


def _as(alone: Mapping[bytes, ArmSummary], first: Layer) -> Layer:
    arm = alone.get(msgspec.json.encode(first))
    if arm is None:
        return first
    return Layer(tier=first.tier, cost=arm.cost, low=arm.cost_low, high=arm.cost_high)


def _arms(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    floor = [benchmark.floor] if benchmark.floor is not None else []
    return [*benchmark.arms, *benchmark.natives, *floor]


def in_words(layer: Layer, benchmark: BenchmarkSummary) -> str:
    """ "native loop +310 ns [300, 322]"; the first layer without a sign."""
    sign = "" if layer.tier == "floor" else "+" if layer.cost >= 0 else ""
    said = f"{WORDS[layer.tier]} {sign}{wording.amount(layer.cost, benchmark)}"
    if not (math.isfinite(layer.low) and math.isfinite(layer.high)):
        return f"{said} [no interval]"
    factor = 1.0 if benchmark.measure == "value" else wording.time_unit(layer.cost)[0]
    low, high = (wording.number(end / factor) for end in (layer.low, layer.high))
    return f"{said} [{low}, {high}]"


def _reach(stacks: Sequence[Stack]) -> float:
    """How far the axis goes: one loop of fifty times the cost would squeeze all others into a
    corner, so its bar is cut."""
    ends = [_ends(stack) for stack in stacks]
    usual = sorted(at for _, at, _ in ends)[len(ends) // 2]
    return min(max(high for _, _, high in ends) * 1.02, FURTHEST * usual) or 1.0


def _names(stack: Stack) -> list[str]:
    return [layer.tier for layer in stack.layers]


def _ends(stack: Stack) -> tuple[float, float, float]:
    """Where the interval of the last layer begins and ends, and between them the end of the bar."""
    *below, last = stack.layers
    base = sum(max(layer.cost, 0.0) for layer in below)
    at = base + max(last.cost, 0.0)
    low = base + max(last.low, 0.0) if math.isfinite(last.low) else at
    high = base + max(last.high, 0.0) if math.isfinite(last.high) else at
    return low, at, max(high, at)
