"""What the console shows and over which time: pure, so that a view is a function of its address."""
