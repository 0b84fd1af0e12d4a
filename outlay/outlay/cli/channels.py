"""Commands about notification channels: send a sample, and what happened to each message."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from outlay.cli.errors import CommandError, unknown
from outlay.cli.options import AsJson
from outlay.cli.output import line, print_json, print_rows
from outlay.cli.stores import open_clickhouse, published_or_none, read_folder
from outlay.embedded.errors import NotRunningError
from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.channel_registry import of_catalog, remote
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.notify.sample import sample
from outlay_alerter.notify.thread_store import NullThreadStore
from outlay_alerter.settings import Settings
from outlay_kit.clock import SystemClock
from outlay_kit.settings import load

_ADD = "add it to channels.yaml (docs/notifications.md), or set OUTLAY_ALERTER_SLACK_URL"


def send_sample(
    channel: Annotated[str, Argument(metavar="CHANNEL", help="Only this one. Default: all.")] = "",
    name: Annotated[str, Option("--channel", hidden=True)] = "",
    catalog: Annotated[
        Path | None, Option("--catalog", metavar="DIR", help="Catalog folder. Default: the one in force.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a sample alert to the channels of the catalog and of the environment (OUTLAY_ALERTER_...).

    Secrets are read from this command's environment, as the alerter reads them from its own. The exit status is 1 if a
    channel failed.

    Examples:

        outlay alerts test oncall
        OUTLAY_CHANNEL_OPS=https://hooks.slack.com/... outlay alerts test ops --catalog ./catalog
    """
    wanted = channel or name
    found = [find_channel(wanted, catalog)] if wanted else list(all_channels(catalog))
    if not found:
        raise CommandError("neither the catalog nor the environment has a channel", _ADD)
    answers = [(one.name, one.send(sample(SystemClock().now()))) for one in found]
    failed = [name for name, answer in answers if answer.outcome != "sent"]
    if as_json:
        print_json(
            [{"channel": n, "outcome": a.outcome, "status": a.status, "reason": a.reason} for n, a in answers]
        )
    else:
        for one, answer in answers:
            code = f"HTTP {answer.status}, " if answer.status else ""
            line(f"{one}: " + ("sent" if answer.outcome == "sent" else f"failed: {code}{answer.reason}"))
        line(
            f"Test failed: {len(failed)} of {len(answers)} channels" if failed else "Test passed",
            "bold red" if failed else "green",
        )
    if failed:
        raise typer.Exit(1)


def all_channels(folder: Path | None = None) -> Sequence[Channel]:
    """Return the channels of a catalog (default: the one in force, if a system runs) and of the environment.

    Raises CommandError for a catalog that cannot be read.
    """
    settings, clock = load(Settings), SystemClock()
    try:
        catalog = read_folder(folder) if folder else published_or_none()
    except NotRunningError:  # then those of the environment alone
        catalog = None
    specs = catalog.channels if catalog else ()
    own = [of_catalog(spec, settings, clock, NullThreadStore(), lambda _: None) for spec in specs]
    names = {spec.id for spec in specs}
    return [*own, *(one for one in remote(settings, clock) if one.name not in names)]


def find_channel(name: str, folder: Path | None = None) -> Channel:
    """Return a channel by its name. Raises CommandError."""
    known = {one.name: one for one in all_channels(folder)}
    if name not in known:
        raise unknown("channel", name, known, _ADD)
    return known[name]


def deliveries(
    channel: Annotated[str, Option(help="Only this channel.")] = "",
    hours: Annotated[float, Option(min=0, max=2160, help="Hours to look back.")] = 24,
    dead: Annotated[bool, Option("--dead", help="Only messages that failed for good.")] = False,
    waiting: Annotated[bool, Option("--waiting", help="Only messages that still wait.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show each attempt to deliver a notification, the newest first; or messages that failed or still wait.

    Examples:

        outlay alerts deliveries --channel oncall
        outlay alerts deliveries --dead
    """
    since = SystemClock().now() - timedelta(hours=hours)
    with open_clickhouse() as clickhouse:
        log = Outbox(clickhouse)
        if dead or waiting:
            rows = log.messages("failed" if dead else "waiting", channel, since)
        else:
            rows = log.attempts(channel, since)
    title = "Failed messages" if dead else "Waiting messages" if waiting else "Deliveries"
    print_rows(as_json, rows if as_json else [_short(row) for row in rows], f"{title} (UTC)", "no messages")


def _short(row: Mapping[str, object]) -> dict[str, object]:
    """Return what people read; --json has the ids too."""
    return {
        name: str(value)[:19] if name in ("at", "decided", "due") else value
        for name, value in row.items()
        if name not in ("tenant", "message", "took_ms")
    }
