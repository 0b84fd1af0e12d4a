"""Buttons of alerts in Slack that act without the console: what they look like, and what a press does."""
