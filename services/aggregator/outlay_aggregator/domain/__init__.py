"""Pure: which windows a record dirties, and the SQL that says what a window is."""
