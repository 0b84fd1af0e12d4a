"""The budgets of the demonstration: published beside what the catalog has, once."""

from collections.abc import Sequence
from importlib import resources

import yaml
from pydantic import TypeAdapter

from outlay.catalog import load_default
from outlay.catalog.publish import newest, publish
from outlay_kit.clock import Clock
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog.watch import Budget

WHOLE = "demo-all"
"""The budget over everything."""


def demo_budgets() -> tuple[Budget, ...]:
    """Read them."""
    text = resources.files("outlay.demo").joinpath("budgets.yaml").read_text("utf-8")
    return TypeAdapter(tuple[Budget, ...]).validate_python(yaml.safe_load(text))


def publish_budgets(kafka: KafkaSettings, clock: Clock) -> Sequence[Budget]:
    """See to it that the catalog in force has them; return them. Raises Retryable."""
    catalog = newest(kafka) or load_default()
    ours = demo_budgets()
    names = {budget.id for budget in ours}
    others = tuple(budget for budget in catalog.budgets if budget.id not in names)
    publish(kafka, catalog.model_copy(update={"budgets": (*others, *ours)}), clock)
    return ours
