import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restyle.conversion.defaults import checked_defaults
from restyle.models import install as installing
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.install import Wish, remove, verified
from restyle.models.kinds import Architecture, Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import models
from tests.support.models import arrays, save

LORA = models.lora({"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": 768})


def install(catalogue: Catalogue, path: Path, wish: Wish, **options: Any) -> Entry:
    return installing.install(catalogue, path, wish, check_defaults=checked_defaults, **options)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue.read(tmp_path / "data")


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return save(tmp_path / "ink.safetensors", LORA)


def test_a_model_is_registered_in_place(catalogue: Catalogue, lora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lora.parent)
    wish = Wish("ink", trigger_words=("ink style",), defaults={"LoraWeight": 1})
    entry = install(catalogue, Path("ink.safetensors"), wish)
    assert (entry.code, entry.name, entry.kind, entry.architecture) == ("ink", "ink", Kind.LORA, Architecture.SD15)
    assert entry.path == lora
    assert entry.sha256 == hashlib.sha256(lora.read_bytes()).hexdigest()
    assert entry.size == lora.stat().st_size
    assert Catalogue.read(catalogue.folder.parent).entries == (entry,)


def test_a_copy_is_kept_in_the_data_folder_and_goes_with_the_model(catalogue: Catalogue, lora: Path) -> None:
    entry = install(catalogue, lora, Wish("ink", copied=True))
    assert entry.path.parent == catalogue.folder / "files"
    lora.unlink()
    verified(catalogue, entry)
    remove(catalogue, "ink")
    assert list((catalogue.folder / "files").iterdir()) == []


def test_a_copied_folder_holds_what_is_read(catalogue: Catalogue, tmp_path: Path) -> None:
    model = models.folder(tmp_path / "m")
    (model / "huge.ckpt").write_bytes(bytes(1000))
    entry = install(catalogue, model, Wish("m", copied=True))
    assert not (entry.path / "huge.ckpt").exists()
    assert entry.size == sum(file.stat().st_size for file in entry.path.rglob("*") if file.is_file())
    verified(catalogue, entry)


def test_a_file_in_place_stays_when_it_is_removed(catalogue: Catalogue, lora: Path) -> None:
    install(catalogue, lora, Wish("ink"))
    remove(catalogue, "ink")
    assert lora.exists()


@pytest.mark.parametrize("copied", [False, True])
def test_weights_that_are_no_numbers_leave_nothing_behind(catalogue: Catalogue, lora: Path, copied: bool) -> None:
    bad = dict(LORA)
    name = next(iter(bad))
    bad[name] = np.full_like(bad[name], np.nan)
    save(lora, bad)
    with pytest.raises(RestyleError, match="NaN"):
        install(catalogue, lora, Wish("ink", copied=copied))
    assert Catalogue.read(catalogue.folder.parent).entries == ()
    assert not list(catalogue.folder.rglob("*ink*"))


def wish(**wishes: Any) -> Wish:
    return Wish(**{"code": "x", **wishes})


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (wish(kind=Kind.VAE), "those of kind lora, not of vae"),
        (wish(architecture=Architecture.SDXL), "those of SD 1.5, not of SDXL"),
        (wish(code=""), "1 to 128 printable"),
        (wish(code=" x"), "no space at either end"),
        (wish(code="a\nb"), "printable"),
        (wish(code="x" * 129), "1 to 128"),
        (wish(defaults={"Steps": 20}), "parameter Steps not available: it means nothing to a model of kind lora"),
        (wish(defaults={"LoraWeight": 3}), "LoraWeight not available: it is 3; give a Float from -1 to 2"),
        (wish(control="canny"), "only a ControlNet"),
        (wish(prediction_type="epsilon"), "only a main model"),
    ],
)
def test_wishes_that_do_not_fit(catalogue: Catalogue, lora: Path, wanted: Wish, reason: str) -> None:
    with pytest.raises(RestyleError, match=reason) as caught:
        install(catalogue, lora, wanted)
    assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE
    assert not catalogue.file.exists()


def test_a_code_that_is_taken_is_refused_before_anything_is_read(catalogue: Catalogue, lora: Path) -> None:
    install(catalogue, lora, Wish("ink"))
    read: list[int] = []

    def begin(total: int) -> Any:
        read.append(total)
        return lambda count: None

    with pytest.raises(RestyleError, match="registered already"):
        install(catalogue, lora, Wish("ink"), begin=begin)
    assert read == []


def test_the_operator_says_what_tensors_do_not(catalogue: Catalogue, tmp_path: Path) -> None:
    vae = save(tmp_path / "v", models.VAE)
    with pytest.raises(RestyleError, match=r"have the same tensors.*--architecture"):
        install(catalogue, vae, Wish("v"))
    assert install(catalogue, vae, Wish("v", architecture=Architecture.SDXL)).architecture is Architecture.SDXL

    control = save(tmp_path / "c", models.controlnet("sd15"))
    with pytest.raises(RestyleError, match="say one of canny, tile, depth"):
        install(catalogue, control, Wish("c"))
    assert install(catalogue, control, Wish("c", control="canny")).facts["control"] == "canny"

    checkpoint = save(tmp_path / "m", models.checkpoint("sdxl"))
    marked = save(tmp_path / "edm", models.checkpoint("sdxl") | arrays({"edm_vpred.sigma_max": ()}))
    with pytest.raises(RestyleError, match=r"prediction-type: the marks .* say what it predicts"):
        install(catalogue, marked, Wish("edm", prediction_type="epsilon"))
    assert install(catalogue, marked, Wish("edm")).facts["schedule"] == "edm"
    entry = install(catalogue, checkpoint, Wish("m", prediction_type="v_prediction"))
    assert entry.facts["prediction_type"] == "v_prediction"

    encoder = save(tmp_path / "e", models.image_encoder(1024, 24, 768))
    with pytest.raises(RestyleError, match="belongs to no architecture"):
        install(catalogue, encoder, Wish("e", architecture=Architecture.SD15))
    assert install(catalogue, encoder, Wish("e")).architecture is None


def test_a_unet_alone_needs_a_base(catalogue: Catalogue, tmp_path: Path) -> None:
    unet = save(tmp_path / "u", models.unet("sdxl"))
    with pytest.raises(RestyleError, match="say with --base"):
        install(catalogue, unet, Wish("u"))
    with pytest.raises(RestyleError, match="no model is registered"):
        install(catalogue, unet, Wish("u", base="large"))
    for code, family in (("large", "sdxl"), ("small", "sd15")):
        install(catalogue, save(tmp_path / code, models.checkpoint(family)), Wish(code))
    with pytest.raises(RestyleError, match="no whole main model of the same architecture"):
        install(catalogue, unet, Wish("u", base="small"))
    with pytest.raises(RestyleError, match="only a main model that is a UNet alone"):
        install(catalogue, tmp_path / "large", Wish("other", base="small"))
    found = install(catalogue, unet, Wish("u", base="large"))
    assert (found.facts["base"], found.facts["has_vae"]) == ("large", True)
    assert '"u" cannot draw now: it was completed by "large"' in remove(catalogue, "large")[1]


def test_an_embedding_is_called_by_its_code_unless_told(catalogue: Catalogue, tmp_path: Path) -> None:
    path = models.a1111_embedding(tmp_path / "e.pt", 768)
    assert install(catalogue, path, Wish("charm")).trigger_words == ("charm",)
    assert install(catalogue, path, Wish("other", trigger_words=("spell",))).trigger_words == ("spell",)
    with pytest.raises(RestyleError, match="no trigger words"):
        install(catalogue, save(tmp_path / "m", models.checkpoint("sd15")), Wish("m", trigger_words=("x",)))


def test_a_file_too_large_for_its_kind(catalogue: Catalogue, tmp_path: Path) -> None:
    wide = save(tmp_path / "y", arrays({"emb_params": (700, 50_000)}))
    with pytest.raises(RestyleError, match="a model of kind embedding has at most 67,108,864"):
        install(catalogue, wide, Wish("y", architecture=Architecture.SD15))


def test_a_changed_file_is_noticed(catalogue: Catalogue, lora: Path) -> None:
    entry = install(catalogue, lora, Wish("ink"))
    verified(catalogue, entry)
    changed = {name: tensor + 1 for name, tensor in LORA.items()}
    save(lora, changed)
    with pytest.raises(RestyleError, match="the file changed"):
        verified(catalogue, entry)
    save(lora, models.VAE)
    with pytest.raises(RestyleError, match="registered as a lora, and now is a vae"):
        verified(catalogue, entry)
    lora.unlink()
    with pytest.raises(RestyleError, match="no such file"):
        verified(catalogue, entry)


def test_removing_says_what_changes(catalogue: Catalogue, tmp_path: Path) -> None:
    vae = save(tmp_path / "v", models.VAE)
    for code in ("first", "second"):
        install(catalogue, vae, Wish(code, architecture=Architecture.SD15))
    install(catalogue, save(tmp_path / "h", models.image_encoder(1280, 32, 1024)), Wish("H"))
    install(catalogue, save(tmp_path / "ip", models.ip_adapter(16, 768)), Wish("ip"))
    install(catalogue, save(tmp_path / "m", models.checkpoint("sd15")), Wish("m"))

    assert remove(catalogue, "first")[1] == ['SD 1.5 models used it as their vae; now they use "second"']
    assert remove(catalogue, "second")[1] == [
        "SD 1.5 models used it as their vae; now they use the VAE built into each checkpoint"
    ]
    assert remove(catalogue, "H")[1] == [
        'the IP-Adapter "ip" has no image encoder now, and is not used until it has one'
    ]
    assert remove(catalogue, "m")[1] == ["no SD 1.5 checkpoint is left for ip"]
    assert "without an IP-Adapter" in remove(catalogue, "ip")[1][0]
    with pytest.raises(RestyleError) as caught:
        remove(catalogue, "ip")
    assert caught.value.code is Code.MODEL_NOT_FOUND
