"""Commands of channels: send a sample, and what became of every message."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import AsJson, CommandError, friendly_errors, show

if TYPE_CHECKING:
    from outlay_alerter.notify.delivery_worker import Channel
    from outlay_kit.clock import Clock
    from outlay_schemas.catalog import Catalog

Folder = Annotated[
    Path | None,
    typer.Option("--catalog", metavar="DIR", help="Try the channels of a folder. Default: those in force."),
]


@friendly_errors
def send_sample(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Only this one.")] = "",
    name: Annotated[str, typer.Option("--channel", hidden=True)] = "",
    catalog: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Send a sample to the channels of the catalog, and to those of the environment (OUTLAY_ALERTER_...).

    Secrets are read from this command's environment, as the alerter reads them from its own.

    Examples:

      outlay alerts test oncall

      OUTLAY_CHANNEL_OPS=https://hooks.slack.com/... outlay alerts test ops --catalog ./catalog
    """
    from outlay_alerter.notify.sample import sample
    from outlay_kit.clock import SystemClock

    clock, wanted = SystemClock(), channel or name
    found = [one for one in all_channels(catalog, clock) if wanted in ("", one.name)]
    if not found:
        raise CommandError(
            f"there is no channel {wanted}" if wanted else "no channel is named by the catalog or the environment",
            "add it to channels.yaml (docs/notifications.md), or set OUTLAY_ALERTER_SLACK_URL",
        )  # fmt: skip
    rows = []
    for one in found:
        answer = one.send(sample(clock.now()))
        rows.append(
            {"channel": one.name, "outcome": answer.outcome, "status": answer.status, "reason": answer.reason}
        )
    show(as_json, rows, "Sample sent", "")
    if any(row["outcome"] != "sent" for row in rows):
        raise typer.Exit(1)


def all_channels(folder: Path | None, clock: "Clock") -> "Sequence[Channel]":
    """Return the channels of a catalog (default: the one in force, if a system runs) and of the environment.

    Raises CommandError for a catalog that cannot be read.
    """
    from outlay_alerter.notify.channel_registry import of_catalog, remote
    from outlay_alerter.notify.thread_store import NullThreadStore
    from outlay_alerter.settings import Settings
    from outlay_kit.settings import load

    settings, specs = load(Settings), _catalog(folder).channels
    own = [of_catalog(spec, settings, clock, NullThreadStore(), lambda _: None) for spec in specs]
    names = {spec.id for spec in specs}
    return [*own, *(one for one in remote(settings, clock) if one.name not in names)]


def _catalog(folder: Path | None) -> "Catalog":
    from outlay.catalog import CatalogError, load, load_default
    from outlay.cli.pricing_options import read_published
    from outlay.embedded.errors import NotRunningError

    try:
        return load(folder) if folder else read_published()
    except CatalogError as error:
        raise CommandError(str(error), "outlay catalog check says more") from None
    except (NotRunningError, CommandError):  # nothing in force: then those of the environment alone
        return load_default()


@friendly_errors
def deliveries(
    channel: Annotated[str, typer.Option(help="Only this channel.")] = "",
    hours: Annotated[float, typer.Option(min=0, max=2160, help="How far to look back.")] = 24,
    dead: Annotated[
        bool, typer.Option("--dead", help="Messages that were given up, with their reasons.")
    ] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Messages that are still to be told.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every try to tell an alert, the newest first; what was given up, or what still waits.

    Examples:

      outlay alerts deliveries --channel oncall

      outlay alerts deliveries --dead
    """
    from outlay.local import stores
    from outlay_alerter.notify.delivery_log import DeliveryLog
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock

    since = SystemClock().now() - timedelta(hours=hours)
    clickhouse = ClickHouseClient(stores()[1])
    try:
        log = DeliveryLog(clickhouse)
        if dead or waiting:
            rows = log.messages("failed" if dead else "waiting", channel, since)
        else:
            rows = log.tries(channel, since)
    finally:
        clickhouse.close()
    title = "Given up" if dead else "Waiting" if waiting else "Deliveries"
    shown = rows if as_json else [_narrow(row) for row in rows]
    show(as_json, shown, f"{title} (UTC)", "nothing")


def _narrow(row: Mapping[str, object]) -> dict[str, object]:
    """Return what fits a terminal; --json has the ids, too."""
    left_out = ("tenant", "message", "took_ms")
    return {
        name: str(value)[:19] if name in ("at", "decided", "due") else value
        for name, value in row.items()
        if name not in left_out
    }
