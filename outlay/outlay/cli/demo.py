"""The demonstration: the whole system, and a real hour of LLM calls through it."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from rich.live import Live
from rich.panel import Panel
from typer import Option

from outlay.cli.options import AsJson, read_utc
from outlay.cli.output import err, line, note, out, print_json
from outlay.cli.progress import Steps
from outlay.demo.run import Demo, Plan
from outlay.demo.view import Frame, draw
from outlay.local.state import LocalState, home_folder, login_links, running
from outlay.local.system import LocalSystem, create_key
from outlay_kit.clock import SystemClock
from outlay_reports.money import counted
from outlay_schemas.tenants import DEMO_TENANT, alert_note


def demo(
    trace: Annotated[
        Path | None, Option(metavar="FILE.csv", help="CSV with TIMESTAMP, ContextTokens, GeneratedTokens.")
    ] = None,
    speed: Annotated[
        float, Option(min=0, help="Seconds of the trace per second; 0: as fast as possible.")
    ] = 60,
    start: Annotated[
        str | None, Option(metavar="TIME", help="Start of the trace. Default: the last hour.")
    ] = None,
    leave: Annotated[bool, Option("--exit", help="Exit when done; the default without a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the system, stream a real trace of LLM calls through it, and show what it costs, live.

    The trace is one hour of Azure's LLM inference in 2023 (8,819 calls, CC-BY 4.0). It has no models and users:
    Outlay assigns them, always in the same way, and adds GPUs, storage, transfer, and an incident: a job that loops.
    Playing the same hour again changes no total, because the events have the same ids.
    Its alerts are shown, and never sent to Slack, mail or another channel that you set up.

    Examples:

        outlay demo
        outlay demo --speed 0 --exit --json
        outlay demo --trace my-hour.csv --start 2026-11-01T09:00:00Z
    """
    plan = Plan(trace, _start(start), speed)
    signal.signal(signal.SIGTERM, _interrupt)
    with _system(as_json) as (system, key, ours):
        figures = _play(system, key, plan, as_json)
        if as_json:
            print_json(figures)
        else:
            _show(figures, system, ours)
        if ours is not None and not leave and not as_json and sys.stdout.isatty():
            _stay(ours)


def _start(text: str | None) -> datetime:
    if text is None:
        return SystemClock().now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    at = read_utc(text, f'"{text}"', "write it as 2026-11-01T09:00:00Z")
    return at.replace(second=0, microsecond=0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _system(quiet: bool) -> Iterator[tuple[LocalState, str, LocalSystem | None]]:
    clock, state = SystemClock(), running()
    if state is not None:
        yield state, create_key(home_folder(), DEMO_TENANT, clock), None
        return
    system = LocalSystem(home_folder(), clock, steps := Steps(quiet))
    with steps:
        system.create_key(DEMO_TENANT)
        system.__enter__()
    try:
        yield system.state(), system.create_key(DEMO_TENANT), system
    finally:
        with err.status("stopping") if not quiet else nullcontext():
            system.stop()


def _play(system: LocalState, key: str, plan: Plan, quiet: bool) -> dict[str, Any]:
    demo = Demo(system, key, plan, SystemClock())
    if quiet or not out.is_terminal:
        return demo.play(_progress(quiet))
    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        return demo.play(lambda frame: live.update(draw(frame, out.width, out.height), refresh=True))


def _progress(quiet: bool) -> Callable[[Frame], None]:
    """Return what prints the progress every 10%, without a live view."""
    printed = 0

    def show(frame: Frame) -> None:
        nonlocal printed
        share = frame.sent * 10 // max(1, frame.total)
        if share > printed and not quiet:
            printed = share
            note(f"sent {frame.sent:,} of {frame.total:,}, counted {frame.counted:,}")

    return show


def _show(figures: dict[str, Any], system: LocalState, ours: LocalSystem | None) -> None:
    same = figures["ledger_cost"] == figures["rollup_cost"]
    whole = figures["accepted"] == figures["ledger_rows"] + figures["dead_letters"]
    p99 = figures["latency_p99_ms"]
    counts = (
        f"sent {figures['sent']:,}, accepted {figures['accepted']:,}, in the ledger {figures['ledger_rows']:,},"
        f" dead letters {figures['dead_letters']:,}"
    )
    sums = f"ledger [bold]${figures['ledger_cost']}[/], rollups [bold]${figures['rollup_cost']}[/]"
    lines = [
        f"{counts} {'[green]✓ nothing is missing[/]' if whole else '[red]✗ events are missing[/]'}",
        f"{sums} {'[green]✓ equal to the last digit[/]' if same else '[red]✗ they differ[/]'}",
        f"{figures['unpriced']:,} events are unpriced (no price for their model); unpriced is not free",
        f"{counted(figures['alerts'], 'alert')}; event → rollup p99 {'unknown' if p99 is None else f'{p99:,} ms'}",
        alert_note(DEMO_TENANT),
    ]
    out.print(Panel("\n".join(lines), title="result", border_style="green" if same and whole else "red"))
    where = [
        'run your own SQL  outlay query "SELECT team, sum(cost) FROM costs_daily GROUP BY team"',
        f"ClickHouse        {system.clickhouse}, read-only user {system.reader} (password: outlay status --json)",
        f"send your own     POST {system.ingest}/v1/events, or: outlay emit FILE",
        "explain a price   outlay price FILE",
    ]
    if ours is not None:
        where.append("keep it running   outlay up, then outlay demo again")
    out.print(Panel("\n".join(where), title="next steps", border_style="dim"), markup=False)
    console = login_links(system, home_folder())[DEMO_TENANT] if out.is_terminal else system.console
    line(f"  console: {console}")  # on one line: a link that a frame cuts cannot be followed


def _stay(system: LocalSystem) -> None:
    line("The system runs until you press Ctrl-C; use another terminal for commands.", "bold")
    clock = SystemClock()
    try:
        while True:
            system.write_state()
            clock.sleep(1.0)
    except KeyboardInterrupt:
        return
