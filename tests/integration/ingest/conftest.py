"""A bus with its topics, and every process ended after each test."""

from tests.support.broker_fixtures import _ends, broker, kafka

__all__ = ["_ends", "broker", "kafka"]
