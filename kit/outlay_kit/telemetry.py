"""Structured logs on stdout: one JSON object per line, or coloured text on a terminal."""

import logging
import sys

import structlog

UNAVAILABLE = "dependency unavailable"
"""How our log events begin that say that Kafka, ClickHouse or another service does not answer."""
_CLIENTS = ("kafka", "aiokafka", "faust", "mode", "urllib3", "clickhouse_connect")
_EVERY_SECONDS = 10.0


class UnavailableLimit(logging.Filter):
    """Lets through one line per 10 s about unavailable dependencies, ours or their clients', with a count."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0
        self._suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record; the next one written has the number of those that were not."""
        ours = record.msg.get("event") if isinstance(record.msg, dict) else None
        client = record.name.partition(".")[0] in _CLIENTS and record.levelno >= logging.WARNING
        if not client and not str(ours).startswith(UNAVAILABLE):
            return True
        if record.created < self._next:
            self._suppressed += 1
            return False
        if self._suppressed and isinstance(record.msg, dict):
            record.msg["suppressed"] = self._suppressed
        elif self._suppressed:
            record.msg, record.args = f"{record.getMessage()} (suppressed={self._suppressed})", ()
        self._next, self._suppressed = record.created + _EVERY_SECONDS, 0
        return True


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send every log of the process, ours and the libraries', through one formatter, tagged `service`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(UnavailableLimit())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kafka").setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module: `log = get_logger(__name__)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
