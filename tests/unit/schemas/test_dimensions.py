"""One table of dimensions: it is walked through everything that cannot be derived from it."""

import re
import subprocess
from pathlib import Path

import pytest

from outlay.focus.columns import OWN, STANDARD
from outlay_ingest.domain.otlp import semconv
from outlay_ingest.domain.tables import ColumnMap
from outlay_reports.cost_query import parse_dimension
from outlay_schemas import dimensions
from outlay_schemas.catalog import Match
from outlay_schemas.events import CostEvent, RollupGroup, UsageEvent
from outlay_sdk import events as sdk

ROOT = Path(__file__).parents[3]
BY_NAME = {
    "schemas/outlay_schemas/dimensions.py": "the table itself",
    "schemas/outlay_schemas/events.py": "the typed messages",
    "schemas/outlay_schemas/examples.py": "an example of each message",
    "schemas/outlay_schemas/catalog/terms.py": "the typed form of the catalog's `match`",
    "schemas/outlay_schemas/sql/0001_ledger.sql": "a migration",
    "schemas/outlay_schemas/sql/0100_after_first_release.sql": "a migration",
    "schemas/outlay_schemas/sql/0101_cost_views.sql": "a migration",
    "schemas/outlay_schemas/sql/0123_ledger_input.sql": "a migration",
    "sdk/outlay_sdk/__init__.py": "an example",
    "sdk/outlay_sdk/events.py": "keyword arguments that type checkers know; the SDK imports nothing of ours",
    "services/ingest/outlay_ingest/domain/litellm.py": "LiteLLM's names for them",
    "services/ingest/outlay_ingest/domain/otlp/semconv.py": "OpenTelemetry's names for them",
    "services/ingest/outlay_ingest/domain/tables.py": "the typed form of a column map",
    "reports/outlay_reports/digest.py": "the owners that a digest misses",
    "outlay/outlay/cli/reports.py": "examples in a help text",
    "outlay/outlay/demo/workload.py": "the demo's data",
    "docs/pictures/weeks.py": "the data of a picture",
}
"""Where a dimension must stand by its name, and why. Everything else takes it from the table."""
SHIPPED = ("outlay", "sdk", "schemas", "kit", "reports", "services", "deploy", "docs")


@pytest.mark.parametrize("name", dimensions.OWNERS)
def test_an_owner_can_be_sent_mapped_matched_and_labelled(name: str) -> None:
    assert name in UsageEvent.__struct_fields__
    assert name in ColumnMap.__struct_fields__
    assert name in Match.model_fields
    assert name in sdk.LABELS
    assert f"outlay.{name}" in semconv.LABELS[name]


def test_nothing_else_takes_owners_that_the_table_does_not_have() -> None:
    assert set(sdk.LABELS) == set(dimensions.OWNERS)
    assert set(semconv.LABELS) == set(dimensions.OWNERS)
    assert set(Match.model_fields) - {"tags", "attributes"} == {*dimensions.CELL, "tenant", "source"}


def test_the_messages_carry_every_dimension() -> None:
    measures = [name for name in RollupGroup.__struct_fields__ if name not in dimensions.CELL]
    assert RollupGroup.__struct_fields__ == (*dimensions.CELL, *measures)
    assert measures[:3] == ["cost", "events", "unpriced_events"]
    assert {d.name for d in dimensions.DIMENSIONS} <= set(CostEvent.__struct_fields__)


def test_the_focus_export_has_a_column_for_every_dimension_but_the_user_and_the_event() -> None:
    written = " ".join(column.sql for column in (*STANDARD, *OWN))
    names = {d.name for d in dimensions.DIMENSIONS} - {"user", "source", "id", "price_status", "price_ref"}
    assert {name for name in names if not re.search(rf"\b{name}\b", written)} == set()


@pytest.mark.parametrize("alias", dimensions.ALIASES)
def test_an_alias_names_its_dimension(alias: str) -> None:
    assert parse_dimension(alias) == dimensions.ALIASES[alias]
    assert alias not in dimensions.LABELS


def test_the_order_of_a_rollup_cell_is_that_of_the_table() -> None:
    """Tuples are cast by place: another order would put teams under projects."""
    assert dimensions.CELL == (
        "project", "team", "business_unit", "use_case", "provider", "sku", "kind", "activity", "user",
    )  # fmt: skip
    assert dimensions.CELL[:-1] == dimensions.EXACT


def test_a_missing_value_has_one_label_everywhere() -> None:
    others = r"\(not attributed\)|\(unattributed\)|or \"\(none\)\""
    found = subprocess.run(
        ["git", "grep", "-nE", others, "--", *SHIPPED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_a_dimension_is_named_only_where_a_name_is_needed() -> None:
    named = "|".join(name for name in dimensions.OWNERS if "_" in name)  # others are ordinary words
    code = [f"{folder}/*.{suffix}" for folder in SHIPPED for suffix in ("py", "sql", "html", "js")]
    found = subprocess.run(
        ["git", "grep", "-lwE", named, "--", *code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert set(found.stdout.split()) == set(BY_NAME)
