"""Scheduled reviews of spending: when they are due, and how they read in each channel."""
