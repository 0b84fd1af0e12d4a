"""What deserves an alert. Pure: no I/O, no clock, no environment."""
