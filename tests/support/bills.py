"""A bill in FOCUS for tests: one line, and files of lines."""

import csv
import io
from collections.abc import Mapping, Sequence

LINE = {
    "BillingAccountId": "1", "BillingCurrency": "USD", "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-11-24T00:00:00Z", "ChargePeriodEnd": "2026-11-25T00:00:00Z", "ChargeCategory": "Usage",
    "ConsumedQuantity": "1", "ConsumedUnit": "Hours", "EffectiveCost": "1", "BilledCost": "1", "ProviderName": "AWS",
    "ServiceCategory": "Compute", "ServiceName": "EC2", "SkuId": "P5", "Tags": "{}",
}  # fmt: skip


def bill(rows: Sequence[Mapping[str, str]], separator: str = ",") -> bytes:
    """Return a CSV file of these lines."""
    text = io.StringIO()
    page = csv.DictWriter(text, list(rows[0]), delimiter=separator)
    page.writeheader()
    page.writerows(rows)
    return text.getvalue().encode()
