"""docs/catalog.md and docs/prices.md: every example runs, and nothing that the code can say is left out."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from tests.support.catalogs import event
from tests.support.pages import pages

from outlay.catalog import check, load
from outlay.catalog.load import PARTS
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas import catalog as parts
from outlay_schemas.catalog.price_ref import CERTAIN, GUESSES
from outlay_schemas.events import PriceStatus

ROOT = Path(__file__).parents[4]
CATALOG = pages("catalog", "catalog-prices")
PRICES = pages("prices")
EXAMPLES = re.findall(r"```yaml\n# (\S+)\n(.*?)```", CATALOG, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("docs")
    (place / "price_books").mkdir()
    for name, text in EXAMPLES:
        (place / name).write_text(text)
    return place


def test_the_examples_are_a_catalog_without_a_problem(folder: Path) -> None:
    assert check(folder) == []


def test_every_part_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} >= {f"{part}.yaml" for part in PARTS}
    assert CATALOG.count("```yaml") == len(EXAMPLES)


def test_the_examples_do_what_the_page_says(folder: Path) -> None:
    ready = CompiledCatalog(load(folder))
    hosted = price(event({"gpu_seconds": 3600}, "llama-4-70b", "house"), ready)
    assert (hosted.cost, hosted.price_ref) == (
        "3.4",
        "gpu-cluster@2026.1#llama-on-h100",
    )
    spot = event({"compute_seconds": "59.5"}, "b3-8", "ovh", kind="compute", attributes={"lease": "spot"})
    assert price(spot, ready).price_ref == "cloud@2026.1#vm-spot+fx-EUR~region"
    assert price(spot, ready).cost == "0.000466", "the minimum, in euros of the day"
    egress = event({"gb": 50}, "internet-egress", kind="transfer", attributes={"month_position_gb": "80"})
    assert price(egress, ready).cost == "3.1455", "30 GB of 50 are past the free ones"
    disk = event({"gb_hours": 7300}, "standard", kind="storage")
    assert price(disk, ready).cost == "0.233"
    calls = event({"calls": 2000}, "geocoding", kind="custom")
    assert price(calls, ready).cost == "11.65"
    deal = price(event({"input_tokens": 1_000_000}, "claude-opus-4-5", "anthropic", user="ann"), ready)
    assert (deal.cost, deal.team, deal.business_unit) == ("10.5", "search", "core")
    assert deal.price_ref.endswith("+opus-deal+edp-2026")


def test_every_field_of_a_file_is_on_the_page() -> None:
    watched = {
        "AlertRule",
        "SpendSpike",
        "Anomaly",
        "Budget",
        "Catalog",
        "RateData",
        "ContextAlias",
        "Minimum",
    }
    models = [
        item
        for name, item in vars(parts).items()
        if isinstance(item, type) and issubclass(item, BaseModel) and name not in watched
    ]
    fields = {field.alias or name for model in models for name, field in model.model_fields.items()}
    missing = {field for field in fields if not re.search(rf"\b{field}\b", CATALOG)}
    assert missing == set()


def test_every_assumption_reason_and_status_is_on_the_page() -> None:
    source = "\n".join(
        path.read_text() for path in (ROOT / "services/pricer/outlay_pricer/domain").rglob("*.py")
    )
    reasons = set(re.findall(r'reason="(\w+)"', source)) | set(re.findall(r'NotFound\("(\w+)"', source))
    reasons |= set(re.findall(r'_refuse\(\w+, "(\w+)"', source)) | {"price_data_invalid"}
    assert len(reasons) >= 7
    words = {*CERTAIN, *GUESSES, *reasons, *get_args(PriceStatus)}
    assert {word for word in words if f"`{word}`" not in PRICES} == set()
