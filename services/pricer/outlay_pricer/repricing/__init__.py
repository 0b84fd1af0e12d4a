"""Pricing again what the ledger has: by hand for all of it, by itself for what had no price (docs/adr/0012)."""
