"""Tenants that every part of Outlay knows by name."""

DEMO_TENANT = "demo"
"""The tenant of `outlay demo`. Its alerts are sent to no channel that a person configured."""
