"""A rule of one tenant changes no event of another: every kind of rule that says whose a cost is or what it costs."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.catalogs import catalog, event

from outlay_pricer.domain.attribution import owner_cycles
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Owner
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent

OF_ACME: dict[str, Any] = {
    "aliases": [{"dimension": "team", "name": "growth", "aliases": ["gr"], "tenant": "acme"}],
    "owners": [{"key": "user", "value": "u-1", "sets": {"project": "secret"}, "tenant": "acme"}],
    "defaults": [{"match": {"tenant": "acme"}, "sets": {"business_unit": "core"}}],
    "virtual_tags": [{"id": "t", "match": {"tenant": "acme"}, "sets": {"use_case": "chat"}}],
    "required_tags": [{"tenant": "acme", "require": ["tags.env"], "action": "dead_letter"}],
    "negotiated": [{"id": "n", "match": {"tenant": "acme"}, "discount_percent": 50}],
    "reported": [{"match": {"tenant": "acme"}, "use": "reported"}],
}
MORE: dict[str, Any] = {"team": "gr", "user": "u-1", "reported_cost": Decimal(3)}


def cost(tenant: str, rules: dict[str, Any], **more: Any) -> CostEvent:
    return price(event({"input_tokens": 1}, tenant=tenant, **{**MORE, **more}), catalog(**rules))


def without_revision(one: CostEvent) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.mark.parametrize("part", OF_ACME)
def test_a_rule_of_one_tenant_leaves_another_as_it_is_without_it(part: str) -> None:
    rules = {part: OF_ACME[part]}
    alone, beside = cost("globex", {}), cost("globex", rules)
    assert without_revision(beside) | {"given": {}} == without_revision(alone) | {"given": {}}
    try:
        changed = cost("acme", rules)
    except Invalid:
        return  # its own required tags
    assert without_revision(changed) | {"given": {}} != without_revision(cost("acme", {})) | {"given": {}}


def test_a_tenants_own_name_and_owner_come_before_those_for_all() -> None:
    rules: dict[str, Any] = {
        "aliases": [
            {"dimension": "team", "name": "everyone's", "aliases": ["gr"]},
            {"dimension": "team", "name": "acme's", "aliases": ["gr"], "tenant": "acme"},
        ],
        "owners": [
            {"key": "user", "value": "u-1", "sets": {"project": "everyone's"}},
            {"key": "user", "value": "u-1", "sets": {"project": "acme's"}, "tenant": "acme"},
        ],
    }
    for tenant, name in (("acme", "acme's"), ("globex", "everyone's"), ("", "everyone's")):
        found = cost(tenant, rules)
        assert (found.team, found.project) == (name, name), tenant


def test_owners_of_two_tenants_make_no_cycle() -> None:
    there = {"key": "team", "value": "a", "sets": {"project": "b"}, "tenant": "acme"}
    back = {"key": "project", "value": "b", "sets": {"team": "a"}}
    of = [Owner.model_validate(one) for one in (there, {**back, "tenant": "globex"})]
    assert owner_cycles(of) == []
    assert owner_cycles([Owner.model_validate(one) for one in (there, back)]) != []
