"""Traces of tasks by OpenTelemetry, sent to the collector that a setting names. Without one, nothing of it is imported.

One task is one trace, whatever machines it goes over: its identifiers follow from the TaskUID, so that nobody has to
pass them on. The span ``submit`` is the root; ``check``, ``claim``, ``draw`` and ``put`` are below it.
"""

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ROOT = "submit"
TIMEOUT_SECONDS = 5.0
"""How long a collector may take for one delivery."""
DELAY_SECONDS = 1.0
"""Between two deliveries. What a process that is killed has not delivered is lost, and only that."""

_provider: "TracerProvider | None" = None
_root: ContextVar[tuple[int, int] | None] = ContextVar("root", default=None)


def start(endpoint: str, part: str, machine: str = "") -> None:
    """Trace from now on what this process does, to the OTLP address ``endpoint``; nothing where that is empty.

    ``part`` says what the process is, ``machine`` where, its host unless given. Raises RestyleError (5000) where
    OpenTelemetry is not installed.
    """
    global _provider
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError as error:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            "RESTYLE_TRACING_ENDPOINT is set, and OpenTelemetry is not installed: pip install 'restyle[tracing]'",
            field="tracing_endpoint",
        ) from error

    class Identifiers(RandomIdGenerator):
        """Those of the root, which is the one span without a parent, are given."""

        def generate_trace_id(self) -> int:
            given = _root.get()
            return super().generate_trace_id() if given is None else given[0]

        def generate_span_id(self) -> int:
            given = _root.get()
            return super().generate_span_id() if given is None else given[1]

    what = {
        "service.name": "restyle",
        "service.version": version("restyle"),
        "service.instance.id": f"{machine or socket.gethostname()}/{part}/{os.getpid()}",
        "host.name": machine or socket.gethostname(),
    }
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_SECONDS)
    _provider = TracerProvider(resource=Resource.create(what), id_generator=Identifiers())
    _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_SECONDS * 1000))


def stop() -> None:
    """Deliver what is left, as far as the collector takes it in time, and trace no more."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


@contextmanager
def span(name: str, uid: str, **attributes: str | int) -> Iterator[None]:
    """What happens in the block belongs to the trace of the task ``uid``, and is called ``name``."""
    began = time.time_ns()
    try:
        yield
    except BaseException as error:
        _record(name, uid, began, type(error).__name__, attributes)
        raise
    _record(name, uid, began, "", attributes)


def record(name: str, uid: str, began: int, **attributes: str | int) -> None:
    """As :func:`span`, for what began at ``began``, nanoseconds since the epoch, and ends now."""
    _record(name, uid, began, "", attributes)


def _record(name: str, uid: str, began: int, error: str, attributes: Mapping[str, str | int]) -> None:
    if _provider is None:
        return
    from opentelemetry import trace
    from opentelemetry.trace.status import Status, StatusCode

    ours = _identifiers(uid)
    context: Any = None
    if name != ROOT:
        parent = trace.SpanContext(*ours, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    given = _root.set(ours if name == ROOT else None)
    try:
        made = _provider.get_tracer("restyle").start_span(
            name, context, start_time=began, attributes={"restyle.task": uid, **attributes}
        )
        if error:
            made.set_status(Status(StatusCode.ERROR, error))
        made.end()
    finally:
        _root.reset(given)


def _identifiers(uid: str) -> tuple[int, int]:
    """Of a task's trace and of its root span; neither may be 0."""
    digest = hashlib.sha256(uid.encode()).digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:24], "big") or 1
