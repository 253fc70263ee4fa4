"""How the service logs: text on a terminal, one JSON object a line elsewhere. To standard error."""

import logging
import sys
import threading
from typing import Any, TextIO

import structlog

from restyle.settings import Settings


class Lines:
    """Writes each line at once. One that cannot be written is counted, and told of with the first that can be.

    A disk that is full or a reader that is gone must end neither a request nor a thread that only wanted to tell.
    """

    def __init__(self, stream: TextIO) -> None:
        self._printer = structlog.PrintLogger(stream)
        self._lock = threading.Lock()
        self._lost = 0

    def msg(self, message: str) -> None:
        """Write the line, if that is possible."""
        try:
            self._printer.msg(message)
        except OSError:
            with self._lock:
                self._lost += 1
            return
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            structlog.get_logger(__name__).warning("the log could not be written for a while", lines=lost)

    debug = info = warning = error = critical = exception = log = msg


def configure(settings: Settings) -> None:
    """Set up structlog, and lead what libraries log (from warnings on) the same way.

    Tracebacks are plain: the prettier ones print local variables, and those hold private keys and pictures.
    """
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    lines = Lines(sys.stderr)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
