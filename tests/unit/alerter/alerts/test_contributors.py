"""Contributors in the order in which they explain an alert."""

from outlay_alerter.alerts.builder import ranked
from outlay_schemas.alerts import Contributor
from outlay_schemas.money import Usd


def one(dimension: str, value: str, cost: str) -> Contributor:
    return Contributor(dimension, value, Usd(cost))


def test_model_and_user_come_first_and_then_what_explains_most() -> None:
    found = [
        one("activity", "inference", "20"), one("business_unit", "", "20"), one("kind", "llm", "20"),
        one("project", "assistant", "12"), one("project", "search", "8"), one("provider", "openai", "20"),
        one("sku", "gpt-5", "0.31"), one("sku", "gpt-5-pro", "19.69"), one("team", "growth", "18"),
        one("use_case", "support", "19"), one("user", "u-4", "0.1"), one("user", "u-loop", "19.69"),
    ]  # fmt: skip
    assert [(c.dimension, c.value) for c in ranked(found, {"use_case": ("support",)})] == [
        ("sku", "gpt-5-pro"), ("sku", "gpt-5"), ("user", "u-loop"), ("user", "u-4"), ("team", "growth"),
        ("project", "assistant"), ("project", "search"), ("activity", "inference"), ("business_unit", ""),
        ("kind", "llm"), ("provider", "openai"), ("use_case", "support"),
    ]  # fmt: skip
