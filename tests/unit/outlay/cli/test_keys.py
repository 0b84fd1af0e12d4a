"""`outlay keys`: what an administrator sees."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outlay.main import app
from outlay_kit.keys import KeyRing
from outlay_schemas.tenants import alert_note


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OUTLAY_INGEST_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("OUTLAY_ACTOR", "ann")

    def call(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["keys", *arguments, "--json"])
        return json.loads(result.stdout) if result.exit_code == 0 else result.exit_code

    return call


def test_a_key_of_the_demos_tenant_is_made_with_a_warning(run: Any) -> None:
    assert run("create", "--tenant", "demo")["tenant"] == "demo"
    result = CliRunner().invoke(app, ["keys", "create", "--tenant", "demo"])
    assert alert_note("demo") in " ".join(result.stderr.split())
    assert "Warning" not in CliRunner().invoke(app, ["keys", "create", "--tenant", "acme"]).stderr


def test_the_life_of_a_key(run: Any, tmp_path: Path) -> None:
    limits = ("--events-per-minute", "600")
    made = run(
        "create", "--tenant", "acme", "--scope", "ingest", "--scope", "read", "--name", "shop", *limits
    )
    ring = KeyRing(tmp_path / "keys.json")
    found = ring.authenticate(made["key"])
    assert found is not None
    assert (found.tenant, found.scopes, found.events_per_minute) == ("acme", ("ingest", "read"), 600)
    (shown,) = run("list")
    assert (shown["id"], shown["tenant"], shown["state"], shown["events_per_minute"]) == (
        made["id"], "acme", "in force", 600,
    )  # fmt: skip
    new = run("rotate", made["key"], "--grace-hours", "1")
    assert new["replaces"] == made["id"]
    assert [row["state"][:5] for row in run("list")] == ["until", "in fo"]
    assert run("revoke", made["id"])["id"] == made["id"]
    assert run("revoke", made["id"]) == 1
    assert run("rotate", "nosuchkey000") == 1
    assert [row["state"] for row in run("list", "--all")] == ["revoked", "in force"]
    assert [(row["actor"], row["action"]) for row in run("audit")] == [
        ("ann", "keys.create"), ("ann", "keys.rotate"), ("ann", "keys.revoke"),
    ]  # fmt: skip


def test_a_quota_is_for_a_day_a_month_or_both(run: Any, tmp_path: Path) -> None:
    made = run("create", "--quota", "10000/day", "--quota", "250000/month")
    (shown,) = run("list")
    assert (shown["events_per_day"], shown["events_per_month"]) == (10_000, 250_000)
    assert run("rotate", made["id"])["replaces"] == made["id"]
    assert [row["events_per_month"] for row in run("list")] == [250_000, 250_000]
    for wrong in ("10000", "x/day", "5/week", "0/day", "-1/day"):
        assert run("create", "--quota", wrong) == 1


def test_wrong_scopes_and_folders_are_refused(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("create", "--scope", "root") == 2
    monkeypatch.delenv("OUTLAY_INGEST_KEYS_FILE")
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path / "nowhere"))
    result = CliRunner().invoke(app, ["keys", "list"])
    assert result.exit_code == 1
    assert "outlay up" in result.stderr


def test_people_see_the_key_once_and_whole(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["keys", "create", "--keys-file", str(tmp_path / "k.json")])
    key = result.stdout.splitlines()[0]
    assert KeyRing(tmp_path / "k.json").authenticate(key) is not None
    listed = CliRunner().invoke(app, ["keys", "list", "--keys-file", str(tmp_path / "k.json")])
    assert key not in listed.stdout
    assert key.split("_")[2] in listed.stdout
