"""Closed months in ClickHouse. Reading needs the reader; closing needs the writer."""

from datetime import UTC

import msgspec

from outlay_kit.warehouse import Warehouse
from outlay_reports.chargeback import Closing, Line
from outlay_schemas.money import to_usd

_READ = (
    "SELECT seq, closed_at, closed_by, note, body FROM closings FINAL"
    " WHERE tenant = {tenant:String} AND period = {period:String} AND zone = {zone:String} ORDER BY seq"
)
_lines = msgspec.json.Decoder(tuple[Line, ...])


class Closings:
    """The closings of one tenant's months."""

    def __init__(self, warehouse: Warehouse, tenant: str) -> None:
        self._warehouse = warehouse
        self._tenant = tenant

    def read(self, period: str, zone: str) -> list[Closing]:
        """Return every closing of a month, the first first. Raises Retryable."""
        rows = self._warehouse.rows(_READ, {"tenant": self._tenant, "period": period, "zone": zone})
        return [
            Closing(
                row["seq"],
                row["closed_at"].replace(tzinfo=UTC),
                row["closed_by"],
                row["note"],
                _lines.decode(row["body"]),
            )
            for row in rows
        ]

    def add(self, period: str, zone: str, closing: Closing) -> None:
        """Keep a closing. Repeating it changes nothing. Raises Retryable."""
        row = {
            "tenant": self._tenant,
            "period": period,
            "zone": zone,
            "seq": closing.seq,
            "total": to_usd(closing.cost),
            "unpriced_events": sum(line.unpriced for line in closing.lines),
            "body": msgspec.json.encode(closing.lines).decode(),
            "closed_at": closing.at.isoformat(),
            "closed_by": closing.by,
            "note": closing.note,
        }
        self._warehouse.insert_json_lines("closings", msgspec.json.encode(row))
