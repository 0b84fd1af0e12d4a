"""Budgets and rules compiled for the tenant `acme`, and landings of forecasts."""

from datetime import UTC, datetime, timedelta

import numpy as np

from outlay_alerter.rules import budget as budget_rule
from outlay_alerter.rules.threshold import Threshold
from outlay_alerter.rules.watch import Budget, compile_rule
from outlay_reports.forecast.trajectory import Landing
from outlay_schemas.catalog import watch as schema

DOLLAR = 10**12
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def budget(**terms: object) -> Budget:
    """Return a budget of 100 USD with one level, at 100%."""
    named = {"id": "b", "name": "B", "amount": 100, "thresholds": [100], **terms}
    return budget_rule.compile_rule(schema.Budget.model_validate(named), "acme")


def threshold(**terms: object) -> Threshold:
    """Return a threshold on costs above 10 USD."""
    named = {"id": "t", "name": "T", "metric": "cost", "above": 10, **terms}
    return compile_rule(schema.Threshold.model_validate(named), "acme")


def landing(spent: int, rest: float, spread: float = 0.0, days: float = 6.5) -> Landing:
    """Return the landing of a period that costs `rest` USD more, evenly, in as many days."""
    edges = (NOW, NOW + timedelta(days=days))
    return Landing(spent * DOLLAR, edges, np.array([rest]), np.array([spread]), tested=True)
