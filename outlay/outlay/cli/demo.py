"""The demonstration: the whole system, and a real hour of LLM calls through it."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.panel import Panel

from outlay.cli.common import AsJson, CommandError, err, friendly_errors, out, print_json
from outlay.cli.progress import Steps

if TYPE_CHECKING:
    from outlay.demo.view import Frame
    from outlay.local import LocalState, LocalSystem


@friendly_errors
def demo(
    trace: Annotated[
        Path | None,
        typer.Option(help="CSV with TIMESTAMP, ContextTokens, GeneratedTokens. Default: the bundled one."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Seconds of the trace in one second; 0: as fast as it goes.")
    ] = 60,
    start: Annotated[
        str | None,
        typer.Option(
            help="When the trace begins, ISO 8601. Default: the last whole hour. The same start, the same ids."
        ),
    ] = None,
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop when done; so too where nobody watches.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the system up, stream a real trace of LLM calls through it, and show what it costs, live.

    The trace is one hour of Azure's LLM inference in 2023 (8,819 calls, CC-BY 4.0). It names no model and no
    user: those are assigned, always in the same way, with GPU, storage and transfer beside them, and with an
    incident: a job that loops. Playing the same hour again changes no total: the events have the same ids.

    Examples:

      outlay demo

      outlay demo --speed 0 --exit --json

      outlay demo --trace my-hour.csv --start 2026-11-01T09:00:00Z
    """
    from outlay.demo.run import Plan

    plan = Plan(trace, _start(start), speed)
    signal.signal(signal.SIGTERM, _interrupt)
    with _system(as_json) as (system, key, ours):
        figures = _play(system, key, plan, as_json)
        if as_json:
            print_json(figures)
        else:
            _tell(figures, system, ours)
        if ours is not None and not leave and not as_json and sys.stdout.isatty():
            _stay(ours)


def _start(text: str | None) -> datetime:
    from outlay_kit.clock import SystemClock

    if text is None:
        return SystemClock().now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is not a time", "write it as 2026-11-01T09:00:00Z") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.replace(second=0, microsecond=0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _system(quiet: bool) -> "Iterator[tuple[LocalState, str, LocalSystem | None]]":
    """The system that runs already, or one that lives as long as this command."""
    from outlay.demo.workload import TENANT
    from outlay.local import LocalSystem, home_folder, running
    from outlay.local.system import create_key
    from outlay_kit.clock import SystemClock

    clock, state = SystemClock(), running()
    if state is not None:
        yield state, create_key(home_folder(), TENANT, clock), None
        return
    system = LocalSystem(home_folder(), clock, steps := Steps(quiet))
    with steps:
        system.create_key(TENANT)
        system.__enter__()
    try:
        yield system.state(), system.create_key(TENANT), system
    finally:
        with err.status("stopping, in order") if not quiet else nullcontext():
            system.stop()


def _play(system: "LocalState", key: str, plan: Any, quiet: bool) -> dict[str, Any]:
    from outlay.demo.run import Demo
    from outlay.demo.view import draw
    from outlay_kit.clock import SystemClock

    demo = Demo(system, key, plan, SystemClock())
    if quiet or not out.is_terminal:
        return demo.play(_progress(quiet))
    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        return demo.play(lambda frame: live.update(draw(frame, out.width, out.height), refresh=True))


def _progress(quiet: bool) -> "Callable[[Frame], None]":
    """Tell every tenth of the way, where nobody sees a live view."""
    told = 0

    def show(frame: "Frame") -> None:
        nonlocal told
        share = frame.sent * 10 // max(1, frame.total)
        if share > told and not quiet:
            told = share
            err.print(f"sent {frame.sent:,} of {frame.total:,}, counted {frame.counted:,}", highlight=False)

    return show


def _tell(figures: dict[str, Any], system: "LocalState", ours: "LocalSystem | None") -> None:
    same = figures["ledger_cost"] == figures["rollup_cost"]
    whole = figures["accepted"] == figures["ledger_rows"] + figures["dead_letters"]
    p99 = figures["latency_p99_ms"]
    counts = (
        f"sent {figures['sent']:,}, accepted {figures['accepted']:,}, in the ledger {figures['ledger_rows']:,},"
        f" dead letters {figures['dead_letters']:,}"
    )
    sums = f"ledger [bold]${figures['ledger_cost']}[/], rollups [bold]${figures['rollup_cost']}[/]"
    lines = [
        f"{counts} {'[green]✓ none is missing[/]' if whole else '[red]✗ some are missing[/]'}",
        f"{sums} {'[green]✓ equal to the last digit[/]' if same else '[red]✗ they differ[/]'}",
        f"{figures['unpriced']:,} events are unpriced: no price list knows their model, which is not the same as free",
        f"{figures['alerts']:,} alerts; event → rollup p99 {'not known' if p99 is None else f'{p99:,} ms'}",
    ]
    out.print(Panel("\n".join(lines), title="the books", border_style="green" if same and whole else "red"))
    where = [
        'ask it yourself   outlay query "SELECT team, sum(cost) FROM costs_daily GROUP BY team"',
        f"ClickHouse        {system.clickhouse}, read-only user {system.reader} (password: outlay status --json)",
        f"send your own     POST {system.ingest}/v1/events, or: outlay emit FILE",
        "why a price       outlay price FILE",
    ]
    if ours is not None:
        where.append("keep it running   outlay up, then outlay demo again")
    out.print(Panel("\n".join(where), title="where to look next", border_style="dim"), markup=False)
    # Whole on one line, whatever the width: a link that a frame has cut cannot be followed.
    out.print(f"  look at it: {_look(system)}", markup=False, soft_wrap=True)


def _look(system: "LocalState") -> str:
    """Return where the console is; on a terminal, as a link that logs in."""
    from outlay.demo.workload import TENANT
    from outlay.local import home_folder
    from outlay.local.state import login_links

    return login_links(system, home_folder())[TENANT] if out.is_terminal else system.console


def _stay(system: "LocalSystem") -> None:
    """Keep the system up for whoever wants to look, until Ctrl-C."""
    from outlay_kit.clock import SystemClock

    out.print("The system stays up until you press Ctrl-C; ask it from another terminal.", style="bold")
    clock = SystemClock()
    try:
        while True:
            system.write_state()
            clock.sleep(1.0)
    except KeyboardInterrupt:
        return
