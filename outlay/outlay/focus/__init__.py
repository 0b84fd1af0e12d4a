"""FOCUS, the FinOps Open Cost and Usage Specification: our ledger as its rows, and bills that are its rows."""
