"""Where the console touches the world: ClickHouse, Kafka."""
