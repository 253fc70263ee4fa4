"""What the diffusion engine promises of its pictures, whatever the checkpoint."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from restyle.models.kinds import Architecture
from restyle.wire.errors import RestyleError
from tests.support.checkpoints import edit
from tests.support.pictures import picture
from tests.support.studio import RAW, STYLE, Studio, Sub

WORDS: dict[str, dict[str, Any]] = {
    "positive prompt": {"positive_prompts": ("a blue bus",)},
    "second positive prompt": {"positive_prompts": ("a red fox, watercolour", "at night")},
    "negative prompt": {"negative_prompts": ("blurry",)},
    "ClipSkip": {"clip_skip": 3},
}
"""Changes that other text encoders are told."""
CHANGES: dict[str, dict[str, Any]] = {
    **WORDS,
    "Steps": {"steps": 3},
    "Sampler": {"sampler": "DDIM"},
    "CFGScale": {"cfg_scale": 1.5},
    "Seed": {"seeds": (8,)},
    "StyleReferStrength": {"strength": 0.25},
    "style image": {"style": STYLE[::-1].copy()},
    "PreserveColor": {"preserve_color": True},
    "raw image": {"raw": RAW[::-1].copy()},
}


def distance(one: Any, other: Any) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize(
    ("base", "change"), [*(("sd15", name) for name in CHANGES), *(("sdxl", name) for name in WORDS)]
)
def test_each_parameter_acts(studio: Studio, base: str, change: str) -> None:
    assert distance(studio.once(f"{base} folder", **CHANGES[change]), studio.plain(f"{base} folder")) > 1


def test_both_forms_draw_the_same_and_repeat(studio: Studio, base: str) -> None:
    """To the byte, wherever the weights lie in a file."""
    first = studio.plain(f"{base} folder")
    for form in ("folder", "file"):
        assert np.array_equal(first, studio.draw(f"{base} {form}"))
    assert first.std() > 5


def test_strength_zero_is_the_raw_image(studio: Studio, base: str) -> None:
    assert np.array_equal(studio.draw(f"{base} folder", strength=0.0), RAW)


def test_the_weakest_styles_are_nearest_to_the_raw_image(studio: Studio, base: str) -> None:
    distances = [distance(studio.once(f"{base} folder", strength=s), RAW) for s in (0.005, 0.25, 0.5)]
    assert distances == sorted(distances)


def test_a_file_added_anew_with_another_prediction_acts_without_a_restart(studio: Studio, tmp_path: Path) -> None:
    """And as the same weights do that say so themselves, in a file by its marks or in a folder by its scheduler."""
    job = studio.job("sdxl file", own_vae=True)
    (main,) = job.files
    said = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    folder = tmp_path / "said"
    copytree(studio.files / "sdxl", folder)
    edit(folder / "scheduler" / "scheduler_config.json", **said)
    facts = {**main.facts, "prediction_type": "v_prediction", "zero_snr": True}
    marked = replace(main, facts=facts)
    by_folder = replace(marked, path=folder, format="folder", sha256="said", facts={"prediction_type": "v_prediction"})
    first, again, other = (
        next(iter(studio.engine.convert(replace(job, files=(file,)), lambda fraction: None)))
        for file in (main, marked, by_folder)
    )
    assert not np.array_equal(first, again)
    assert np.array_equal(again, other)


@pytest.mark.parametrize(
    ("base", "width", "height"), [("sd15", 65, 64), ("sdxl", 64, 79), ("sd15", 130, 100), ("sdxl", 130, 100)]
)
def test_results_have_the_exact_size(studio: Studio, base: str, width: int, height: int) -> None:
    raw = np.asarray(picture(height, width))
    assert studio.draw(f"{base} folder", raw=raw).shape == raw.shape == (height, width, 3)


def test_image_of_a_batch_equals_a_request_with_its_seed(studio: Studio, base: str) -> None:
    changes: dict[str, Any] = {"sampler": "Euler a"}
    batch = studio.batch(f"{base} folder", seeds=(7, 8), **changes)
    assert not np.array_equal(batch[0], batch[1])
    for drawn, seed in zip(batch, (7, 8), strict=True):
        assert np.array_equal(drawn, studio.draw(f"{base} folder", seeds=(seed,), **changes))


def test_a_second_request_with_the_same_models_loads_nothing(studio: Studio, base: str) -> None:
    """All of it is drawn again after the files are gone, and byte for byte."""
    own = {"architecture": Architecture(base)}
    subs = (Sub(f"{base} lora"), Sub(f"{base} word"), *((Sub("sd15 hyper"),) if base == "sd15" else ()))
    with (
        studio.registered("encoder"),
        studio.registered(f"{base}-ip.safetensors", **own),
        studio.registered(f"{base}-control", control="tile", **own),
        studio.registered(f"{base}-vae.safetensors", **own),
    ):
        job = studio.job(f"{base} file", subs, positive_prompts=("a zorp",))
    (first,) = studio.engine.convert(job, lambda fraction: None)
    away = studio.files.rename(studio.files.with_name("away"))
    try:
        (second,) = studio.engine.convert(job, lambda fraction: None)
    finally:
        away.rename(studio.files)
    assert np.array_equal(first, second)


class Stopped(Exception):
    pass


def stop(at: float) -> Any:
    def report(fraction: float) -> None:
        if fraction >= at:
            raise Stopped

    return report


def disturbances(studio: Studio, base: str) -> dict[str, list[Any]]:
    """Tasks of every kind, as calls: what one of a kind leaves behind, none of the same kind takes away."""
    model = f"{base} folder"
    subs: tuple[Sub, ...] = (Sub(f"{base} lora", 0.7), Sub(f"{base} peft lora", -0.5), Sub(f"{base} word"))
    subs += (Sub("sd15 hyper", 0.8),) if base == "sd15" else ()

    def stopped(at: float) -> None:
        with pytest.raises(Stopped):
            studio.draw(model, stop(at), subs=subs, seeds=(1, 2))

    def failed() -> None:
        with pytest.raises(RestyleError):
            studio.draw(model, subs=subs, clip_skip=40)

    def adapted(name: str, **wish: Any) -> None:
        with studio.registered(name, **wish):
            studio.draw(model, subs=subs)

    def seen(name: str, at: float) -> None:
        with studio.registered("encoder"), studio.registered(name, architecture=Architecture(base)):
            if at < 1:
                with pytest.raises(Stopped):
                    studio.draw(model, stop(at), subs=subs)
            else:
                studio.draw(model, subs=subs)

    return {
        "drawn": [
            lambda: studio.draw(model, subs=subs),
            lambda: studio.draw(model, raw=np.asarray(picture(104, 72))),  # above native size
            lambda: adapted(f"{base}-vae.safetensors", architecture=Architecture(base)),
            lambda: adapted(f"{base}-control", control="canny", architecture=Architecture(base)),
        ],
        "stopped": [lambda: stopped(0.0), lambda: stopped(0.4), lambda: stopped(0.8), failed],
        "IP-Adapter": [
            lambda: seen(f"{base}-ip.safetensors", 1),
            lambda: seen(f"{base}-ip.safetensors", 0.5),
            *([lambda: seen("sd15-ip-plus.safetensors", 1)] if base == "sd15" else []),  # read alike for the other
        ],
    }


def test_after_every_kind_of_task_the_engine_is_as_before(studio: Studio, base: str) -> None:
    before = studio.plain(f"{base} folder")
    for name, calls in disturbances(studio, base).items():
        for disturb in calls:
            disturb()
        assert np.array_equal(studio.draw(f"{base} folder"), before), name


def test_an_abandoned_batch_leaves_nothing_behind(studio: Studio, base: str) -> None:
    before = studio.plain(f"{base} folder")
    images = studio.engine.convert(
        studio.job(f"{base} folder", seeds=(1, 2), subs=(Sub(f"{base} lora"),)), lambda fraction: None
    )
    next(images)
    images.close()  # type: ignore[attr-defined]
    assert np.array_equal(studio.draw(f"{base} folder"), before)


def test_progress_rises_to_one_and_is_told_at_every_step(studio: Studio) -> None:
    seen: list[float] = []
    studio.batch("sd15 folder", seen.append, seeds=(1, 2), steps=4)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(set(seen)) > 2 * 4


def test_colours_can_be_kept(studio: Studio) -> None:
    changed, kept = (studio.once("sd15 folder", preserve_color=keep) for keep in (False, True))
    raw = RAW.reshape(-1, 3).mean(0)
    assert np.abs(kept.reshape(-1, 3).mean(0) - raw).max() < np.abs(changed.reshape(-1, 3).mean(0) - raw).max()
    assert distance(kept, RAW) > 1
