"""What a response itself says that it cost, in USD: gateways that route, and providers that state their bill."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from outlay_ingest.domain.coercion import first, money

Json = Mapping[str, Any]
_TICKS = Decimal(10**10)
"""xAI: ticks to a dollar (docs.x.ai/developers/cost-tracking)."""


def reported_cost(response: Json, headers: Json) -> Decimal | None:
    """Return the stated cost; None if there is none. Amounts are cut to 1e-12 USD."""
    usage = response.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    if (ticks := money(usage.get("cost_in_usd_ticks"))) is not None:
        return money(ticks / _TICKS)
    stated = usage.get("cost")
    if isinstance(stated, Mapping):  # Perplexity, Bifrost
        return money(stated.get("total_cost"))
    if (cost := money(stated)) is not None:
        return cost + _upstream(usage)
    other = money(first(usage, "total_cost", "estimated_cost"))  # DeepInfra and others
    if other is not None:
        return other
    hidden = response.get("_hidden_params")
    said = first(hidden, "response_cost") if isinstance(hidden, Mapping) else None
    return money(said if said is not None else headers.get("x-litellm-response-cost")) or None


def _upstream(usage: Json) -> Decimal:
    """Return what the provider behind OpenRouter charges to a key of one's own; `cost` is the fee alone then."""
    details = usage.get("cost_details")
    if usage.get("is_byok") is False or not isinstance(details, Mapping):
        return Decimal(0)
    return money(details.get("upstream_inference_cost")) or Decimal(0)
