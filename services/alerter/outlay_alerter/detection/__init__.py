"""The seasonal anomaly detector and its statistics."""
