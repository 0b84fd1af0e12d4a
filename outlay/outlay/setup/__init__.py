"""Set-up in the browser: pages that change the catalog and keys with the functions of the command line."""
