"""Where the alerter touches ClickHouse, Kafka and the catalog."""
