"""What the libraries under the engines read from the environment as they load, in processes that are Restyle's own."""

import os

OWN = {
    # Threads that wait for each other spin otherwise, and take the time of those they wait for on busy cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Every model is a file on this machine.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def prepare() -> None:
    """Set them before the first engine is imported; what whoever started the process has set stands."""
    for name, value in OWN.items():
        os.environ.setdefault(name, value)
