"""What the demonstration shows while it runs: one screen, redrawn a few times a second. Pure drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from rich.bar import Bar
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from outlay_reports.alert_text import title_of
from outlay_reports.money import percent, share, usd
from outlay_schemas.alerts import Alert

SPARKS = " ▁▂▃▄▅▆▇█"
_AROUND = 3 + 5 + 2 + 2 + 2 + 2
"""Rows that are always there: head, chart, the frames of three lists, the hint and the cursor's row."""
_WIDE = 90
"""Columns from which the head has room for a count of zero."""


@dataclass(frozen=True)
class BudgetState:
    """A budget as the view shows it, in USD."""

    name: str
    spent: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Frame:
    """Everything one redraw needs."""

    playing: datetime | None
    events_per_second: float
    total: int
    sent: int
    counted: int
    unpriced: int
    dead_letters: int
    latency: float | None
    """Median seconds from accepted to counted."""
    teams: Sequence[tuple[str, Decimal]]
    models: Sequence[tuple[str, Decimal]]
    minutes: Sequence[Decimal]
    budgets: Sequence[BudgetState]
    alerts: Sequence[Alert]
    hint: str


def draw(frame: Frame, width: int, height: int | None = None) -> RenderableType:
    """Draw one frame for a terminal of `width` columns and, if given, `height` rows. Where all does not fit, the
    least spenders and the oldest alerts go, so that budgets and alerts stay on the screen."""
    spend = sum((cost for _, cost in frame.teams), Decimal(0))
    half = max(30, width // 2 - 1)
    alerts = frame.alerts if height is None else frame.alerts[-max(2, height // 8) :]
    rows = max(len(frame.teams), len(frame.models))
    if height is not None:
        rows = max(1, min(rows, height - _AROUND - max(1, len(frame.budgets)) - max(1, len(alerts))))
    return Group(
        _head(frame, spend, width),
        Panel(Text(columns(frame.minutes, max(10, width - 6)), "cyan"), title="$ per minute of the trace"),
        Columns(
            [
                Panel(_bars(frame.teams[:rows], half - 4, rows), title="spend by team", width=half),
                Panel(_bars(frame.models[:rows], half - 4, rows), title="spend by model", width=half),
            ]
        ),
        Panel(_budgets(frame.budgets, width - 6), title="budgets this month"),
        Panel(
            _alerts(alerts),
            title=_counted("alerts", len(frame.alerts), len(alerts)),
            border_style="red" if frame.alerts else "dim",
        ),
        Text(frame.hint, "dim"),
    )


def _counted(what: str, there: int, shown: int) -> str:
    return what if shown == there else f"{what}: the newest {shown} of {there}"


def columns(values: Sequence[Decimal], width: int, height: int = 3) -> str:
    """Draw values as columns of blocks, the newest `width` of them; zero is blank, anything else is seen."""
    shown = values[-width:]
    top = max(shown, default=Decimal(0))
    if not top:
        return "no spend yet" + "\n" * (height - 1)
    steps = len(SPARKS) - 1
    eighths = [max(1, round(value / top * steps * height)) if value else 0 for value in shown]
    rows = ["".join(SPARKS[min(steps, max(0, n - steps * row))] for n in eighths) for row in range(height)]
    return "\n".join(reversed(rows))


def _head(frame: Frame, spend: Decimal, width: int) -> Panel:
    line = Text()
    line.append(f" {usd(spend)} ", "bold reverse green")
    line.append(f"  {frame.events_per_second:,.0f} events/s", "bold")
    line.append(f"  sent {frame.sent:,}/{frame.total:,}  counted {frame.counted:,}")
    line.append(f"  unpriced {frame.unpriced:,}", "yellow" if frame.unpriced else "dim")
    if frame.dead_letters or width >= _WIDE:
        line.append(f"  dead letters {frame.dead_letters:,}", "yellow" if frame.dead_letters else "dim")
    parts = []
    if frame.playing:
        parts.append(f"the trace is at {frame.playing:%Y-%m-%d %H:%M} UTC")
    if frame.latency is not None:
        parts.append(f"event → rollup {frame.latency:.1f} s")
    subtitle = ", ".join(parts) or None
    return Panel(
        line,
        title="Outlay: a real hour of LLM calls, priced as it happens",
        subtitle=subtitle,
        border_style="green",
    )


def _bars(rows: Sequence[tuple[str, Decimal]], width: int, height: int) -> RenderableType:
    if not rows:
        return Text("nothing yet", "dim")
    top = max(cost for _, cost in rows) or Decimal(1)
    table = Table.grid(padding=(0, 1))
    table.add_column(max_width=max(10, width * 2 // 5), no_wrap=True)
    table.add_column(justify="right")
    table.add_column()
    for name, cost in rows:
        table.add_row(name, usd(cost), Bar(1.0, 0, float(cost / top), width=max(4, width // 3), color="cyan"))
    for _ in range(height - len(rows)):
        table.add_row()
    return table


def _budgets(budgets: Sequence[BudgetState], width: int) -> RenderableType:
    if not budgets:
        return Text("no budget in the catalog", "dim")
    table = Table.grid(padding=(0, 1))
    for _ in range(4):
        table.add_column(no_wrap=True)
    for budget in budgets:
        used = share(budget.spent, budget.amount) or Fraction(0)
        colour = "green" if used < Fraction(4, 5) else "yellow" if used < 1 else "red"
        bar = Bar(1.0, 0, min(float(used), 1.0), width=max(10, width // 3), color=colour)
        spent = f"{usd(budget.spent)} of {usd(budget.amount)}"
        table.add_row(budget.name, bar, Text(percent(used), colour), spent)
    return table


def _alerts(alerts: Sequence[Alert]) -> RenderableType:
    if not alerts:
        return Text("none so far", "dim")
    lines = []
    for alert in alerts:
        colour = {"critical": "bold red", "warning": "yellow"}.get(alert.severity, "cyan")
        lines.append(
            Text.assemble(
                (f"{alert.severity:<9}", colour), title_of(alert), no_wrap=True, overflow="ellipsis"
            )
        )
    return Group(*lines)
