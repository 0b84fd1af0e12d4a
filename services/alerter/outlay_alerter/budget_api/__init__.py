"""HTTP for programs: how a budget stands, before they spend."""
