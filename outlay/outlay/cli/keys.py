"""Commands for API keys: who may send and read, for which tenant, and how much."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import structs
from typer import Argument, Option

from outlay.cli.actor import actor
from outlay.cli.help import App
from outlay.cli.options import AsJson
from outlay.cli.output import CommandError, line, print_json, print_rows, unknown, warn
from outlay.local.state import home_folder, keys_path
from outlay_kit.audit import AuditError
from outlay_kit.clock import SystemClock
from outlay_kit.keys import SCOPES, ApiKey, KeyFile, KeyFileError, Limits
from outlay_schemas.tenants import alert_note

Scope = StrEnum("Scope", SCOPES)  # type: ignore[misc] # typer takes a list of no literals
app = App("keys", "Create, list, revoke and rotate API keys.")
_KAFKA = "OUTLAY_KAFKA"

FileOption = Annotated[
    Path | None,
    Option(
        envvar="OUTLAY_INGEST_KEYS_FILE",
        metavar="FILE",
        help="The file that ingest reads. Default: the local system's.",
    ),
]
KeyArgument = Annotated[str, Argument(metavar="KEY", help="Id of a key, or the key itself.")]


@app.command()
def create(
    *,
    tenant: Annotated[str, Option(help="Tenant whose usage the key sends and sees.")] = "default",
    scope: Annotated[list[Scope] | None, Option(help="Repeat for more. Default: ingest.")] = None,
    name: Annotated[str, Option(help="A name, such as the program that uses it.")] = "",
    requests_per_minute: Annotated[int, Option(min=0, help="Limit; 0: none.")] = 0,
    events_per_minute: Annotated[int, Option(min=0, help="Limit; 0: none.")] = 0,
    quota: Annotated[
        list[str] | None, Option(metavar="EVENTS/day|month", help="Quota, in UTC; repeat for both.")
    ] = None,
    keys_file: FileOption = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. It is shown only once; Outlay keeps its hash.

    Examples:

        outlay keys create --tenant acme --name checkout
        outlay keys create --tenant acme --scope ingest --scope read --events-per-minute 60000
        outlay keys create --tenant trial --quota 10000/day --quota 100000/month
    """
    scopes = tuple(one.value for one in scope or [Scope("ingest")])
    limits = Limits(requests_per_minute, events_per_minute, **_quotas(quota or []))
    with _file(keys_file) as (file, now):
        key = file.create(tenant, scopes, now, name, limits)  # type: ignore[arg-type] # checked by `create`
    if kept := alert_note(tenant):
        warn(kept)
    _print_key(key, as_json, tenant=tenant, scopes=scopes)


@app.command("list")
def list_keys(
    everything: Annotated[bool, Option("--all", help="Also revoked and expired keys.")] = False,
    keys_file: FileOption = None,
    as_json: AsJson = False,
) -> None:
    """List the keys. Their secrets are not kept, and cannot be shown."""
    with _file(keys_file) as (file, now):
        keys = [key for key in file.all() if everything or key.opens(now)]
    rows = [(_as_dict if as_json else _row)(key, now) for key in keys]
    print_rows(as_json, rows, "", "no keys yet; create one: outlay keys create")


@app.command()
def revoke(key: KeyArgument, keys_file: FileOption = None, as_json: AsJson = False) -> None:
    """Revoke a key. Services refuse it within a second.

    With OUTLAY_KAFKA set, this includes services that read another copy of the key file, such as a Kubernetes Secret.

    Examples:

        outlay keys revoke 4f7k2m9q8x1z
    """
    key_id = _id(key)
    with _file(keys_file) as (file, now):
        if not file.revoke(key_id, now) and not (_ended(file, key_id) and _KAFKA in os.environ):
            raise _not_in_force(file, key_id, now)
    _publish_end(file, key_id)
    if as_json:
        print_json({"id": key_id, "revoked": now.isoformat()})
    else:
        line(f"revoked {key_id}")


@app.command()
def rotate(
    key: KeyArgument,
    grace_hours: Annotated[float, Option(min=0, help="Hours that the old key still works.")] = 24.0,
    keys_file: FileOption = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by one with the same tenant, scopes and limits. The old one works until the grace period ends.

    Examples:

        outlay keys rotate 3f9k2m1x0abc --grace-hours 2
    """
    key_id = _id(key)
    with _file(keys_file) as (file, now):
        whole = file.rotate(key_id, now, timedelta(hours=grace_hours))
        if whole is None:
            raise _not_in_force(file, key_id, now)
    ends = (now + timedelta(hours=grace_hours)).isoformat(timespec="seconds")
    _print_key(whole, as_json, replaces=key_id, old_key_ends=ends)
    _publish_end(file, key_id)


@app.command()
def audit(keys_file: FileOption = None, as_json: AsJson = False) -> None:
    """Show who created, rotated and revoked keys, and verify that no entry of that log was changed."""
    with _file(keys_file) as (file, _):
        rows = [
            {"at": f"{e.at:%Y-%m-%d %H:%M:%S}", "actor": e.actor, "action": e.action, "key": e.subject}
            | {"tenant": e.details.get("tenant", "")}
            for e in file.audit.read()
        ]
    print_rows(as_json, rows, "", "no entries yet")


@contextmanager
def _file(path: Path | None) -> Iterator[tuple[KeyFile, datetime]]:
    if path is None:
        path = keys_path(home_folder())
        if not path.parent.is_dir():
            hint = "start one: outlay up; or give --keys-file PATH"
            raise CommandError(f"no local system in {path.parent}", hint)
    try:
        yield KeyFile(path, actor()), SystemClock().now()
    except (KeyFileError, AuditError) as error:
        raise CommandError(str(error)) from error


def _ended(file: KeyFile, key_id: str) -> datetime | None:
    return next((key.revoked or key.expires for key in file.all() if key.id == key_id), None)


def _publish_end(file: KeyFile, key_id: str) -> None:
    ends = _ended(file, key_id)
    if ends is None or _KAFKA not in os.environ:
        return
    from outlay_kit.errors import Retryable
    from outlay_kit.revocations import publish_end
    from outlay_kit.settings import KafkaSettings

    try:
        publish_end(KafkaSettings(), key_id, ends)
    except Retryable as error:
        message = f"{key_id} ends in the key file, but not for services with another copy of it: {error}"
        hint = f"to end it for them too, once Kafka answers: outlay keys revoke {key_id}"
        raise CommandError(message, hint) from error


def _not_in_force(file: KeyFile, key_id: str, now: datetime) -> CommandError:
    known = [key.id for key in file.all() if key.opens(now)]
    return unknown("key", key_id, known, "see: outlay keys list --all")


def _quotas(given: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in given:
        events, _, period = text.partition("/")
        if period not in ("day", "month") or not events.isdecimal() or not int(events):
            hint = "write a number of events, as in 10000/day or 100000/month"
            raise CommandError(f'"{text}" is not a valid quota', hint)
        found[f"events_per_{period}"] = int(events)
    return found


def _id(key: str) -> str:
    """Return the id of a key, which may be given whole."""
    return key.split("_")[2] if key.startswith("out_live_") and key.count("_") >= 3 else key


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked:
        return "revoked"
    if not key.opens(now):
        return "ended"
    return f"until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires is not None else "in force"


def _as_dict(key: ApiKey, now: datetime) -> dict[str, object]:
    found = {**structs.asdict(key), "state": _state(key, now)}
    return {name: value for name, value in found.items() if name not in ("secret_sha256", "rotated_from")}


def _row(key: ApiKey, now: datetime) -> dict[str, object]:
    limits = {field.name: getattr(key, field.name) for field in structs.fields(Limits)}
    shown = ", ".join(f"{limit:,} {name.replace('_per_', '/')}" for name, limit in limits.items() if limit)
    return {
        "id": key.id, "tenant": key.tenant, "scopes": " ".join(key.scopes), "name": key.name,
        "state": _state(key, now), "limits": shown,
    }  # fmt: skip


def _print_key(key: str, as_json: bool, **more: object) -> None:
    if as_json:
        print_json({"id": _id(key), "key": key, **more})
        return
    line(key, "bold")
    line("store it now: it is not shown again", "dim")
    for name, value in more.items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        line(f"{name.replace('_', ' ')}: {shown}", "dim")
