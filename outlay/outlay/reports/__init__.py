"""Reports on a terminal and in files: tables, CSV, JSON, Markdown, HTML and plots."""
