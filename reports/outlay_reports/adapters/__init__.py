"""What touches the clickhouse."""
