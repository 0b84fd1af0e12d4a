"""The kinds of rules: each module is one kind; the registry finds them."""
