"""Adapters to ClickHouse and Kafka."""
