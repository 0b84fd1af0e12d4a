"""Re-pricing: the ledger gives back what was sent, and only what differs is written again."""

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.support.aggregator_rig import NOW
from tests.support.catalogs import PLAIN, book, catalog, event, model, rates, rule
from tests.support.fake_broker import FakeBroker, FakeSink

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.repricing import differs, reprice, usage_of
from outlay_pricer.ledger import LedgerReader
from outlay_pricer.repricing.catalog_archiver import CatalogArchiver
from outlay_schemas.catalog import decode_catalog
from outlay_schemas.events import CostEvent, cost_event_decoder

NAMES = some.sampled_from([None, "", "growth", "grwth", "search"])
QUANTITIES = some.integers(0, 10**9) | some.decimals(0, 10**6, places=9, allow_nan=False)
PARTS: dict[str, Any] = {
    "owners": [
        {"key": "user", "value": "growth", "sets": {"team": "search"}},
        {"key": "team", "value": "search", "sets": {"business_unit": "core"}},
    ],
    "aliases": [
        {"dimension": "team", "name": "growth", "aliases": ["grwth"]},
        {"dimension": "sku", "name": "plain", "aliases": "house"},
    ],
    "defaults": [{"sets": {"project": "misc"}}],
    "virtual_tags": [{"id": "v", "match": {"team": "growth"}, "sets": {"use_case": "chat"}}],
    "required_tags": [{"require": ["team", "tags.env"]}],
    "price_books": [book(rule({"gb": {"price": "0.09"}}, "*"))],
    "negotiated": [{"id": "edp", "match": {"provider": "acme"}, "discount_percent": "7.5"}],
}
READY = catalog(**PARTS)
GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())


@given(
    usage=some.dictionaries(
        some.sampled_from(["input_tokens", "gb", "crates"]), QUANTITIES, min_size=1
    ).filter(lambda usage: not isinstance(usage.get("input_tokens"), Decimal)),
    dimensions=some.fixed_dictionaries(dict.fromkeys(("project", "team", "use_case", "user"), NAMES)),
    sku=some.sampled_from(["plain", "house", "nothing"]),
    reported=some.none() | some.decimals(0, 1000, places=6),
    attributes=some.dictionaries(some.sampled_from(["region", "a"]), some.text(max_size=3)),
)
def test_the_usage_event_of_a_cost_event_is_priced_to_the_same(
    usage: Any, dimensions: Any, sku: str, reported: Decimal | None, attributes: dict[str, str]
) -> None:
    sent = event(usage, sku, attributes=attributes, reported_cost=reported, **dimensions)
    first = price(sent, READY)
    second = price(usage_of(first), READY)
    assert not differs(first, second)
    assert second.given == first.given
    assert second.fingerprint == first.fingerprint, "it is the same event: no conflict"
    assert usage_of(second) == usage_of(first)
    assert usage_of(first).team == (dimensions["team"] or None)


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_every_golden_cost_event_leads_back_to_its_price(folder: Path) -> None:
    ready = CompiledCatalog(decode_catalog((folder / "catalog.json").read_bytes()))
    lines = (folder / "cost.ndjson").read_bytes().splitlines()
    costs = [cost_event_decoder.decode(line) for line in lines if line.startswith(b"{")]
    for item in reprice(costs, ready):
        assert item.new is not None
        assert not item.differs
        assert item.new.cost == item.old.cost


def _cost(ready: CompiledCatalog, sku: str = "plain", **more: Any) -> CostEvent:
    return price(event({"input_tokens": 1_000_000}, sku, **more), ready)


def test_a_newer_list_with_the_same_price_is_no_difference() -> None:
    newer = rates(PLAIN).model_copy(update={"version": "2"})
    old = _cost(catalog())
    (item,) = reprice([old], catalog(newer))
    assert item.new is not None
    assert item.new.price_ref != old.price_ref
    assert not item.differs


def test_a_price_an_owner_or_a_reason_that_changed_is_a_difference() -> None:
    old = [_cost(catalog()), _cost(catalog(), "new"), _cost(catalog(), user="u")]
    raised = catalog(rates(model("plain", {"input_mtok": "4"}), model("new", {"input_mtok": "1"})))
    assert [item.differs for item in reprice(old, raised)] == [True, True, True]
    owners = [{"key": "user", "value": "u", "sets": {"team": "t"}}]
    assert [item.differs for item in reprice(old, catalog(owners=owners))] == [False, False, True]


def test_an_owner_that_changes_takes_history_along_but_not_what_was_sent() -> None:
    before = catalog(owners=[{"key": "user", "value": "u", "sets": {"team": "old"}}])
    after = catalog(owners=[{"key": "user", "value": "u", "sets": {"team": "new"}}])
    filled, sent = _cost(before, user="u"), _cost(before, user="u", team="old")
    assert [item.new.team for item in reprice([filled, sent], after) if item.new] == ["new", "old"]


def test_what_a_new_policy_refuses_stays_as_it_is() -> None:
    strict = catalog(required_tags=[{"require": "team", "action": "dead_letter"}])
    (item,) = reprice([_cost(catalog())], strict)
    assert (item.new, item.differs) == (None, False)


def test_a_catalog_without_the_price_of_an_estimated_event_does_not_improve_it() -> None:
    rates_in_eu = {"crates": {"price": "1"}}
    guessed = catalog(price_books=[book(rule(rates_in_eu, "crate", assumes={"region": "eu"}))])
    exact = catalog(price_books=[book(rule(rates_in_eu, "crate"))])
    sent = event({"crates": 2}, "crate")
    estimated, unpriced = price(sent, guessed), price(sent, catalog())
    assert (estimated.price_status, unpriced.price_status) == ("estimated", "unpriced")

    def improves(old: CostEvent, new: CompiledCatalog) -> tuple[bool, bool]:
        [item] = reprice([old], new)
        return item.differs, item.improves

    assert improves(estimated, catalog()) == (True, False)
    assert improves(estimated, exact) == (True, True)
    assert improves(unpriced, guessed) == (True, True)
    assert improves(estimated, guessed) == (False, False)

    archiver = CatalogArchiver(cast(ClickHouseClient, None), FakeSink(FakeBroker(1)), FakeClock(NOW))
    archiver._ledger = cast(LedgerReader, SimpleNamespace(events=lambda _: [estimated]))
    assert archiver.look(catalog()) == 0, "what had a price keeps it"
    assert archiver.look(exact) == 1
