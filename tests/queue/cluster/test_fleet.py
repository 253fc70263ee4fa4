"""A fleet over HTTP: one address for clients, the drawing elsewhere."""

import time
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.support.fleet import Town
from tests.support.patience import NEVER, wait_for


def test_a_task_goes_through(fleet: Town) -> None:
    api = fleet.add("api", wait=False)
    worker = fleet.add("worker")
    api.wait_until_ready()
    began = time.monotonic()
    uid = api.submit()
    (task,) = api.wait([uid])
    print("seconds", time.monotonic() - began)
    assert (task["Status"], task["ErrorCode"]) == ("Finished", 0), task
    with Image.open(BytesIO(api.download(task["ImgList"][0]))) as image:
        assert (image.format, image.size) == ("PNG", (80, 64))
    assert not (worker.folder / "key").exists()
    assert not (worker.folder / "objects").exists()
    assert not (api.folder / "objects").exists()
    assert api.post("GetCreditBalance")["UsedCredits"] == 1
