"""Messy files: what a person would read is read, the rest is refused by name, and nothing vanishes."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.support.bills import LINE, bill
from tests.support.catalogs import catalog
from typer.testing import CliRunner

from outlay.bills import Bill, Key
from outlay.focus.bill_files import read_bill
from outlay.main import app
from outlay_ingest.domain.focus import read_focus
from outlay_ingest.domain.litellm import read_litellm
from outlay_ingest.domain.tables import Identities, read_mapping, read_rows
from outlay_pricer.domain import price
from outlay_reports.errors import QueryError
from outlay_reports.periods import parse_zone
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

MAP = {"source": "=v", "time": "at", "sku": "=m", "usage": {"calls": "n"}, "reported_cost": "usd"}
AT = "2026-11-24T00:00:00Z"


def one(**cells: object) -> UsageEvent | Invalid:
    (item,) = read_rows([{"at": AT, "n": "1", "usd": "", **cells}], read_mapping(MAP))
    return item.event


def charge(**cells: object) -> UsageEvent | Invalid:
    (item,) = read_focus([{**LINE, **cells}])
    assert item is not None
    return item.event


def run(*words: str) -> Any:
    return CliRunner().invoke(app, [*words, "--dry-run", "--json"])


def test_grouped_numbers_of_a_table_are_read() -> None:
    event = one(n="12,345", usd="$1,234.56")
    assert isinstance(event, UsageEvent)
    assert (event.usage, event.reported_cost) == ({"calls": 12345}, Decimal("1234.56"))


@pytest.mark.parametrize(
    ("cells", "path"),
    [
        ({"n": "#N/A"}, "$.n"), ({"usd": "#N/A"}, "$.usd"), ({"n": "many"}, "$.n"), ({"n": "-5"}, "$.n"),
        ({"usd": "€5"}, "$.usd"), ({"usd": "12,5"}, "$.usd"),
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_refused_by_name(cells: dict[str, str], path: str) -> None:
    refused = one(**cells)
    assert isinstance(refused, Invalid)
    assert (refused.code, refused.path) == ("wrong_type", path)


def test_a_bill_with_grouped_numbers_and_one_that_is_none() -> None:
    event = charge(EffectiveCost="1,234.50", ConsumedQuantity="12,345")
    assert isinstance(event, UsageEvent)
    assert (event.reported_cost, event.usage) == (Decimal("1234.5"), {"hours": 12345})
    for name in ("EffectiveCost", "ConsumedQuantity"):
        refused = charge(**{name: "n/a"})
        assert isinstance(refused, Invalid)
        assert refused.path == f"$.{name}"


def test_bigquerys_times_and_tags() -> None:
    tags = [{"key": "team", "value": "growth"}, {"key": "env", "value": "prod"}, {"key": "odd"}]
    event = charge(
        ChargePeriodStart="2026-11-01 00:00:00 UTC", BillingPeriodStart="2026-11-01 00:00:00 UTC", Tags=tags
    )
    assert isinstance(event, UsageEvent)
    assert event.time.isoformat() == "2026-11-01T00:00:00+00:00"
    assert (event.team, event.tags) == ("growth", {"env": "prod", "odd": ""})
    written = charge(Tags=json.dumps(tags))
    assert isinstance(written, UsageEvent)
    assert (written.team, written.tags) == (event.team, event.tags)


def test_a_line_of_nothing_costs_nothing_and_a_bill_counts_where_a_price_is_known() -> None:
    priced = catalog()
    free = charge(EffectiveCost="0")
    assert isinstance(free, UsageEvent)
    free.tenant = "acme"
    cost = price(free, priced)
    assert (cost.price_status, cost.cost) == ("reported", "0")
    plain = {name: value for name, value in free.attributes.items() if name != "reported_by"}
    free.attributes = plain
    assert price(free, priced).price_status == "unpriced"  # a gateway's 0 does not count as a price


@pytest.mark.parametrize("parts", ["files", "folder"])
def test_several_files_are_one_bill(tmp_path: Path, parts: str) -> None:
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / "part-0.csv").write_bytes(bill([LINE] * 2))
    (folder / "part-1.csv.gz").write_bytes(gzip.compress(bill([LINE] * 3)))
    words = [str(folder)] if parts == "folder" else [str(path) for path in sorted(folder.iterdir())]
    found = json.loads(run("import", "focus", *words).stdout)
    assert (found["sent"], found["reported"], found["refused"]) == (5, "5", 0)
    identities = Identities()
    found = [item for rows in ([LINE] * 2, [LINE] * 3) for item in read_focus(rows, identities=identities)]
    assert len({item.event.id for item in found if item and isinstance(item.event, UsageEvent)}) == 5
    lines, count = read_bill(folder, parse_zone("UTC"), {}, {})
    assert (count, sum(line.cost for line in lines)) == (5, 5 * 10**12)


def test_a_refusal_in_a_part_names_the_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    good.write_bytes(bill([LINE]))
    bad.write_bytes(bill([LINE, {**LINE, "EffectiveCost": "#N/A"}]))
    found = json.loads(run("import", "focus", str(good), str(bad)).stdout)
    assert [(r["place"], r["code"]) for r in found["reasons"]] == [("b.csv row 3", "wrong_type")]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_a_decimal_comma(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "bill.csv"
    file.write_bytes(bill([{**LINE, "EffectiveCost": "1.234,5", "BilledCost": "1.234,5"}], separator))
    found = json.loads(run("import", "focus", str(file), "--decimal", "comma").stdout)
    assert (found["sent"], found["reported"]) == (1, "1234.5")
    lines, _ = read_bill(file, parse_zone("UTC"), {}, {}, "comma")
    assert lines[0].cost == 1_234_500_000_000_000
    assert "give --decimal comma" in run("import", "focus", str(file)).stdout
    with pytest.raises(QueryError, match=r"line 2.*decimal comma"):
        read_bill(file, parse_zone("UTC"), {}, {})


def test_parquet_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "bill"
    parquet.write_table(
        pa.Table.from_pylist([{**LINE, "EffectiveCost": Decimal("2.5"), "Tags": [("team", "x")]}]), file
    )
    assert json.loads(run("import", "focus", str(file)).stdout)["reported"] == "2.5"
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        json.dumps(
            {**MAP, "time": "ChargePeriodStart", "usage": {"n": "=1"}, "reported_cost": "EffectiveCost"}
        )
    )
    assert json.loads(run("import", "csv", str(file), "--map", str(mapping)).stdout)["reported"] == "2.5"


def test_cells_that_are_not_those_of_the_header_are_refused(tmp_path: Path) -> None:
    table, mapping = tmp_path / "t.csv", tmp_path / "map.yaml"
    table.write_text(f"at,n,usd\n{AT},12,345,1\n{AT},1\n{AT},1,2\n")
    mapping.write_text(json.dumps(MAP))
    found = json.loads(run("import", "csv", str(table), "--map", str(mapping)).stdout)
    assert (found["sent"], found["refused"]) == (1, 2)
    assert all("more or fewer cells" in reason["message"] for reason in found["reasons"])


def test_reconcile_reads_amounts_as_people_write_them(tmp_path: Path) -> None:
    file = tmp_path / "bill.csv"
    file.write_text(
        'day,model,cost\n2026-11-24 00:00:00 UTC,m,"$1,234.56"\n2026-11-24,m,(4.56)\n2026-11-24,m,\n'
    )
    lines, _ = read_bill(file, parse_zone("UTC"), {}, {})
    assert [line.cost for line in lines] == [1_234_560_000_000_000, -4_560_000_000_000, 0]


@pytest.mark.parametrize("field", ["response_cost", "prompt_tokens"])
def test_litellms_numbers_that_are_none_are_refused(field: str) -> None:
    payload = {"id": "1", "model": "m", "endTime": AT, "prompt_tokens": 5, field: "#N/A"}
    (item,) = read_litellm(json.dumps(payload).encode())
    assert item is not None
    assert isinstance(item.event, Invalid)
    assert item.event.path == f"$.{field}"
    (item,) = read_litellm(json.dumps({**payload, field: "1,234"}).encode())
    assert item is not None
    assert isinstance(item.event, UsageEvent)
    assert item.event.usage["input_tokens"] == (1234 if field == "prompt_tokens" else 5)


def test_lines_that_left_a_bill_are_removed_but_not_where_others_cannot_be_read() -> None:
    whole = Bill()
    list(whole.noting(read_focus([LINE, {**LINE, "SkuId": "Q"}])))
    assert whole.keys == {Key("focus/AWS", "1", "2026-11")}
    assert whole.unreadable == 0
    broken = Bill()
    list(broken.noting(read_focus([{**LINE, "EffectiveCost": "#N/A"}, {**LINE, "BillingCurrency": "EUR"}])))
    assert broken.unreadable == 1
