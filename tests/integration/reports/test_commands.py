"""The commands as a user has them: what they print adds up, and what cannot be answered ends with what to do."""

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.ledger import cost_event, write
from tests.support.receiver import receiving
from tests.support.stack import Stack
from typer.testing import CliRunner, Result

from outlay.catalog import load_default
from outlay.catalog.publish import publish
from outlay.main import app
from outlay_kit.clock import SystemClock
from outlay_kit.topics import create_topics
from outlay_schemas import topics
from outlay_schemas.catalog import Match, Share, Split
from outlay_schemas.catalog.terms import FxRate
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import CostEvent
from outlay_schemas.money import to_usd

pytestmark = pytest.mark.stack

TENANT = "commands"
Run = Callable[..., Result]
DAYS = 45
OWNERS = (("growth", "consumer", "gpt-5"), ("platform", "engineering", "gpt-5-mini"))


def history(now: datetime) -> list[CostEvent]:
    """Return weeks of hourly costs, busier by day, with a shared cluster and one unpriced call a day."""
    found = []
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    for hour in range(DAYS * 24):
        at = start + timedelta(hours=hour, minutes=7)
        busy = 3 if 8 <= at.hour < 18 and at.weekday() < 5 else 1
        for n, (team, unit, sku) in enumerate(
            (("growth", "consumer", "gpt-5"), ("platform", "engineering", "gpt-5-mini"))
        ):
            number = 10 * hour + n
            found.append(
                cost_event(
                    TENANT, number, at, to_usd(busy * (n + 1) * 10**11 + number), team=team, unit=unit, sku=sku,
                    tokens=1000 * busy + n,
                )
            )  # fmt: skip
        if hour % 24 == 0:
            found.append(cost_event(TENANT, 10 * hour + 8, at, None, team="", unit="", sku="mystery"))
            shared = cost_event(TENANT, 10 * hour + 9, at, "1.000000000001", team="", unit="", sku="cluster")
            shared.project = "shared-cluster"
            found.append(shared)
    return found


@pytest.fixture(scope="module")
def events(ledger_stack: Stack) -> list[CostEvent]:
    clock = SystemClock()
    found = history(clock.now())
    write(ledger_stack.writer, found)
    create_topics(ledger_stack.kafka, topics.ALL)
    shares = (Share(sets={"team": "growth"}), Share(sets={"team": "platform"}))
    split = Split(id="cluster", match=Match(project=("shared-cluster",)), method="even", shares=shares)
    budget = Budget(id="all", name="All AI", tenant=TENANT, amount=Decimal(100))
    change = (clock.now() - timedelta(days=20)).replace(minute=30)
    fx = (
        FxRate.model_validate({"currency": "XTS", "usd": "1.10", "to": change}),
        FxRate.model_validate({"currency": "XTS", "usd": "1.17", "from": change}),
        FxRate.model_validate({"currency": "XBA", "usd": "2", "from": change}),
    )
    plain = load_default()
    content = plain.model_copy(update={"splits": (split,), "budgets": (budget,), "fx": (*plain.fx, *fx)})
    publish(ledger_stack.kafka, content, clock)
    return found


@pytest.fixture
def run(ledger_stack: Stack, events: list[CostEvent], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in {**ledger_stack.environment, "OUTLAY_TENANT": TENANT, "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    runner = CliRunner()

    def call(*words: str, code: int = 0) -> Result:
        result = runner.invoke(app, list(words), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of the commands: a forecast made a second later has less of the period left to expect."""
    now = SystemClock().now()
    monkeypatch.setattr(SystemClock, "now", lambda self: now)


def cost(events: list[CostEvent], **wanted: str) -> Decimal:
    some = [e for e in events if all(getattr(e, name) == value for name, value in wanted.items())]
    return sum((Decimal(e.cost or 0) for e in some), Decimal(0))


def test_showback_is_the_same_in_every_format(run: Run, events: list[CostEvent]) -> None:
    words = ("report", "showback", "--by", "business_unit,team", "--from", "61d")
    found = json.loads(run(*words, "--json").stdout)
    assert Decimal(found["total"]["cost_usd"]) == cost(events)
    rows = list(csv.DictReader(io.StringIO(run(*words, "--format", "csv").stdout)))
    assert sum(Decimal(row["cost_usd"]) for row in rows) == cost(events)
    assert {row["team"]: Decimal(row["cost_usd"]) for row in rows}["growth"] == cost(events, team="growth")
    table = run(*words).stdout
    assert "(unassigned)" in table
    assert f"{DAYS} events unpriced" in table
    assert "| **total** |" in run(*words, "--format", "markdown").stdout


def test_shared_costs_are_shown_apart_from_own_ones(run: Run, events: list[CostEvent]) -> None:
    words = ("report", "showback", "--by", "team", "--allocate", "--from", "61d", "--json")
    found = json.loads(run(*words).stdout)
    assert Decimal(found["total"]["cost_usd"]) == cost(events)
    assert Decimal(found["total"]["shared_usd"]) == cost(events, sku="cluster")
    assert {row["team"] for row in found["rows"] if Decimal(row["shared_usd"])} == {"growth", "platform"}


def test_units_and_drill_down(run: Run, events: list[CostEvent]) -> None:
    words = ("report", "showback", "--by", "user", "--where", "team=growth", "--from", "61d", "--json")
    (row,) = json.loads(run(*words, "--units").stdout)["rows"]
    assert Decimal(row["cost_usd"]) == cost(events, team="growth")
    assert row["users"] == 1
    assert Decimal(row["usd_per_user"]) == cost(events, team="growth")


def test_top_trend_and_compare_add_up(run: Run, events: list[CostEvent], tmp_path: Path) -> None:
    top = json.loads(run("report", "top", "--limit", "1", "--from", "61d", "--json").stdout)
    assert sum(Decimal(row["cost_usd"]) for row in top["rows"]) == cost(events)
    picture = tmp_path / "trend.svg"
    words = ("report", "trend", "--from", "61d", "--by", "team", "--tz", "Asia/Kolkata")
    trend = json.loads(run(*words, "--json").stdout)
    assert sum(Decimal(row["cost_usd"]) for row in trend["rows"]) == cost(events)
    assert "growth" in run(*words, "--picture", str(picture)).stdout
    assert picture.read_text().startswith("<svg")
    compared = json.loads(run("report", "compare", "--from", "20d", "--by", "team,model", "--json").stdout)
    for row in [*compared["rows"], compared["total"]]:
        effects = sum(Decimal(row[f"{name}_usd"]) for name in ("price", "volume", "mix", "new", "gone"))
        assert effects == Decimal(row["change_usd"])
    assert "Day of the week" in run("report", "patterns", "--picture", str(picture)).stdout
    assert "Hour of the day" in picture.read_text()


# The next two export months that the one after them closes: a closed month stays in USD.


@pytest.mark.parametrize("grain", ["hour", "day"])
def test_an_export_in_another_currency_adds_up_to_the_report(
    run: Run, events: list[CostEvent], tmp_path: Path, grain: str
) -> None:
    file = tmp_path / "focus.csv"
    run("export", "focus", "--from", "61d", "--grain", grain, "--currency", "xts", "-o", str(file))
    rows = list(csv.DictReader(file.read_text().splitlines()))
    total = json.loads(run("report", "showback", "--from", "61d", "--currency", "XTS", "--json").stdout)[
        "total"
    ]
    # Each row, here and there, is rounded once.
    assert abs(sum(Decimal(row["BilledCost"]) for row in rows) - Decimal(total["cost_xts"])) < len(
        rows
    ) * Decimal("1e-12")
    assert sum(Decimal(row["PricingCurrencyEffectiveCost"]) for row in rows) == cost(events)
    assert {(row["BillingCurrency"], row["PricingCurrency"]) for row in rows} == {("XTS", "USD")}


def test_an_export_without_a_rate_writes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "focus.csv"
    words = ("export", "focus", "--from", "61d", "--currency", "XBA")
    for more in ((), ("-o", str(file))):
        refused = run(*words, *more, code=1)
        assert "no exchange rate for XBA from" in refused.stderr
        assert "fx.yaml" in refused.stderr
        assert refused.stdout == ""
    assert not file.exists()
    assert (
        "the catalog has no exchange rate for" in run("export", "focus", "--currency", "ABC", code=1).stderr
    )


def test_a_month_is_charged_back_with_its_shared_costs_and_closed_once(
    run: Run, events: list[CostEvent], tmp_path: Path
) -> None:
    month = f"{(SystemClock().now().replace(day=1) - timedelta(days=1)):%Y-%m}"
    words = ("report", "chargeback", "--month", month)
    found = json.loads(run(*words, "--json").stdout)
    whole = sum((Decimal(e.cost or 0) for e in events if f"{e.time:%Y-%m}" == month), Decimal(0))
    assert (
        sum(Decimal(row["cost_usd"]) for row in found["rows"]) == whole == Decimal(found["total"]["cost_usd"])
    )
    assert {row["business_unit"] for row in found["rows"] if row["line"] == "shared"} == {
        "consumer",
        "engineering",
    }
    assert "closed" in run(*words, "--close", "--note", "agreed").stdout
    assert "nothing has changed since" in run(*words, "--close").stderr
    message = run("report", "showback", "--from", month, "--to", month).stdout
    assert f"{month} UTC was closed on" in message
    assert f"{month} UTC (here in part) was closed on" in run("report", "top", "--from", f"{month}-15").stdout
    assert "it is closed in UTC: see --tz" in run(*words, "--tz", "Asia/Kolkata").stdout
    assert "closed with lines of 3 dimensions" in run(*words, "--lines", "team", code=1).stderr
    run(*words, "--each", str(tmp_path / "statements"))
    assert sorted(path.suffix for path in (tmp_path / "statements").iterdir()) == [".csv"] * 4 + [".html"] * 4
    assert "has not ended" in run("report", "chargeback", "--close", code=1).stderr
    assert run(*words, "--format", "html").stdout.startswith("<!doctype html>")


@pytest.mark.usefixtures("still")
def test_a_forecast_of_the_ledger_is_coherent_and_says_when_budgets_break(run: Run) -> None:
    words = ("forecast", "--by", "team", "--horizon", "7", "--totals")
    lines = [json.loads(line) for line in run(*words).stdout.splitlines()]
    totals = {line["timestamp"]: line["mean"] for line in lines if "team" not in line}
    assert len(totals) == 7
    for at, mean in totals.items():
        assert mean == pytest.approx(
            sum(x["mean"] for x in lines if x["timestamp"] == at and "team" in x), abs=1e-6
        )
    assert all(line["lower95"] <= line["lower80"] <= line["upper80"] <= line["upper95"] for line in lines)
    summary = run("forecast", "--summary").stdout
    assert "expected at the end" in summary
    assert "All AI" in summary
    assert "growth a day" in run("forecast", "--meter", "input_tokens", "--full", "1e9").stdout
    assert (
        "gpu_seconds has less than one whole day of history" in run("forecast", "--gpus", "8", code=1).stderr
    )
    assert run("forecast").stdout == summary, "in a pipe as on a terminal"
    both = json.loads(run("forecast", "--json").stdout)
    assert both["month"]["rows"]
    assert 0 <= float(both["budgets"]["rows"][0]["probability"]) <= 1
    half = [
        json.loads(line)
        for line in run("forecast", "--horizon", "2", "--what-if", "price=-50%").stdout.splitlines()
    ]
    full = [json.loads(line) for line in run("forecast", "--horizon", "2").stdout.splitlines()]
    assert half[1]["mean"] == pytest.approx(full[1]["mean"] / 2, rel=1e-6)
    assert full[0]["mean"] / 2 < half[0]["mean"] <= full[0]["mean"], "what is spent of today is spent"
    moved = [
        json.loads(line)
        for line in run(
            "forecast", "--horizon", "2", "--what-if", "gpt-5>gpt-5-nano=100%"
        ).stdout.splitlines()
    ]
    assert 0 < moved[1]["mean"] < full[1]["mean"]


def test_our_own_export_reconciles_with_the_ledger_and_a_changed_one_does_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill = tmp_path / "bill.csv"
    run("export", "focus", "--from", "20d", "--to", "2d", "-o", str(bill))
    lines = bill.read_text().splitlines()
    names = lines[0].split(",")
    rows = list(csv.DictReader(lines))
    days = sorted({row["ChargePeriodStart"][:10] for row in rows})[1:-1]  # the first and the last are parts
    rows = [row for row in rows if row["ChargePeriodStart"][:10] in days]
    _write(bill, names, rows)
    assert "the ledger is off by 0% of the bill" in run("reconcile", str(bill)).stdout
    for row in rows:
        row["BilledCost"] = str(Decimal(row["BilledCost"]) * Decimal("1.05"))
    _write(bill, names, rows)
    assert "+4.8%" in run("reconcile", str(bill), code=1).stdout
    assert "+4.8%" in run("reconcile", str(bill), "--tolerance", "6").stdout
    assert 'unknown channel "ops"' in run("reconcile", str(bill), "--notify", "ops", code=1).stderr
    with receiving() as receiver:
        monkeypatch.setenv("OUTLAY_ALERTER_SLACK_URL", receiver.url)
        monkeypatch.setenv("OUTLAY_ALERTER_ALLOW_NETWORKS", "127.0.0.0/8")
        run("reconcile", str(bill), "--notify", "slack", code=1)
        run("reconcile", str(bill), "--notify", "slack", "--tolerance", "6")
    assert len(receiver.got) == 1
    assert "bill.csv is +4.8% off the ledger" in str(receiver.got[0])


def test_an_export_cuts_shared_costs_up_and_adds_up(
    run: Run, events: list[CostEvent], tmp_path: Path
) -> None:
    file = tmp_path / "focus.csv"
    words = ("export", "focus", "--from", "61d", "--grain", "day", "--allocate", "-o", str(file))
    assert "no columns for allocated costs" in run(*words, code=1).stderr
    run(*words, "--version", "1.4")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == cost(events)
    shared = [row for row in rows if row["AllocatedMethodId"] == "cluster"]
    assert sum(Decimal(row["BilledCost"]) for row in shared) == cost(events, sku="cluster")
    assert {row["AllocatedResourceId"] for row in shared} == {"consumer/growth", "engineering/platform"}


def _write(path: Path, names: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def test_opportunities_name_what_they_were_found_in(run: Run, events: list[CostEvent]) -> None:
    found = json.loads(run("opportunities", "--from", "20d", "--least", "0", "--json").stdout)
    smaller = next(row for row in found["rows"] if row["kind"] == "smaller model" and row["sku"] == "gpt-5")
    source, _, name = smaller["example"].partition("#")
    assert any(event.source == source and event.id == name and event.sku == "gpt-5" for event in events)
    run("opportunities", "--dismiss", smaller["id"], "--reason", "tried")
    words = ("opportunities", "--from", "20d", "--least", "0", "--json")
    assert smaller["id"] not in {row["id"] for row in json.loads(run(*words).stdout)["rows"]}
    assert smaller["id"] in {row["id"] for row in json.loads(run(*words, "--dismissed").stdout)["rows"]}
    run("opportunities", "--restore", smaller["id"])
    run("opportunities", "--set", smaller["id"], "--status", "planned", "--owner", "kim", "--effort", "low")
    run("opportunities", "--set", smaller["id"], "--effort", "high")
    answer = json.loads(run(*words).stdout)
    planned = next(row for row in answer["rows"] if row["id"] == smaller["id"])
    assert (planned["status"], planned["owner"], planned["effort"]) == ("planned", "kim", "high")
    assert any("together at least" in note for note in answer["notes"])
    assert "--set ID" in run("opportunities", "--status", "done", code=1).stderr
    run("opportunities", "--set", smaller["id"], "--status", "open", "--owner", "", "--effort", "")
    assert smaller["id"] in {row["id"] for row in json.loads(run(*words).stdout)["rows"]}


def test_a_note_is_written_for_a_tenant_under_who_runs_the_command(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_ACTOR", "deploy-bot")
    answer = run("note", "new model", "--at", "2026-11-24T10:30:00+01:00", "--tenant", TENANT).stdout
    assert f"noted at 2026-11-24 09:30 UTC for {TENANT}" in answer
    sql = "SELECT tenant, toString(at) AS at, text, author FROM notes FINAL"
    (row,) = json.loads(run("query", sql, "--json").stdout)
    assert row == {"tenant": TENANT, "at": "2026-11-24 09:30:00", "text": "new model", "author": "deploy-bot"}
    assert "Say in the note what happened" in run("note", " ", "--tenant", TENANT, code=1).stderr
    assert "one line" in run("note", "a\nb", "--tenant", TENANT, code=1).stderr


@pytest.mark.usefixtures("still")
def test_a_week_is_reviewed_on_a_page(run: Run, events: list[CostEvent], tmp_path: Path) -> None:
    page = tmp_path / "week.html"
    run("review", "-o", str(page))
    text = page.read_text()
    assert "<svg" in text
    assert text.count("<h2>") >= 7
    markdown = run("review", "--no-savings").stdout
    assert run("review", "--week", "--no-savings").stdout == markdown
    assert run("review", "--week", "2026-01-07", "--no-savings").stdout.startswith(
        "# AI costs in the week of 2026-01-05"
    )
    assert "## Forecast for the month" in markdown
    assert "unpriced events | 7 " in markdown
    assert "not a valid day" in run("review", "--week", "47", code=1).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("report", "showback", "--by", "colour"), "not a dimension"),
        (("report", "top", "--from", "soon"), "is not a time"),
        (("report", "trend", "--tz", "Mars/Olympus"), "is not a time zone"),
        (("report", "compare", "--where", "team"), "not a condition"),
        (("report", "chargeback", "--month", "november"), "is not a month"),
        (("report", "trend", "--from", "2026-11-02", "--to", "2026-11-01"), "empty"),
        (("forecast", "--series", "no-such-file.csv"), "not a file"),
        (("forecast", "--freq", "fortnight"), "is not valid for costs"),
        (("forecast", "--what-if", "price"), "is not an assumption"),
        (("forecast", "--horizon", "1", "--what-if", "gpt-5>gpt-5-nanno=50%"), "gpt-5-nanno has no price"),
        (("reconcile", "no-such-file.csv"), "not a file"),
        (("report", "showback", "--where", "team=grwoth"), 'unknown team "grwoth" Fix: did you mean "growth"?'),
        (("report", "trend", "--where", "model=gpt-5-mni"), 'did you mean "gpt-5-mini"?'),
        (("forecast", "--where", "team=grwoth"), 'did you mean "growth"?'),
        (("report", "top", "--tenant", "comands"), 'unknown tenant "comands" Fix: did you mean "commands"?'),
        (("budgets", "--tenant", "comands"), 'did you mean "commands"?'),
        (("audit", "--no-kafka", "--tenant", "comands"), 'did you mean "commands"?'),
        (("rebuild", "--dry-run", "--tenant", "comands"), 'did you mean "commands"?'),
        (("alerts", "backtest", "--rule", "all", "--tenant", "comands"), 'did you mean "commands"?'),
        (("alerts", "backtest", "--rule", "al"), 'unknown rule or budget "al"'),
        (("report", "top", "-o", "top.xlsx"), "does not write .xlsx"),
        (("report", "trend", "--picture", "trend.png"), "charts are SVG"),
        (("export", "focus", "-o", "november.xlsx"), ".csv or .parquet"),
        (("opportunities", "--dismiss", "zzz"), 'unknown opportunity "zzz"'),
        (("opportunities", "--restore", "zzz"), 'unknown dismissed opportunity "zzz"'),
        (("explain", "nosuch"), 'no event in the ledger has the id "nosuch"'),
        (("alerts", "ack", "nosuch"), 'no open alert starts with "nosuch"'),
        (("alerts", "snooze", "nosuch"), 'unknown alert, rule or budget "nosuch"'),
        (("alerts", "test", "nosuch"), 'unknown channel "nosuch"'),
        (("dead-letters", "show", "nosuch"), 'no dead letter "nosuch"'),
        (("dead-letters", "list", "--tenant", "comands"), 'did you mean "commands"?'),
        (("query", "SELECT model FROM costs"), 'did you mean "sku"?'),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_ends_with_what_to_do(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run(*words, code=1)
    assert message in result.stderr.replace("\n", " ")
    assert "Fix:" in result.stderr
    assert "Traceback" not in result.output


def test_an_empty_time_says_so(run: Run) -> None:
    assert (
        "no spend in this period"
        in run("report", "showback", "--from", "2001-01-01", "--to", "2001-01-02").stdout
    )
    assert json.loads(run("report", "top", "--from", "2001-01", "--json").stdout)["rows"] == []
