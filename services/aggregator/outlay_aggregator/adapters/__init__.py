"""Where the aggregator touches ClickHouse and Kafka."""
