"""What FastAPI would tell of itself: to a collector that the environment names, logs and figures, unasked."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

NO_TELEMETRY: "TelemetryConfig" = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""For every application of ours: traces are :mod:`restyle.tracing`'s, and go where its setting says.

Releases of FastAPI that tell nothing take it and do nothing with it."""
