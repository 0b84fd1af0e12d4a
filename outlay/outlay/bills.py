"""A bill as a whole: which lines it has now, and which the ledger still has from when it came before."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from outlay_ingest.domain.decoded_items import Item, Items
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.attributes import BILL, BILLING_ACCOUNT, BILLING_PERIOD, REPORTED_BY
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

_LINES = f"""
SELECT source, id, time, kind, activity, provider, sku, {", ".join(OWNERS)}, attributes, toString(cost) AS billed
FROM costs
WHERE tenant = {{tenant:String}} AND attributes['{REPORTED_BY}'] = '{BILL}' AND cost != 0
    AND minute >= toDateTime({{low:UInt32}}, 'UTC') AND minute < toDateTime({{high:UInt32}}, 'UTC')
    AND has({{keys:Array(String)}}, arrayStringConcat(
        [source, attributes['{BILLING_ACCOUNT}'], attributes['{BILLING_PERIOD}']], char(0)))
ORDER BY time, source, id
"""  # noqa: S608 (names of ours)
_AROUND = 31 * 86_400  # seconds around the months of a bill in which its charges may begin


class Key(NamedTuple):
    """Whose bill it is: the source of its events, the account, and the month, 2026-11."""

    source: str
    account: str
    period: str


class Bill:
    """The lines of a bill as it is read."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.unreadable = 0  # lines that may be in the ledger, under an identity that cannot be known
        self.removed = 0
        self.removed_cost = Decimal(0)  # USD that the removed lines cost
        self._lines: set[tuple[str, str]] = set()

    def noting(self, items: Items) -> Iterator[Item | None]:
        """Pass items on, and remember which lines they are."""
        for item in items:
            if item is not None and isinstance(item.event, UsageEvent):
                event = item.event
                self.keys.add(_key(event.source, event.attributes))
                if event.reported_cost is None or event.reported_cost >= 0:  # a credit is not taken
                    self._lines.add((event.source, event.id))
            elif item is not None and isinstance(item.event, Invalid):
                self.unreadable += item.event.code != "currency_unsupported"
            yield item

    def removals(self, earlier: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
        """Yield an event of 0 USD for each earlier line that the bill no longer has."""
        for row in earlier:
            if (row["source"], row["id"]) in self._lines:
                continue
            self.removed += 1
            self.removed_cost += Decimal(row["billed"])
            owners: dict[str, Any] = {name: row[name] or None for name in OWNERS}
            event = UsageEvent(
                id=row["id"], source=row["source"], time=row["time"].replace(tzinfo=UTC), kind=row["kind"],
                activity=row["activity"], provider=row["provider"], sku=row["sku"], usage={"charges": 0},
                attributes={**row["attributes"], "removed": "true"}, reported_cost=Decimal(0),
                **owners,
            )  # fmt: skip
            yield Item(event, lambda: b"", "removed line")


def earlier_lines(clickhouse: ClickHouseClient, tenant: str, keys: Iterable[Key]) -> list[dict[str, Any]]:
    """Return the lines that the ledger has of some bills, with what they cost. Raises Retryable."""
    known = sorted(keys)
    if not known:
        return []
    months = [datetime.strptime(key.period, "%Y-%m").replace(tzinfo=UTC).timestamp() for key in known]
    low, high = int(min(months)) - _AROUND, int(max(months)) + 2 * _AROUND
    bound = {"tenant": tenant, "keys": ["\0".join(key) for key in known], "low": low, "high": high}
    return clickhouse.rows(_LINES, bound)


def _key(source: str, attributes: Mapping[str, str]) -> Key:
    return Key(source, attributes.get(BILLING_ACCOUNT, ""), attributes.get(BILLING_PERIOD, ""))
