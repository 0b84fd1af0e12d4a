"""One module for each page: reads the data that its template shows."""
