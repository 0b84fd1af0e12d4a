"""What an alert says of its amounts: a lower bound is marked as one, and shares are of one read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from itertools import pairwise

import msgspec
import pytest
from PIL import Image
from tests.support.ledger import cost_event, write
from tests.support.rollup_rows import NOW

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.chart import budget_course, draw
from outlay_alerter.rules.watch import Watch
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange
from outlay_reports.alert_text import incident_text
from outlay_reports.cost_query import Amount
from outlay_schemas.alerts import Alert, Contributor, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import AlertRule, Budget, Burn, NewSpender, SpendSpike, Threshold
from outlay_schemas.money import to_usd

pytestmark = pytest.mark.stack

LATELY = NOW - timedelta(minutes=3)
BUDGET = Budget(
    id="b", name="B", tenant="*", amount=Decimal(100), thresholds=(Decimal(50),),
    forecast_thresholds=(Decimal(10),), burn=(Burn(hours=Decimal(1), rate=Decimal(2)),),
)  # fmt: skip
RULES: Sequence[AlertRule] = (
    SpendSpike(id="s", name="S", group_by=("team",), grain="minute"),
    Threshold(id="t", name="T", metric="cost", grain="minute", above=Decimal(10)),
    Threshold(id="e", name="E", metric="cost_per_event", grain="minute", above=Decimal("0.1"), min_events=1),
    NewSpender(id="n", name="N", group_by=("sku",), days=7),
)


class LateEvents(RollupReader):
    """Something happens between the read of the totals and the read of the contributors."""

    def __init__(self, clickhouse: ClickHouseClient, happens: Callable[[], None]) -> None:
        super().__init__(clickhouse)
        self._happens = happens

    def contributors(
        self, watch: Watch, span: TimeRange, scope: Mapping[str, Sequence[str]], amount: Amount
    ) -> tuple[list[Contributor], int]:
        self._happens()
        return super().contributors(watch, span, scope, amount)


def alerts_of(
    clickhouse: ClickHouseClient,
    rollups: RollupReader,
    budgets: Sequence[Budget],
    rules: Sequence[AlertRule] = (),
) -> dict[str, Alert]:
    """Evaluate once at NOW, and return what fires by rule and level."""
    catalog = Catalog(revision=1, created_at=NOW, budgets=tuple(budgets), rules=tuple(rules))
    Alerter(
        rollups, Store(clickhouse), FakeClock(NOW), watchlist=lambda: Watchlist(catalog), channels=("bus",)
    ).evaluate_all()
    rows = clickhouse.rows("SELECT body FROM alerts FINAL WHERE state = 'firing'")
    found = [alert_decoder.decode(row["body"]) for row in rows]
    return {f"{one.rule} {one.level}": one for one in found}


@pytest.mark.parametrize("unpriced", [0, 3])
def test_every_alert_about_money_that_lacks_unpriced_events_is_marked_and_explained(
    house: ClickHouseSettings, clickhouse: ClickHouseClient, unpriced: int
) -> None:
    before = [cost_event("acme", n, NOW - timedelta(hours=n), "0.01") for n in range(1, 24 * 10)]
    before += [cost_event("acme", 500 + n, NOW - timedelta(minutes=n), "0.01") for n in range(4, 60)]
    burst = [cost_event("acme", 1000 + n, LATELY, "1", user="u-2", sku="gpt-6") for n in range(60)]
    missing = [cost_event("acme", 2000 + n, LATELY, None, user="u-2", sku="gpt-6") for n in range(unpriced)]
    write(house, [*before, *burst, *missing])
    found = alerts_of(clickhouse, RollupReader(clickhouse), [BUDGET], RULES)
    wanted = {"b 50", "b forecast-10", "b burn-1h", "s spike", "t above", "e above", "n new"}
    assert {name for name in found if "gpt-5" not in found[name].title} == wanted
    for name in wanted:
        alert = found[name]
        shown = incident_text([msgspec.structs.replace(alert, incident=None)])
        assert alert.unpriced == unpriced, name
        for text in (shown.title, shown.amounts):
            assert ("≥ " in text) == bool(unpriced), (name, text)
        said = dict(shown.facts).get("Unpriced", "")
        assert said == ("3 events: the amounts are lower bounds" if unpriced else ""), name
        values = {value: text for one in shown.top if one.dimension == "user" for value, text in one.values}
        assert not values or values["u-2"].startswith("u-2 ≥ $60.00" if unpriced else "u-2 $60.00"), name
        assert "≥" not in values.get("u-1", "")


def test_shares_are_of_what_was_spent_when_the_contributors_were_read(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    """Otherwise what came after the read of the total would make shares of more than all."""
    write(house, [cost_event("acme", n, LATELY, "1", user="u-1") for n in range(90)])
    late = [cost_event("acme", 1000 + n, LATELY, "1", user="u-2") for n in range(30)]
    alert = alerts_of(clickhouse, LateEvents(clickhouse, lambda: write(house, late)), [BUDGET])["b 50"]
    assert (alert.actual, alert.contributors_total) == ("90", "120")
    shown = incident_text([alert])
    (users,) = (text for name, text in shown.contributors if name == "User")
    assert users == "u-1 $90.00 (75%), u-2 $30.00 (25%)"
    assert dict(shown.facts)["Shares"] == "of $120.00, the spend when they were calculated"


def test_the_chart_of_a_budget_is_what_was_spent_by_then_against_the_limit(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    rollups = RollupReader(clickhouse)
    spent = [cost_event("acme", n, LATELY - timedelta(days=n), f"{n + 1}", user="u-1") for n in range(12)]
    write(house, [*spent, cost_event("acme", 99, LATELY, "9", user="u-2")])
    budget = BUDGET.model_copy(update={"scope": {"user": ("u-1",)}, "timezone": "America/New_York"})
    alert = alerts_of(clickhouse, rollups, [budget])["b 50"]
    found = budget_course(rollups, alert, "user u-1")
    assert found.start == alert.window, "its first day begins at its own midnight"
    assert (found.expected, found.line) == (50 * 10**12, "50%: $50.00")
    assert to_usd(found.costs[-1]) == alert.actual == "78"
    grown = [later - earlier for earlier, later in pairwise(found.costs)]
    assert [cost // 10**12 for cost in grown[-12:]] == [*range(12, 0, -1)]
    crossed = next(n for n, cost in enumerate(found.costs) if cost >= 50 * 10**12)
    assert found.since is not None
    assert found.start + found.step * crossed - found.since < found.step
    image = Image.open(BytesIO(draw(found))).convert("RGB")
    assert {(0xD0, 0x40, 0x2B), (0x2E, 0x7D, 0x32)} <= {
        colour for _, colour in image.getcolors(100_000) or []
    }


def test_shares_and_the_chart_of_a_budget_of_charges_are_of_charges(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    write(house, [cost_event("acme", n, LATELY, "1", charged="1.5") for n in range(90)])
    budget = BUDGET.model_copy(update={"counts": "charged"})
    alert = alerts_of(clickhouse, RollupReader(clickhouse), [budget])["b 50"]
    assert to_usd(budget_course(RollupReader(clickhouse), alert, "").costs[-1]) == alert.actual
    assert alert.actual == alert.contributors_total == "135"
    assert [one.cost for one in alert.contributors if one.dimension == "user"] == ["135"]
    assert "Shares" not in dict(incident_text([alert]).facts)
