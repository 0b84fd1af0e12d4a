"""A tenant is known by its costs, its dead letters or its key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from outlay.cli.output import CommandError
from outlay.cli.stores import require_tenants
from outlay.local.state import keys_path
from outlay_kit.keys import KeyFile
from outlay_reports.adapters.cost_reader import CostReader


class Rows:
    """ClickHouse, with tenants that have costs or dead letters."""

    def __init__(self, *tenants: str) -> None:
        self._tenants = tenants

    def rows(self, _sql: str) -> list[dict[str, str]]:
        return [{"tenant": tenant} for tenant in self._tenants]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    return tmp_path


def require(known: Rows, *tenants: str) -> None:
    require_tenants(CostReader(known), tenants)  # type: ignore[arg-type]


def test_a_misspelt_tenant_is_refused_with_the_name_that_was_meant() -> None:
    with pytest.raises(CommandError, match='unknown tenant "acmee"') as refused:
        require(Rows("acme", "demo"), "acme", "acmee")
    assert 'did you mean "acme"?' in refused.value.hint


def test_a_tenant_with_a_key_is_known_before_its_first_event_is_in_the_ledger(home: Path) -> None:
    KeyFile(keys_path(home)).create("fresh", ("ingest",), datetime(2026, 11, 29, tzinfo=UTC))
    require(Rows("acme"), "fresh", "")


def test_without_any_data_every_tenant_is_accepted() -> None:
    require(Rows(), "acme")
