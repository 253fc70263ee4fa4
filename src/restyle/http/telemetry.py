"""What FastAPI would tell of itself: to a collector that the environment names, logs and figures, unasked."""

from typing import Final

NO_TELEMETRY: Final = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""For every application of ours: traces are :mod:`restyle.tracing`'s, and go where its setting says."""
