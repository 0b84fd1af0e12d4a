"""The price data of genai-prices as plain data: a later release of the library needs no new code."""

import json
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import ModelPrice

from outlay.catalog import model_prices
from outlay.catalog.load import json_schemas
from outlay.catalog.model_prices import from_library


def test_every_provider_and_model_comes_along() -> None:
    data = from_library(date(2026, 11, 24))
    shipped = [(provider.id, model.id) for provider in providers for model in provider.models]
    assert [(p["id"], m["id"]) for p in data.providers for m in p["models"]] == shipped


def test_it_is_json_and_prices_are_text() -> None:
    data = from_library(date(2026, 11, 24))
    assert json.loads(json.dumps(data.providers)) == data.providers
    first = data.providers[0]["models"][0]["prices"]
    assert all(isinstance(price, str) for price in first.values())


def test_its_age_is_that_of_the_newest_price_in_force() -> None:
    young, old = from_library(date(2026, 11, 24)).date, from_library(date(2025, 6, 1)).date
    assert old <= date(2025, 6, 1) < young <= date(2026, 11, 24)


@dataclass
class NewClause:
    sounds_like: str


@dataclass
class NewConstraint:
    from_hour: time
    or_: list[NewClause] = field(default_factory=list)
    nothing: None = None


def test_fields_that_a_later_release_adds_come_along_by_themselves() -> None:
    price = ModelPrice(smell_mtok=Decimal("0.10"))
    new = {"constraint": NewConstraint(time(8), [NewClause("gpt")]), "prices": price}
    assert model_prices._plain(new) == {
        "constraint": {"from_hour": "08:00:00", "or": [{"sounds_like": "gpt"}]},
        "prices": {"smell_mtok": "0.10"},
    }


def test_every_file_has_a_schema_for_editors() -> None:
    schemas = json_schemas()
    assert {"price_books/*.yaml", "budgets.yaml", "owners.yaml", "negotiated.yaml"} <= schemas.keys()
    assert "sku" in json.dumps(schemas["price_books/*.yaml"])
    assert '"from"' in json.dumps(schemas["owners.yaml"])
