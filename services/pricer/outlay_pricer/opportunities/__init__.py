"""What could be saved, each with its dollars: the ledger's own events priced as they might have been."""
