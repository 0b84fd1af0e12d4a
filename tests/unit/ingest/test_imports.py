"""History from files: what each row becomes, and that a file imported twice counts once."""

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from outlay.main import app
from outlay_ingest.domain.focus import read_focus
from outlay_ingest.domain.litellm import read_litellm
from outlay_ingest.domain.tables import read_mapping, read_rows
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

GOLDEN = Path(__file__).parents[2] / "golden"
BILL = GOLDEN / "focus-1.2.csv"


def bill() -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(BILL.read_text())))


def events(rows: list[dict[str, Any]], cost: Any = "EffectiveCost") -> list[UsageEvent]:
    return [i.event for i in read_focus(rows, cost) if i is not None and isinstance(i.event, UsageEvent)]


def test_charges_of_focus() -> None:
    tokens, machine, twin, credit = events(bill())
    assert (tokens.kind, tokens.provider, tokens.sku, tokens.usage) == (
        "llm",
        "AWS",
        "7QXCZB",
        {"tokens": 4166666},
    )
    assert (tokens.team, tokens.project, tokens.tags) == ("growth", "assistant", {"cost-centre": "42"})
    assert tokens.reported_cost == Decimal("12.5")
    assert tokens.time.isoformat() == "2026-11-24T00:00:00+00:00"
    assert (machine.kind, machine.usage, machine.reported_cost) == ("compute", {"hours": 1}, Decimal("55.04"))
    assert machine.time == tokens.time
    assert machine.id != twin.id  # the same charge twice in a bill is two charges
    assert credit.reported_cost == -5
    assert [e.reported_cost for e in events(bill(), "BilledCost")][1] == Decimal("98.32")


def test_a_bill_that_comes_again_replaces_the_first() -> None:
    restated = [{**row, "EffectiveCost": "99", "BilledCost": "99"} for row in bill()]
    assert [e.id for e in events(restated)][:4] == [e.id for e in events(bill())]


def test_columns_of_focus_1_4_are_read_too() -> None:
    rows = bill()
    rows[0]["ServiceProviderName"] = rows[0].pop("ProviderName")
    assert events(rows)[0].provider == "AWS"


def test_other_currencies_and_charges_of_nothing() -> None:
    items = list(read_focus(bill()))
    assert items[5] is None
    euros = items[4]
    assert euros is not None
    assert isinstance(euros.event, Invalid)
    assert (euros.event.code, euros.place) == ("currency_unsupported", "row 6")
    assert json.loads(euros.raw())["BillingCurrency"] == "EUR"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["import", *arguments, "--dry-run", "--json"])


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_bill_may_be_csv_packed_csv_or_parquet(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"bill{suffix}"
    if suffix == ".parquet":
        rows = [{**row, "EffectiveCost": Decimal(row["EffectiveCost"])} for row in bill()]
        parquet.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_bytes(gzip.compress(BILL.read_bytes()) if suffix == ".csv.gz" else BILL.read_bytes())
    result = run("focus", str(file))
    answered = json.loads(result.stdout)
    assert result.exit_code == 1  # a row is refused
    assert (answered["sent"], answered["refused"], answered["ignored"]) == (3, 2, 1)
    assert Decimal(answered["reported"]) == Decimal("122.58")
    assert (float(answered["credits"]), answered["credit_rows"]) == (-5, 1)


MAP = {
    "source": "=vendor", "id": "ref", "time": "when", "sku": "machine", "kind": "=compute", "provider": "=aws",
    "usage": {"compute_seconds": "secs"}, "team": "dept", "tags": {"env": "stage"}, "reported_cost": "usd",
    "time_format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin",
}  # fmt: skip
ROW = {"ref": "7", "when": "24.11.2026 13:30", "machine": "p5.48xlarge", "secs": "12.5", "dept": "ml", "stage": "prod",
       "usd": "0.1"}  # fmt: skip


def test_any_table_by_a_mapping() -> None:
    (item,) = read_rows([ROW], read_mapping(MAP))
    assert isinstance(item.event, UsageEvent)
    event = item.event
    assert (event.id, event.source, event.kind, event.provider, event.team) == (
        "7",
        "vendor",
        "compute",
        "aws",
        "ml",
    )
    assert event.usage == {"compute_seconds": Decimal("12.5")}
    assert event.time.isoformat() == "2026-11-24T13:30:00+01:00"
    assert (event.tags, event.reported_cost) == ({"env": "prod"}, Decimal("0.1"))


def test_rows_without_an_id_have_one_of_their_content() -> None:
    mapping = read_mapping({**MAP, "id": None})
    first = [i.event for i in read_rows([ROW, ROW, {**ROW, "secs": "13"}], mapping)]
    again = [i.event for i in read_rows([ROW, ROW, {**ROW, "secs": "13"}], mapping)]
    ids = [event.id for event in first if isinstance(event, UsageEvent)]
    assert len(set(ids)) == 3
    assert ids == [event.id for event in again if isinstance(event, UsageEvent)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"team": "nowhere"}, "missing_field"),
        ({"kind": "machine"}, "wrong_type"),
        ({"time_format": "%Y"}, "wrong_type"),
        ({"time_format": None}, "wrong_type"),
    ],
)
def test_rows_that_do_not_fit(change: dict[str, Any], code: str) -> None:
    (item,) = read_rows([ROW], read_mapping({**MAP, **change}))
    assert isinstance(item.event, Invalid)
    assert (item.event.code, item.place) == (code, "row 2")


@pytest.mark.parametrize("change", [{"usage": {}}, {"colour": "x"}, {"time_zone": "Mars/Base"}, {"sku": 7}])
def test_mappings_that_are_none(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="mapping_invalid"):
        read_mapping({**MAP, **change})


def test_the_command_reads_mapping_and_table(tmp_path: Path) -> None:
    mapping, table = tmp_path / "map.yaml", tmp_path / "t.csv"
    mapping.write_text(json.dumps(MAP))
    table.write_text("\ufeff" + ",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n", encoding="utf-8")
    answered = json.loads(run("csv", str(table), "--map", str(mapping)).stdout)
    assert (answered["sent"], answered["refused"], answered["reported"]) == (1, 0, "0.1")
    mapping.write_text("usage: {}")
    assert run("csv", str(table), "--map", str(mapping)).exit_code == 1
    table.write_bytes(b"a,b\n\xff\xff,1\n")
    mapping.write_text(json.dumps(MAP))
    assert run("csv", str(table), "--map", str(mapping)).exit_code == 1


def test_logs_of_litellm_whole_or_line_by_line(tmp_path: Path) -> None:
    payloads = json.loads((GOLDEN / "litellm-1.110.2-generic-api.json").read_text())
    forms = {
        "array": json.dumps(payloads),
        "lines": "\n".join(json.dumps(p) for p in payloads),
        "pretty": json.dumps(payloads[0], indent=1),
    }
    for name, text in forms.items():
        file = tmp_path / name
        file.write_text(text)
        answered = json.loads(run("litellm", str(file)).stdout)
        assert answered["sent"] == (1 if name == "pretty" else 3), name
    (tmp_path / "bad").write_text("[")
    assert run("litellm", str(tmp_path / "bad")).exit_code == 1


def test_rows_of_litellms_spend_logs() -> None:
    row = {
        "request_id": "chatcmpl-1", "call_type": "acompletion", "spend": 0.00123, "total_tokens": 30,
        "prompt_tokens": 10, "completion_tokens": 20, "startTime": "2026-11-24T00:00:00Z",
        "endTime": "2026-11-24T00:00:01.5Z", "model": "gpt-4o-mini", "custom_llm_provider": "openai", "user": "u-1",
        "team_id": "t-1", "cache_hit": "False", "request_tags": '["env:prod"]', "end_user": "acme-ltd",
        "metadata": '{"user_api_key_alias": "k"}',
    }  # fmt: skip
    tagged = {**row, "request_tags": '["customer:globex"]'}
    items = list(read_litellm(json.dumps([row, {**row, "cache_hit": "True"}, tagged]).encode()))
    assert items[1] is None
    assert items[0] is not None
    assert items[2] is not None
    event, other = items[0].event, items[2].event
    assert isinstance(event, UsageEvent)
    assert (event.team, event.user, event.tags, event.reported_cost) == (
        "t-1", "u-1", {"customer": "acme-ltd", "env": "prod"}, Decimal("0.00123"),
    )  # fmt: skip
    assert isinstance(other, UsageEvent)
    assert other.tags == {"customer": "globex"}, "a tag that the caller chose says more than the end user"


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + bytes(range(256)) * 50, b"PAR1" + b"\0" * 500, b"\x7fELF" + b"\n" * 900 + b"\0",
        "id,time\n1,2".encode("utf-16"), b"id,name\n1,caf\xe9\n",
        gzip.compress(b"\0\1\2" * 500, mtime=0), b"\x1f\x8bbroken",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["csv", "focus", "litellm"])
def test_a_file_that_is_no_text_is_one_error(tmp_path: Path, command: str, content: bytes) -> None:
    file, mapping = tmp_path / "bill.csv", tmp_path / "mapping.yaml"
    file.write_bytes(content)
    mapping.write_text("{source: =x, time: time, sku: =m, kind: =custom, usage: {gb: id}}")
    more = ["--map", str(mapping)] if command == "csv" else []
    result = CliRunner().invoke(app, ["import", command, str(file), *more, "--dry-run"])
    assert result.exit_code == 1
    assert len([line for line in result.stderr.splitlines() if "bill.csv" in line]) == 1
    assert "would send" not in result.stdout


def test_text_with_signs_cut_at_the_edge_of_the_look_is_text(tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    file.write_bytes(b"[" + b" " * 65_534 + "\u00e9".encode())
    result = CliRunner().invoke(app, ["import", "litellm", str(file), "--dry-run"])
    assert "no text" not in result.stderr
