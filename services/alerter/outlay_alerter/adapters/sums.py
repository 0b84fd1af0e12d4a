"""Sums of the rollups, exact, by grouped queries."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from outlay_alerter.adapters.sources import column, columns, conditions, source
from outlay_alerter.domain.watches import tag_of
from outlay_kit.spans import Piece, Span, cover, grain_length
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Contributor
from outlay_schemas.dimensions import CELL
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
        self,
        tenant: str,
        grain: Grain,
        newest: datetime,
        count: int,
        dimensions: Sequence[str],
        *,
        of_late: tuple[int, int] = (0, 0),
    ) -> list[tuple[int, dict[str, str], int]]:
        """Return (place, cell, pico-USD) for the `count` windows that end with `newest`; place 0 is the oldest.

        `of_late`: only cells that cost at least so many pico-USD in one of the last so many windows.
        """
        seconds = int(grain_length(grain).total_seconds())
        low = int(newest.timestamp()) - (count - 1) * seconds
        names = columns(dimensions)
        read, of_them = source(grain, dimensions), ""
        bound: dict[str, object] = {"tenant": tenant, "low": low, "high": int(newest.timestamp())}
        least, windows = of_late
        if least > 0 and dimensions:
            cells = ", ".join(map(column, dimensions))
            of_them = (
                f" AND ({cells}) IN (SELECT {cells} FROM {read} WHERE tenant = {{tenant:String}}"
                " AND time >= toDateTime({late:UInt32}, 'UTC') AND time <= toDateTime({high:UInt32}, 'UTC')"
                f" GROUP BY time, {cells} HAVING sum(cost) >= toDecimal128({{least:String}}, 12))"
            )
            bound |= {"late": int(newest.timestamp()) - (windows - 1) * seconds, "least": str(to_usd(least))}
        rows = self._warehouse.rows(
            f"SELECT toUnixTimestamp(time) AS at, toString(sum(cost)) AS spent{names} FROM {read}"
            " WHERE tenant = {tenant:String} AND time >= toDateTime({low:UInt32}, 'UTC')"
            f" AND time <= toDateTime({{high:UInt32}}, 'UTC'){of_them} GROUP BY at{names}",
            bound,
        )
        return [
            ((r["at"] - low) // seconds, {name: r[name] for name in dimensions}, to_pico(r["spent"]))
            for r in rows
        ]

    def first(self, tenant: str, grain: Grain, newest: datetime, count: int) -> int:
        """Return the place of the first of `count` windows in which a tenant has anything; `count`: in none."""
        seconds = int(grain_length(grain).total_seconds())
        low = int(newest.timestamp()) - (count - 1) * seconds
        (row,) = self._warehouse.rows(
            f"SELECT toUnixTimestamp(min(window)) AS at, count() AS n FROM rollup_{grain}"
            " WHERE tenant = {tenant:String} AND window >= toDateTime({low:UInt32}, 'UTC')",
            {"tenant": tenant, "low": low},
        )
        return min(count, (row["at"] - low) // seconds) if row["n"] else count

    def contributors(self, tenant: str, span: Span, scope: dict[str, list[str]]) -> list[Contributor]:
        """Return the three greatest values of each dimension within a scope."""
        names = [*CELL, *(name for name in scope if tag_of(name))]
        sql, parameters = _union(tenant, span, columns(names), names)
        pairs = ", ".join(f"('{name}', toString({name}))" for name in CELL)
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
        self, tenant: str, before: Span, after: Span, scope: Mapping[str, list[str]]
    ) -> tuple[dict[tuple[str, str], tuple[int, int]], dict[tuple[str, str], tuple[int, int]]]:
        """Return the cost in pico-USD and the events of each provider and SKU within a scope, in two spans."""
        names = sorted({*scope, "provider", "sku"})
        parts, parameters = [], dict[str, object]()
        for n, span in enumerate((before, after)):
            sql, bound = _union(tenant, span, f", {n} AS part, events" + columns(names), names, f"p{n}")
            parts.append(sql)
            parameters |= bound
        wheres = conditions(scope)
        parameters |= {f"s{n}": values for n, values in enumerate(scope.values())}
        rows = self._warehouse.rows(
            "SELECT part, provider, sku, toString(sum(cost)) AS spent, sum(events) AS n"
            f" FROM ({' UNION ALL '.join(parts)}){' WHERE ' if wheres else ''}{' AND '.join(wheres)}"
            " GROUP BY part, provider, sku",
            parameters,
        )
        found: tuple[dict[tuple[str, str], tuple[int, int]], ...] = ({}, {})
        for r in rows:
            found[r["part"]][r["provider"], r["sku"]] = to_pico(r["spent"]), int(r["n"])
        return found[0], found[1]


def _union(
    tenant: str, span: Span, names: str, dimensions: Sequence[str], mark: str = ""
) -> tuple[str, dict[str, object]]:
    """Return SQL for the rows of a span, and its parameters; `mark`: what their names begin with."""
    parts = []
    bound: dict[str, object] = {"tenant": tenant}
    pieces = [Piece("minute", span)] if any(map(tag_of, dimensions)) else cover(span)
    for n, piece in enumerate(pieces):
        parts.append(
            f"SELECT cost{names} FROM {source(piece.grain, dimensions)} WHERE tenant = {{tenant:String}}"
            f" AND time >= toDateTime({{{mark}l{n}:UInt32}}, 'UTC')"
            f" AND time < toDateTime({{{mark}h{n}:UInt32}}, 'UTC')"
        )
        limits = {"l": piece.span.start, "h": piece.span.end}
        bound |= {f"{mark}{name}{n}": int(at.timestamp()) for name, at in limits.items()}
    return " UNION ALL ".join(parts), bound
