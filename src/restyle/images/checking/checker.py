"""A checker process, ``python -m restyle.images.checking.checker``: it looks at the pictures that strangers send.

Each comes on standard input, as a line of JSON and the bytes of its file, and is answered on standard output with a
line of JSON. A decoder that a picture breaks, or that runs or grows past the picture's share, takes this process with
it and nothing else. So nothing large is imported here, one picture is looked at at a time, and in one thread.
"""

import base64
import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import pi_heif.options
from PIL import AvifImagePlugin

from restyle.images.checking.share import LARGE_BYTES, Share
from restyle.images.decode import check_pixels, pixels_of_views, read_frame, views
from restyle.images.encode import encode
from restyle.images.limits import Limits
from restyle.wire.errors import RestyleError

OOM_SCORE = 1000
VIEW_BYTES = 24
"""For each pixel that smaller pictures are made of: as it is decoded, upright, in sRGB, in pieces and as an array."""
VIEW_QUALITY = 85
PICTURES = 1000
"""After so many a fresh process takes over, whatever leaked."""


def main() -> None:
    """Answer until standard input ends."""
    # A terminal's Ctrl-C and systemd's SIGTERM reach the whole group; when a checker ends is the service's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    AvifImagePlugin.DEFAULT_MAX_THREADS = pi_heif.options.DECODE_THREADS = 1
    _offer_to_the_oom_killer()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
        for number in range(1, PICTURES + 1):
            line = sys.stdin.buffer.readline()
            if not line:
                return
            answer = _answer(json.loads(line))
            answers.write(json.dumps({"last": number == PICTURES, **answer}).encode() + b"\n")
            answers.flush()
            if answer.get("last"):
                return


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    """``large`` for a picture to be sent again when it may take that much; nothing for a good one, or its size
    and ``views`` in Base64 where these were asked for; else what it is.

    ``last`` says that this process ends: what a failed allocation leaves behind is not worth knowing.
    """
    field = task["field"]
    try:
        share = Share(task["size"], task["seconds"])
        data = sys.stdin.buffer.read(task["size"])
        frame = read_frame(data, Limits(task["max_bytes"], task["max_pixels"]), field=field)
        if not task["decode"]:
            return {}
        sides = task.get("sides", [])
        more = VIEW_BYTES * pixels_of_views(frame, sides)
        if frame.scratch + more > LARGE_BYTES and not task["large"]:
            return {"large": True}
        share.grow(frame, more)
        if sides:
            info, pixels = views(data, frame, sides, field=field)
            files = [base64.b64encode(encode(each, None, "JPEG", VIEW_QUALITY)).decode() for each in pixels]
            return {"width": info.width, "height": info.height, "views": files}
        check_pixels(data, frame, field=field)
        return {}
    except RestyleError as error:
        return {"unreadable": error.message}
    except MemoryError:
        what = "needs more memory to be decoded than its size accounts for"
        return {"unreadable": f"{field} {what}; send it saved anew", "last": True}
    except Exception:  # noqa: BLE001 - a defect of ours, which the service tells its operator
        return {"broken": traceback.format_exc(), "last": True}


def _offer_to_the_oom_killer() -> None:
    """If memory runs out, let Linux end this process rather than any other. Elsewhere there is no such file."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


if __name__ == "__main__":
    main()
