"""One module for each page: asks the books, returns what its template shows."""
