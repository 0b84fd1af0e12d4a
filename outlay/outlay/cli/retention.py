"""How far back a command may reach into the ledger, and what is said to who asks for more."""

from datetime import UTC, datetime

from outlay.cli.common import CommandError


def first_kept() -> datetime:
    """Return the first day that the ledger keeps whole, by the retention that the aggregator is told."""
    from outlay_aggregator.settings import Settings
    from outlay_kit.clock import SystemClock
    from outlay_schemas import retention

    return retention.first_kept(SystemClock().now(), Settings().retention_days)


def require_kept(moment: datetime, option: str, why: str) -> None:
    """Raise CommandError if `moment` is before what is kept; `why` says what would happen."""
    first = first_kept()
    if moment >= first:
        return
    raise CommandError(
        f"{option} {moment.astimezone(UTC):%Y-%m-%d} is before {first:%Y-%m-%d}, the first day that the ledger keeps"
        f" (OUTLAY_AGGREGATOR_RETENTION_DAYS): {why}",
        f"begin at {first:%Y-%m-%d}",
    )
