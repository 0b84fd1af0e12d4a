"""Commands that start, stop and look at the system of this machine."""

from enum import StrEnum
from typing import Annotated

import typer

from outlay.cli.common import AsJson, CommandError, err, friendly_errors, out, print_json, table
from outlay.cli.progress import Steps


class PortChoice(StrEnum):
    """Which ports the system listens on, all on loopback."""

    fixed = "fixed"
    auto = "auto"


PortOption = Annotated[
    PortChoice,
    typer.Option(help="fixed: 9092, 8123, 8080 or what OUTLAY_PORT_... says; auto: any free ones."),
]


@friendly_errors
def up(
    ports: PortOption = PortChoice.fixed,
    foreground: Annotated[
        bool,
        typer.Option("--foreground", help="Run in this process until SIGTERM, as systemd and launchd do."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start Kafka, ClickHouse and all services in the background.

    What is missing (Kafka's jars) is fetched once. Data is kept in OUTLAY_HOME, by default in the user's
    folder for data; `outlay down` stops everything and keeps it.

    Examples:

      outlay up

      outlay up --ports auto

      OUTLAY_HOME=/tmp/trial outlay up

      outlay up --foreground
    """
    from outlay.local.control import start
    from outlay.local.daemon import serve

    fixed = ports is PortChoice.fixed
    with Steps(quiet=as_json) as progress:
        if foreground:
            serve(progress, lambda: progress.step("ready"), fixed=fixed)
            return
        start(progress, fixed=fixed)
    _status(as_json)


@friendly_errors
def down() -> None:
    """Stop the system of this machine. Its data stays."""
    from outlay.local import home_folder
    from outlay.local.control import stop
    from outlay_kit.clock import SystemClock

    with err.status("stopping, in order"):
        stopped = stop(SystemClock())
    out.print(f"stopped; data is kept in {home_folder()}" if stopped else "nothing was running", style="dim")


@friendly_errors
def status(as_json: AsJson = False) -> None:
    """Show what runs: health, lag, memory, and where to reach it. Exit status 1 if a process is not ready."""
    _status(as_json)


def _status(as_json: bool) -> None:
    from outlay.local.status import system_status

    found = system_status()
    if as_json:
        print_json(found.as_dict())
    elif not found.processes:
        out.print(f"nothing runs in {found.home}; start it with: outlay up", style="dim")
    else:
        columns = ("part", "state", ">pid", ">restarts", ">memory", ">CPU s", ">lag")
        rows = [
            (p.name, p.state, p.pid, p.restarts, f"{p.rss / 2**20:.0f} MiB", f"{p.cpu_seconds:.0f}", p.lag)
            for p in found.processes
        ]
        table("", columns, rows, "")
        for crowd in found.high_cardinality:
            out.print(
                f"high cardinality: {crowd['source']} of {crowd['tenant']} sends {crowd['distinct']:,} different values"
                f" of {crowd['dimension']} in a minute: past the bound they are (other) in rollups",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )
        for part in found.processes:
            if part.url and not part.url.endswith("/metrics"):
                out.print(f"{part.name:<14} {part.url}", soft_wrap=True)
        _links()
        out.print(f"data and logs  {found.home}", style="dim", soft_wrap=True)
    if not found.healthy:
        raise typer.Exit(1)


def _links() -> None:
    """Show how to look, where people read this: each link logs in as one of this folder's own tenants."""
    from outlay.local import home_folder, running
    from outlay.local.state import login_links

    state = running()
    if state is None or not out.is_terminal:
        return
    for tenant, link in login_links(state, home_folder()).items():
        out.print(f"{'look as ' + tenant:<14} {link}", soft_wrap=True, markup=False, highlight=False)


@friendly_errors
def doctor(as_json: AsJson = False) -> None:
    """Look for what is wrong on this machine and suggest fixes. Changes nothing."""
    from dataclasses import asdict

    from outlay.local.doctor import checks

    found = list(checks())
    if as_json:
        print_json([asdict(check) for check in found])
    else:
        marks = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[red]error[/]"}
        for check in found:
            out.print(f"{marks[check.state]:<18} [bold]{check.name}[/]  {check.found}", soft_wrap=True)
            if check.hint:
                out.print(f"          fix: {check.hint}", style="dim", soft_wrap=True)
    if any(check.state == "error" for check in found):
        raise typer.Exit(1)


@friendly_errors
def setup(
    direct_tenant: Annotated[
        list[str] | None,
        typer.Option(help="Create the topic of a tenant that publishes to Kafka itself; may be repeated."),
    ] = None,
    replication_factor: Annotated[
        int, typer.Option(help="Copies of each record of a new topic; -1: the broker's default.", min=-1)
    ] = -1,
    min_insync_replicas: Annotated[
        int | None,
        typer.Option(
            help="Copies that must have a record before ingest answers 202 [default: the broker's]."
        ),
    ] = None,
) -> None:
    """Create topics, tables and a first catalog in the stores that the environment names.

    You can run it again at any time. `outlay up` does it for the local stores; run this one where OUTLAY_KAFKA and
    OUTLAY_CLICKHOUSE name your own. A cluster of three brokers or more:

        outlay setup --replication-factor 3 --min-insync-replicas 2
    """
    from outlay.local import stores
    from outlay.local.setup import prepare
    from outlay_kit.clock import SystemClock
    from outlay_kit.topics import Durability

    if replication_factor == 0:
        raise CommandError("a topic cannot have 0 copies", "give --replication-factor 1 or more, or -1")
    kafka, clickhouse = stores(write=True)
    try:
        warnings = prepare(
            kafka,
            clickhouse,
            SystemClock(),
            lambda what: out.print(f"preparing {what}"),
            direct_tenants=direct_tenant or (),
            durability=Durability(replication_factor, min_insync_replicas),
        )
    except ValueError as error:
        raise CommandError(str(error), "such a tenant sends over HTTP, with a key") from None
    for warning in warnings:
        err.print(f"[yellow]warning[/] {warning}", soft_wrap=True)
    out.print("topics, tables and a catalog are ready")
