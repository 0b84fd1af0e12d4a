"""Prints how much was compared with genai-prices."""

import genai_prices
import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    compared = [value for report in reports for name, value in report.user_properties if name == "compared"]
    if compared:
        terminalreporter.write_line(
            f"conformance: {sum(compared):,} costs of {len(compared)} providers compared with "
            f"genai-prices {genai_prices.__version__}, each to 1e-12 USD"
        )
