"""Ask how a budget stands before spending: `budget_status("growth").allowed`."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from outlay_sdk.transport import Rejected


@dataclass(frozen=True)
class BudgetStatus:
    """How a budget stands."""

    allowed: bool
    """Whether to spend."""
    known: bool
    """False: nobody could say, and `fail` decided."""
    body: dict[str, Any] = field(default_factory=dict)
    """All that was answered: standing, amount, spent, remaining, percent, … Amounts are USD, as text."""


def budget_status(
    budget: str,
    *,
    url: str | None = None,
    api_key: str | None = None,
    strict: bool = False,
    fail: Literal["open", "closed"] | None = None,
    timeout: float = 1.0,
) -> BudgetStatus:
    """Return how a budget stands; `url` and `api_key` default to OUTLAY_BUDGETS_URL and OUTLAY_API_KEY.

    `strict`: reckoned now, not up to ten seconds old. `fail`: what is allowed when nobody can say; by default as the
    budget says, and open when nobody answers within `timeout` seconds. Raises Rejected: a wrong key, or no such
    budget; ValueError: no address.
    """
    base = url or os.environ.get("OUTLAY_BUDGETS_URL", "")
    if urlsplit(base).scheme not in ("http", "https"):
        raise ValueError(f"{base!r} is not an address, as http://127.0.0.1:8089; set OUTLAY_BUDGETS_URL")
    query = {"mode": "strict" if strict else "cached", **({"fail": fail} if fail else {})}
    request = urllib.request.Request(  # noqa: S310 (http or https, see above)
        f"{base.rstrip('/')}/v1/budgets/{quote(budget, safe='')}/status?{urlencode(query)}",
        headers={"Authorization": f"Bearer {api_key or os.environ.get('OUTLAY_API_KEY', '')}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            body: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code < 500 and error.code != 429:
                raise Rejected(f"{error.code}: {error.read(2000).decode(errors='replace')}") from None
        return BudgetStatus(allowed=fail != "closed", known=False)
    except (OSError, ValueError):
        return BudgetStatus(allowed=fail != "closed", known=False)
    return BudgetStatus(bool(body.get("allowed")), bool(body.get("known")), body)
