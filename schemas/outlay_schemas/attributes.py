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
