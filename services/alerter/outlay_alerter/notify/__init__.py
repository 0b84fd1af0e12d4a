"""Notifications: outbox, routing, delivery."""
