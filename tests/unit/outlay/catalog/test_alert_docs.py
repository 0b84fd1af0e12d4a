"""docs/alerts.md: its channels, routes and reviews are a catalog without a problem, and no field is left out."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from tests.support.pages import pages

from outlay.catalog import check, load
from outlay_schemas.catalog import channels as parts

ROOT = Path(__file__).parents[4]
PAGE = pages("alerts", "notifications", "rules")
EXAMPLES = re.findall(r"```yaml\n# ((?:channels|routes|reviews)\.yaml)\n(.*?)```", PAGE, re.DOTALL)
RULES = "- {type: threshold, id: unpriced, name: U, metric: unpriced_events, above: 0}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("alerts")
    (place / "rules.yaml").write_text(RULES)
    for name, text in EXAMPLES:
        (place / name).write_text(text)
    return place


def test_the_examples_are_a_catalog_without_a_problem(folder: Path) -> None:
    assert {name for name, _ in EXAMPLES} == {"channels.yaml", "routes.yaml", "reviews.yaml"}
    assert check(folder) == []


def test_every_type_of_channel_has_an_example(folder: Path) -> None:
    kinds = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(parts.AnyChannel)}
    assert {channel.type for channel in load(folder).channels} == kinds


def test_every_field_is_on_the_page() -> None:
    models = [item for item in vars(parts).values() if isinstance(item, type) and issubclass(item, BaseModel)]
    fields = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert {field for field in fields if not re.search(rf"\b{field}\b", PAGE)} == set()
