"""Spend spikes: a window against the median of those before it, in units of their usual spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from outlay_alerter.domain.states import Finding, Key
from outlay_alerter.domain.watches import SpendSpike, scope_text
from outlay_reports.money import dollars
from outlay_schemas.events import Grain

Outcome = Literal["insufficient_history", "below_minimum", "normal", "spike"]

HISTORY: dict[Grain, int] = {"minute": 120, "hour": 168, "day": 56}
"""How many earlier windows a window is held against, at most."""
MIN_HISTORY: dict[Grain, int] = {"minute": 15, "hour": 24, "day": 7}
"""With fewer, nothing is said."""

_SPREADS = 6.0
"""How many usual spreads above the median are a spike, at sensitivity 1."""
_SIGMA = 1.4826
"""Turns a median absolute deviation into a standard deviation of the normal distribution."""
_FLOOR = 0.1
"""The spread is at least this share of the median: a flat series is not infinitely sure of itself."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a window is. Figures are pico-USD; `limit` is what it had to exceed."""

    outcome: Outcome
    expected: int | None = None
    limit: int | None = None
    windows: int = 0
    """How many earlier windows it was held against."""


def judge(history: Sequence[int], actual: int, grain: Grain, min_cost: int, sensitivity: float) -> Verdict:
    """Judge the newest window by the costs of the windows before it, oldest first, gaps as zeros."""
    recent = history[-HISTORY[grain] :]
    if len(recent) < MIN_HISTORY[grain]:
        return Verdict("insufficient_history", windows=len(recent))
    middle = int(median(recent))
    spread = median([abs(value - middle) for value in recent]) * _SIGMA
    spread = max(spread, middle * _FLOOR)
    limit = middle + int(_SPREADS * spread / sensitivity)
    if actual - middle < min_cost:
        return Verdict("below_minimum", middle, limit, len(recent))
    return Verdict("spike" if actual > limit else "normal", middle, limit, len(recent))


def verdict_of(rule: SpendSpike, history: Sequence[int], actual: int) -> Verdict:
    """Judge a window by the settings of a rule."""
    return judge(history, actual, rule.grain, rule.min_cost, rule.sensitivity)


def finding(rule: SpendSpike, key: Key, verdict: Verdict, actual: int) -> Finding:
    """Say what holds of one scope in one window."""
    where = scope_text(key.scope)
    expected = verdict.expected or 0
    times = f", {actual / expected:.1f} times as usual" if expected else ""
    breached = verdict.outcome == "spike"
    title = f"{rule.name}: {where} at {dollars(actual)} a {rule.grain}{times}"
    if not breached:
        title = f"{rule.name}: {where} is back to usual at {dollars(actual)} a {rule.grain}"
    return Finding(
        key=key,
        rule_type="spend_spike",
        breached=breached,
        severity="critical" if verdict.limit is not None and actual > 3 * verdict.limit else "warning",
        title=title,
        summary=(
            f"{dollars(actual)} in a {rule.grain}; the median of the {verdict.windows} before it is"
            f" {dollars(expected)}, and more than {dollars(verdict.limit or 0)} is a spike."
        ),
        actual=actual,
        expected=expected,
        hold=rule.hold,
        calm=rule.calm,
    )
