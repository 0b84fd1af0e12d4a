"""Commands that show the system of this machine: its console in the browser, and the logs of its processes."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from outlay.cli.options import read_moment
from outlay.cli.output import CommandError, line, note, out, unknown
from outlay.cli.stores import open_clickhouse
from outlay.local.state import TENANT, home_folder, log_files, login_links, running
from outlay_kit.clock import SystemClock

_CONSOLE_URL = "OUTLAY_ALERTER_CONSOLE_URL"
_POLL = 0.5
_AGO = re.compile(r"(\d{1,6})([smhd])")
_LENGTHS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?Z?")
_ALERTS = "SELECT DISTINCT tenant, incident FROM alerts FINAL WHERE startsWith(id, {start:String}) LIMIT 20"


def open_console(
    alert: Annotated[str, Argument(metavar="ALERT", help="Id of an alert, or its first characters.")] = "",
    tenant: Annotated[str, Option(help="Tenant whose console to open.")] = TENANT,
) -> None:
    """Open the console, or the page of an alert, in the browser. Without a browser, print its address.

    To open the console of another system, set OUTLAY_ALERTER_CONSOLE_URL to its address.

    Examples:

        outlay open
        outlay open 5f0c7a1b
    """
    tenant, path = _alert_page(alert) if alert else (tenant, "")
    state, home = running(), home_folder()
    base = os.environ.get(_CONSOLE_URL, "").rstrip("/") or (state.console if state else "")
    if not base:
        raise CommandError("no console is known", f"start one: outlay up; or name yours: {_CONSOLE_URL}")
    link = base + path
    if not out.is_terminal:  # a link that logs in has a key, which must not get into files
        line(link)
        return
    if state is not None and base == state.console:
        link = login_links(state, home, path).get(tenant, link)
    line(link)
    if sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        _launch(link, home)


def _alert_page(start: str) -> tuple[str, str]:
    """Return the tenant of an alert, resolved or not, and the path of its page."""
    with open_clickhouse() as clickhouse:
        found = clickhouse.rows(_ALERTS, {"start": start})
    if not found:
        raise CommandError(f'no alert starts with "{start}"', "list them: outlay alerts list --all")
    if len(found) > 1:
        raise CommandError(
            f'{len(found)} alerts match "{start}"', "give more of the id: outlay alerts list --all"
        )
    return found[0]["tenant"], f"/alerts/{found[0]['incident']}"


def _launch(link: str, home: Path) -> None:
    """Open a link by a page that only its owner can read: arguments of programs are seen by all users."""
    page = home / "open.html"
    home.mkdir(parents=True, exist_ok=True)
    page.unlink(missing_ok=True)
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Outlay</a>\n'
        )
    if typer.launch(page.as_uri()):
        note("no browser could be started: open the address yourself", "dim")


def logs(
    service: Annotated[str, Argument(metavar="SERVICE", help="Only this process. Default: all.")] = "",
    follow: Annotated[bool, Option("--follow", "-f", help="Keep printing new lines.")] = False,
    since: Annotated[
        str | None, Option(metavar="TIME", help="10m, 2h or 1d ago, or 2026-11-01T09:00Z. Default: all.")
    ] = None,
) -> None:
    """Print the logs of the processes of this machine in chronological order.

    Examples:

        outlay logs alerter -f
        outlay logs --since 10m
    """
    files = log_files(home_folder())
    if not files:
        raise CommandError(f"no logs in {home_folder()}", "start the system: outlay up")
    if service and service not in files:
        raise unknown("service", service, files)
    chosen = {service: files[service]} if service else files
    width = 0 if service else max(map(len, chosen)) + 2
    first, places = _since(since), {name: file.stat().st_size for name, file in chosen.items()}
    lines = [_timed(name, _read(chosen[name], 0, end)) for name, end in places.items()]
    _print([(name, text) for at, name, text in merge(*lines, key=lambda one: one[0]) if at >= first], width)
    while follow:
        SystemClock().sleep(_POLL)
        for name, file in chosen.items():
            end = file.stat().st_size
            start = places[name] if places[name] <= end else 0  # it was cut, and goes on at its new start
            text = _read(file, start, end)
            whole = text[: text.rfind(b"\n") + 1]
            places[name] = start + len(whole)
            _print([(name, one) for one in _lines(whole)], width)


def _print(lines: Sequence[tuple[str, str]], width: int) -> None:
    for name, text in lines:
        line(f"{name:<{width}}{text}" if width else text)


def _read(file: Path, start: int, end: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(end - start)


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="replace").splitlines()


def _timed(name: str, text: bytes) -> Iterator[tuple[datetime, str, str]]:
    """Return each line with its time; one without a time, as of a traceback, has that of the line before."""
    at = datetime.fromtimestamp(0, UTC)
    for one in _lines(text):
        if found := _TIME.search(one):
            at = datetime.fromisoformat(found[0].replace(",", ".")).astimezone(UTC)
        yield at, name, one


def _since(text: str | None) -> datetime:
    if text is None:
        return datetime.fromtimestamp(0, UTC)
    if found := _AGO.fullmatch(text):
        return SystemClock().now() - timedelta(**{_LENGTHS[found[2]]: int(found[1])})
    return read_moment(text, "--since")
