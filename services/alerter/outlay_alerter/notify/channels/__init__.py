"""Notification channels, one a module."""
