"""Sleeps of a process under libfaketime, which changes the times of clock_nanosleep so that the kernel now and then
refuses one (EINVAL). Python's sleep then raises OSError, which no real clock makes it do. It leaves select() alone.
Python imports this file by its name, from PYTHONPATH."""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex, /) -> None:
    select.select([], [], [], max(0.0, float(seconds)))


time.sleep = _sleep
