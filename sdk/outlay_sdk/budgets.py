"""Ask for the status of a budget before spending: `budget_status("growth").allowed`."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from outlay_sdk.transport import Rejected

Fail = Literal["open", "closed"]
_policies: dict[tuple[str, str], str] = {}
"""What each budget said last of calls whose answer is not known, by address and budget."""


@dataclass(frozen=True)
class BudgetStatus:
    """How a budget stands."""

    allowed: bool
    """Whether to spend."""
    known: bool
    """False: it is not known how the budget stands, and the policy decided."""
    body: dict[str, Any] = field(default_factory=dict)
    """All that was answered: standing, amount, spent, remaining, percent, … Amounts are USD, as text."""


def budget_status(
    budget: str,
    *,
    url: str | None = None,
    api_key: str | None = None,
    strict: bool = False,
    fail: Fail | None = None,
    timeout: float = 1.0,
) -> BudgetStatus:
    """Return how a budget stands; `url` and `api_key` default to OUTLAY_BUDGETS_URL and OUTLAY_API_KEY.

    `strict`: computed now, not up to ten seconds old. `fail`: what to do when it is not known how the budget stands,
    or when no address is set: `open` allows, `closed` does not. By default what the budget itself says, as it was
    last answered; before that OUTLAY_BUDGETS_FAIL, else open. Waits for `timeout` seconds at most.

    Raises Rejected: a wrong key, or no such budget; ValueError: an address that is not http or https, or a policy
    that is not open or closed."""
    base = (url if url is not None else os.environ.get("OUTLAY_BUDGETS_URL", "")).rstrip("/")
    policy = fail or _policies.get((base, budget)) or os.environ.get("OUTLAY_BUDGETS_FAIL") or "open"
    if policy not in ("open", "closed"):
        raise ValueError(f"{policy!r} is not a policy; set OUTLAY_BUDGETS_FAIL to open or closed")
    unknown = BudgetStatus(allowed=policy == "open", known=False)
    if not base:
        return unknown
    if urlsplit(base).scheme not in ("http", "https"):
        raise ValueError(f"{base!r} is not an address like http://127.0.0.1:8089; set OUTLAY_BUDGETS_URL")
    query = {"mode": "strict" if strict else "cached", **({"fail": fail} if fail else {})}
    request = urllib.request.Request(  # noqa: S310 (http or https, see above)
        f"{base}/v1/budgets/{quote(budget, safe='')}/status?{urlencode(query)}",
        headers={"Authorization": f"Bearer {api_key or os.environ.get('OUTLAY_API_KEY', '')}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            body: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code < 500 and error.code != 429:
                raise Rejected(f"{error.code}: {error.read(2000).decode(errors='replace')}") from None
        return unknown
    except (OSError, ValueError):
        return unknown
    if fail is None and body.get("fail") in ("open", "closed"):
        _policies[base, budget] = body["fail"]
    return BudgetStatus(bool(body.get("allowed")), bool(body.get("known")), body)
