"""Sums of the rollups, exact, by grouped queries."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from outlay_alerter.adapters.sources import column, columns, conditions, source
from outlay_alerter.domain.watches import DIMENSIONS, tag_of
from outlay_kit.spans import Piece, Span, cover, grain_length
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Contributor
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico, to_usd


class Sums:
    """Reads what was spent."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def tenants(self) -> list[str]:
        """Return every tenant that has rollups."""
        return [row["tenant"] for row in self._warehouse.rows("SELECT DISTINCT tenant FROM rollup_day")]

    def newest(self, tenant: str) -> datetime | None:
        """Return the newest minute of a tenant."""
        found = self._warehouse.rows(
            "SELECT toUnixTimestamp(max(window)) AS at, count() AS n FROM rollup_minute WHERE tenant = {t:String}",
            {"t": tenant},
        )
        return datetime.fromtimestamp(found[0]["at"], UTC) if found[0]["n"] else None

    def cells(self, tenant: str, span: Span, dimensions: Sequence[str]) -> list[tuple[dict[str, str], int]]:
        """Return the cost in pico-USD of each combination of `dimensions` in `span`."""
        names = columns(dimensions)
        sql, parameters = _union(tenant, span, names, dimensions)
        group = f" GROUP BY {', '.join(map(column, dimensions))}" if dimensions else ""
        rows = self._warehouse.rows(
            f"SELECT toString(sum(cost)) AS spent{names} FROM ({sql}){group}", parameters
        )
        return [({name: row[name] for name in dimensions}, to_pico(row["spent"])) for row in rows]

    def series(
        self, tenant: str, grain: Grain, newest: datetime, count: int, dimensions: Sequence[str]
    ) -> list[tuple[int, dict[str, str], int]]:
        """Return (place, cell, pico-USD) for the `count` windows that end with `newest`; place 0 is the oldest."""
        seconds = int(grain_length(grain).total_seconds())
        low = int(newest.timestamp()) - (count - 1) * seconds
        names = columns(dimensions)
        rows = self._warehouse.rows(
            f"SELECT toUnixTimestamp(time) AS at, toString(sum(cost)) AS spent{names} FROM {source(grain, dimensions)}"
            " WHERE tenant = {tenant:String} AND time >= toDateTime({low:UInt32}, 'UTC')"
            " AND time <= toDateTime({high:UInt32}, 'UTC')"
            f" GROUP BY at{names}",
            {"tenant": tenant, "low": low, "high": int(newest.timestamp())},
        )
        return [
            ((r["at"] - low) // seconds, {name: r[name] for name in dimensions}, to_pico(r["spent"]))
            for r in rows
        ]

    def contributors(self, tenant: str, span: Span, scope: dict[str, list[str]]) -> list[Contributor]:
        """Return the three greatest values of each dimension within a scope."""
        names = [*DIMENSIONS, *(name for name in scope if tag_of(name))]
        sql, parameters = _union(tenant, span, columns(names), names)
        pairs = ", ".join(f"('{name}', toString({name}))" for name in DIMENSIONS)
        wheres = conditions(scope)
        parameters |= {f"s{n}": values for n, values in enumerate(scope.values())}
        rows = self._warehouse.rows(
            f"SELECT d.1 AS dimension, d.2 AS value, sum(cost) AS c, toString(c) AS spent FROM ({sql})"
            f" ARRAY JOIN [{pairs}] AS d{' WHERE ' if wheres else ''}{' AND '.join(wheres)}"
            " GROUP BY dimension, value HAVING c > 0 ORDER BY dimension, c DESC, value LIMIT 3 BY dimension",
            parameters,
        )
        return [Contributor(r["dimension"], r["value"], to_usd(to_pico(r["spent"]))) for r in rows]

    def uses(
        self, tenant: str, span: Span, scope: Mapping[str, list[str]]
    ) -> dict[tuple[str, str], tuple[int, int]]:
        """Return the cost in pico-USD and the events of each provider and SKU within a scope."""
        names = sorted({*scope, "provider", "sku"})
        sql, parameters = _union(tenant, span, ", events" + columns(names), names)
        wheres = conditions(scope)
        parameters |= {f"s{n}": values for n, values in enumerate(scope.values())}
        rows = self._warehouse.rows(
            "SELECT provider, sku, toString(sum(cost)) AS spent, sum(events) AS n"
            f" FROM ({sql}){' WHERE ' if wheres else ''}{' AND '.join(wheres)} GROUP BY provider, sku",
            parameters,
        )
        return {(r["provider"], r["sku"]): (to_pico(r["spent"]), int(r["n"])) for r in rows}


def _union(tenant: str, span: Span, names: str, dimensions: Sequence[str]) -> tuple[str, dict[str, object]]:
    parts = []
    bound: dict[str, object] = {"tenant": tenant}
    pieces = [Piece("minute", span)] if any(map(tag_of, dimensions)) else cover(span)
    for n, piece in enumerate(pieces):
        parts.append(
            f"SELECT cost{names} FROM {source(piece.grain, dimensions)} WHERE tenant = {{tenant:String}}"
            f" AND time >= toDateTime({{l{n}:UInt32}}, 'UTC') AND time < toDateTime({{h{n}:UInt32}}, 'UTC')"
        )
        bound |= {f"l{n}": int(piece.span.start.timestamp()), f"h{n}": int(piece.span.end.timestamp())}
    return " UNION ALL ".join(parts), bound
