"""What touches the warehouse."""
