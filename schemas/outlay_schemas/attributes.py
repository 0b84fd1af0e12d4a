"""Attributes of usage events that services give a meaning: each name is spelled here and nowhere else."""

from typing import Final

ALLOCATION: Final = "allocation"
"""Of a machine or GPU: `idle` where nothing ran on it."""
IDLE: Final = "idle"
UTILIZATION: Final = "utilization"
"""Share of the time in which a machine or GPU was busy: 0 to 1, or a number with `%`."""
GPU_UTILIZATION: Final = "gpu_utilization"
"""The same, of the GPUs of a machine whose `utilization` is that of its CPUs."""
MIG_PROFILE: Final = "mig_profile"
"""Of an instance of a partitioned GPU, such as `3g.20gb`."""
REPORTED_BY: Final = "reported_by"
"""Who says what it cost: `bill` is the provider's own bill, whose 0 is a price."""
BILL: Final = "bill"
BILLING_ACCOUNT: Final = "billing_account"
BILLING_PERIOD: Final = "billing_period"
"""The month of the bill that a charge is on, 2026-11."""
