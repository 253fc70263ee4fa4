"""Import this before torch, diffusers or transformers: no library may reach for the network, ever.

The libraries read these variables when they are imported.
"""

import os

VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DIFFUSERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "YES",
    "TOKENIZERS_PARALLELISM": "false",
    # cuBLAS repeats itself bit for bit only with a workspace of fixed size
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}

os.environ.update(VARIABLES)
