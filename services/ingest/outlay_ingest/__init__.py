"""The endpoints: usage events in over HTTP, checked, durable in Kafka before they are accepted."""
