"""Report usage to Outlay without slowing a program down and without raising into it.

    from outlay_sdk import Outlay

    outlay = Outlay(source="checkout/api", team="growth")        # OUTLAY_URL and OUTLAY_API_KEY say where
    outlay.track(provider="anthropic", sku="claude-sonnet-4-5", usage={"input_tokens": 4808, "output_tokens": 110})
    outlay.wrap(openai_client)                                   # every call and stream of it, from now on
    with outlay.context(use_case="support-chat", user="u-17"):   # whose it is, for all that happens inside
        ...

Events are sent in batches by a thread of their own, again with the same ids if need be, and flushed at exit."""

from outlay_sdk.budgets import BudgetStatus, budget_status
from outlay_sdk.client import Outlay
from outlay_sdk.meter import Meter
from outlay_sdk.sender import Stats
from outlay_sdk.transport import HttpTransport, Rejected, Transport, Unavailable

__all__ = [
    "BudgetStatus",
    "HttpTransport",
    "Meter",
    "Outlay",
    "Rejected",
    "Stats",
    "Transport",
    "Unavailable",
    "budget_status",
]
