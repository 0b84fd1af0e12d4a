"""Tenants that every part of Outlay knows by name."""

DEMO_TENANT = "demo"
"""The tenant of `outlay demo`."""


def sends_alerts(tenant: str) -> bool:
    """Return whether alerts of a tenant go to channels that people configure. Those of the demo are only shown."""
    return tenant != DEMO_TENANT


def alert_note(tenant: str) -> str:
    """Return what to know of a tenant's alerts before its key is used; empty: nothing."""
    if sends_alerts(tenant):
        return ""
    return f"alerts of the tenant {tenant} are only shown: none is sent to your channels"
