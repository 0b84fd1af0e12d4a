"""Commands that start, stop and check the system: of this machine, or the one that the environment names."""

from typing import Annotated, Literal

import typer
from typer import Option

from outlay.cli.options import AsJson
from outlay.cli.output import (
    CommandError,
    err,
    line,
    note,
    out,
    print_json,
    print_table,
    resumable,
    warn,
)
from outlay.cli.progress import Steps
from outlay.local import doctor as machine
from outlay.local.control import start, stop
from outlay.local.daemon import serve
from outlay.local.state import home_folder, login_links, running, stores
from outlay.local.status import SystemStatus, system_status
from outlay_kit.clock import SystemClock

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def up(
    ports: Annotated[
        Literal["fixed", "auto"], Option(help="fixed: 9092, 8123, 8080 or OUTLAY_PORT_...; auto: any free.")
    ] = "fixed",
    foreground: Annotated[bool, Option("--foreground", help="Run in this process, as for systemd.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start Kafka, ClickHouse and all services in the background.

    Kafka's jars are downloaded once. Data is kept in OUTLAY_HOME, by default in the user's data folder;
    `outlay down` stops everything and keeps the data.

    Examples:

        outlay up
        outlay up --ports auto
        OUTLAY_HOME=/tmp/trial outlay up
        outlay up --foreground
    """
    fixed = ports == "fixed"
    with Steps(quiet=as_json) as progress:
        if foreground:
            serve(progress, lambda: progress.step("ready"), fixed=fixed)
            return
        start(progress, fixed=fixed)
    _show(system_status(ask_engine=False), as_json)


def down() -> None:
    """Stop Outlay on this machine. Its data is kept."""
    with err.status("stopping"):
        stopped = stop(SystemClock())
    line(f"stopped; data is kept in {home_folder()}" if stopped else "nothing was running", "dim")


def status(as_json: AsJson = False) -> None:
    """Show each process: health, lag, memory, and its address. Exit status 1 if one is not ready.

    If OUTLAY_KAFKA and OUTLAY_CLICKHOUSE are set, these stores and the services of OUTLAY_SERVICES are checked
    (ingest=http://HOST:9400,pricer=...; default: each service at its own name, port 9400, as in Docker Compose).
    """
    from outlay import remote

    _show(remote.status() if remote.is_configured() else system_status(), as_json)


def _show(found: SystemStatus, as_json: bool) -> None:
    if as_json:
        state = running() if found.home else None
        print_json({**found.as_dict(), "console": state.console if state else ""})
    elif not found.processes:
        line(f"nothing is running in {found.home}; start it with: outlay up", "dim")
    else:
        _show_processes(found)
    if not found.healthy:
        raise typer.Exit(1)


def _show_processes(found: SystemStatus) -> None:
    columns = ["process", "state", ">pid", ">restarts", ">memory", ">CPU s", ">lag", "address"]
    rows = [
        [
            p.name, p.state, p.pid, p.restarts, f"{p.rss / 2**20:.0f} MiB", f"{p.cpu_seconds:.0f}", p.lag,
            p.url.removesuffix("/metrics"),
        ]
        for p in found.processes
    ]  # fmt: skip
    if not found.home:  # elsewhere: processes are not ours to measure
        columns = [*columns[:2], *columns[6:]]
        rows = [[*row[:2], *row[6:]] for row in rows]
    print_table("", columns, rows, "")
    for one in found.high_cardinality:
        warn(
            f"high cardinality: {one['source']} of {one['tenant']} sends {one['distinct']:,} different values of"
            f" {one['dimension']} in a minute; rollups show those beyond the limit as (other)"
        )
    state = running() if found.home else None
    if state is not None and out.is_terminal:  # links that log in, for this folder's own tenants
        for tenant, link in login_links(state, home_folder()).items():
            line(f"Console (tenant {tenant}): {link}")
    if found.home:
        line(f"Data and logs: {found.home}", "dim")


def doctor(as_json: AsJson = False) -> None:
    """Find problems of this machine, or of the stores and services that the environment names, and suggest fixes.

    Changes nothing. Exit status 1 if there is an error.
    """
    from outlay import remote

    found = list(remote.checks() if remote.is_configured() else machine.checks())
    if as_json:
        print_json(found)
    else:
        for check in found:
            mark = f"[{_STYLES[check.state]}]{check.state:<8}[/] [bold]{check.name}[/]  "
            out.print(mark, end="", soft_wrap=True)
            line(check.found)
            if check.hint:
                line(f"         Fix: {check.hint}", "dim")
    if any(check.state == "error" for check in found):
        raise typer.Exit(1)


def setup(
    direct_tenant: Annotated[
        list[str] | None, Option(help="Tenant that publishes to Kafka itself; repeat for more.")
    ] = None,
    replication_factor: Annotated[
        int, Option(help="Copies of a record; -1: the broker's default.", min=-1)
    ] = -1,
    min_insync_replicas: Annotated[
        int | None, Option(help="Copies needed for a 202. Default: the broker's.")
    ] = None,
    cluster: Annotated[
        str,
        Option(
            metavar="NAME",
            envvar="OUTLAY_CLICKHOUSE_CLUSTER",
            help="ClickHouse cluster on which to create the tables.",
        ),
    ] = "",
) -> None:
    """Create topics, tables and a first catalog in the stores that the environment names.

    You can run it again at any time. `outlay up` does it for the local stores; run it if OUTLAY_KAFKA and
    OUTLAY_CLICKHOUSE name your own. For a cluster of three brokers or more:

        outlay setup --replication-factor 3 --min-insync-replicas 2
    """
    from outlay.local.preparation import prepare
    from outlay_kit.topics import Durability

    if replication_factor == 0:
        raise CommandError("a topic cannot have 0 copies", "give --replication-factor 1 or more, or -1")
    kafka, clickhouse = stores(write=True)

    def preparing(step: str) -> None:
        note(f"preparing {step}")
        done(f"the {step} are not complete" if step != "catalog" else "topics and tables are complete")

    try:
        copies = Durability(replication_factor, min_insync_replicas)
        with resumable() as done:
            warnings = prepare(
                kafka, clickhouse, SystemClock(), preparing,
                direct_tenants=direct_tenant or (), durability=copies, cluster=cluster,
            )  # fmt: skip
    except ValueError as error:
        raise CommandError(str(error), "give other options: outlay setup --help") from None
    for text in warnings:
        warn(text)
    line("topics, tables and a catalog are ready")
