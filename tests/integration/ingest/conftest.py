"""A bus with its topics, and every process ended after each test."""

from tests.support.broker_fixtures import broker, kafka

__all__ = ["broker", "kafka"]
