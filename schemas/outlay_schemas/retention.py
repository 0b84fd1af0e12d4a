"""How far back the ledger goes. The TTL of its tables (sql/0022) is a month longer, so that whole months are kept."""

from datetime import datetime, timedelta

RETENTION_DAYS = 1130
"""Days (37 months) that the ledger takes events of, at most."""


def first_kept(now: datetime, days: int = RETENTION_DAYS) -> datetime:
    """Return the first whole day (UTC) of which every event is kept for sure: what begins before may be incomplete."""
    oldest = now - timedelta(days=days)
    midnight = oldest.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == oldest else midnight + timedelta(days=1)
