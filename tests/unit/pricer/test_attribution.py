"""Whose a cost is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.catalogs import NOW, catalog, event

from outlay_pricer.domain.attribution import owner_cycles
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Owner
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent

OWNERS = [
    {"key": "user", "value": "u-1", "sets": {"team": "growth"}, "to": "2026-06-01"},
    {"key": "user", "value": "u-1", "sets": {"team": "search"}, "from": "2026-06-01"},
    {"key": "team", "value": "search", "sets": {"business_unit": "core"}},
    {"key": "team", "value": "growth", "sets": {"business_unit": "sales"}},
    {"key": "attributes.api_key", "value": "k-7", "sets": {"project": "bot"}},
]


def _cost(parts: dict[str, Any], **more: Any) -> CostEvent:
    return price(event({"input_tokens": 1}, **more), catalog(**parts))


def test_owners_follow_from_user_to_team_to_business_unit() -> None:
    cost = _cost({"owners": OWNERS}, user="u-1", attributes={"api_key": "k-7"})
    assert (cost.team, cost.business_unit, cost.project) == ("search", "core", "bot")
    assert cost.given == {"team": "", "business_unit": "", "project": "", "activity": ""}, (
        "nothing was sent, and that is kept"
    )
    assert _cost({"owners": OWNERS}, user="u-2").team == ""


def test_owners_are_dated_so_history_stays_with_the_old_team() -> None:
    cost = _cost({"owners": OWNERS}, user="u-1", time=datetime(2026, 5, 31, tzinfo=UTC))
    assert (cost.team, cost.business_unit) == ("growth", "sales")


def test_what_the_producer_says_is_not_replaced_by_an_owner() -> None:
    cost = _cost({"owners": OWNERS}, user="u-1", team="ops")
    assert (cost.team, cost.business_unit) == ("ops", "")


def test_owners_that_lead_in_a_circle_end() -> None:
    circle = [
        {"key": "team", "value": "a", "sets": {"project": "b"}},
        {"key": "project", "value": "b", "sets": {"team": "a"}},
    ]
    assert _cost({"owners": circle}, project="b").team == "a"


def test_aliases_make_one_name_of_many_and_keep_the_original() -> None:
    aliases = [
        {"dimension": "team", "name": "growth", "aliases": ["Growth", "grwth"]},
        {"dimension": "provider", "name": "acme", "aliases": "ACME Inc"},
        {"dimension": "sku", "name": "plain", "aliases": "house-model"},
    ]
    cost = _cost({"aliases": aliases}, team="grwth", provider_name="ACME Inc", sku="house-model")
    assert (cost.team, cost.provider, cost.sku, cost.cost) == ("growth", "acme", "plain", "0.000003")
    assert cost.given == {"team": "grwth", "provider": "ACME Inc", "sku": "house-model", "activity": ""}
    assert _cost({"aliases": aliases}, team="growth", activity="inference").given == {}


def test_defaults_fill_what_is_left_empty() -> None:
    defaults = [
        {"match": {"provider": "acme"}, "sets": {"team": "platform"}},
        {"sets": {"team": "no-one", "project": "misc"}},
    ]
    owners = [{"key": "team", "value": "platform", "sets": {"business_unit": "core"}}]
    cost = _cost({"defaults": defaults, "owners": owners})
    assert (cost.team, cost.project, cost.business_unit) == ("platform", "misc", "core")
    assert _cost({"defaults": defaults[:1]}, provider_name="x").team == ""


def test_virtual_tags_set_dimensions_from_others_each_seeing_the_one_before() -> None:
    virtual = [
        {"id": "bot", "match": {"tags": {"app": "bot-*"}}, "sets": {"use_case": "support", "team": "cx"}},
        {"id": "cx", "match": {"team": "cx"}, "sets": {"business_unit": "service"}, "replace": False},
        {"id": "old", "match": {}, "sets": {"project": "old"}, "to": "2026-01-01"},
    ]
    owners = [{"key": "team", "value": "ml", "sets": {"business_unit": "research"}}]
    parts = {"virtual_tags": virtual, "owners": owners}
    cost = _cost(parts, tags={"app": "bot-9"}, team="web")
    assert (cost.team, cost.use_case, cost.business_unit, cost.project) == ("cx", "support", "service", "")
    assert cost.given == {"team": "web", "use_case": "", "business_unit": "", "activity": ""}
    assert _cost(parts, tags={"app": "bot-9"}, business_unit="x").business_unit == "x"
    assert _cost(parts, team="ml").business_unit == "research"


def test_required_tags_are_flagged_or_refused_by_tenant() -> None:
    required = [
        {"require": ["team", "tags.env"], "match": {"kind": "llm"}},
        {"tenant": "strict-*", "require": "project", "action": "dead_letter"},
        {"require": "team"},
    ]
    flagged = _cost({"required_tags": required}, attributes={"a": "b"})
    assert flagged.attributes == {"a": "b", "outlay.missing": "team,tags.env"}
    assert _cost({"required_tags": required}, team="t", tags={"env": "prod"}).attributes == {}
    with pytest.raises(Invalid, match="project is required for tenant 'strict-1'") as refused:
        _cost({"required_tags": required}, tenant="strict-1", team="t", tags={"env": "x"})
    assert refused.value.code == "required_tags_missing"
    assert (
        _cost(
            {"required_tags": required}, tenant="strict-1", team="t", project="p", tags={"env": "x"}
        ).project
        == "p"
    )


def test_attribution_changes_no_event_and_no_fingerprint() -> None:
    sent = event({"input_tokens": 1}, team="grwth")
    plain = price(sent, catalog())
    named = price(sent, catalog(aliases=[{"dimension": "team", "name": "growth", "aliases": "grwth"}],
                                required_tags=[{"require": "project"}]))  # fmt: skip
    assert sent.team == "grwth"
    assert sent.attributes == {}
    assert plain.fingerprint == named.fingerprint
    assert sent.time == NOW


def test_circles_of_owners_are_found_once_each() -> None:
    def owner(key: str, value: str, **sets: str) -> Owner:
        return Owner.model_validate({"key": key, "value": value, "sets": sets})

    line = [owner("user", "u", team="a"), owner("team", "a", business_unit="x")]
    assert owner_cycles(line) == []
    circle = [*line, owner("business_unit", "x", project="p", use_case="c"), owner("project", "p", team="a")]
    assert owner_cycles(circle) == [[("team", "a"), ("business_unit", "x"), ("project", "p")]]
    assert owner_cycles([owner("team", "a", team="a")]) == [[("team", "a")]]
    diamond = [owner("user", "u", team="a", project="p"), owner("team", "a", business_unit="x"),
               owner("project", "p", business_unit="x")]  # fmt: skip
    assert owner_cycles(diamond) == []
