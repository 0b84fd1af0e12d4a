"""Alerts: their state, suppression, user actions, incidents and text."""
