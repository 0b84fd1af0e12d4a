"""Tries rules on the past."""
