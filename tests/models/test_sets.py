"""The starter sets that come along, and those that an operator writes."""

from pathlib import Path

import pytest

from restyle.conversion.defaults import checked_defaults
from restyle.models.catalogue import Catalogue
from restyle.models.files.hub import Hub
from restyle.models.kinds import Architecture, Kind
from restyle.models.sets import starter_sets
from restyle.models.starter import steps
from restyle.wire.errors import RestyleError
from tests.support.starter import registrable


def test_every_set_that_comes_along_is_whole(tmp_path: Path) -> None:
    """What draws, a VAE that bears half precision, the style's way with its encoder, tile and canny, and few steps."""
    sets = starter_sets(tmp_path)
    assert list(sets) == ["sd15", "sdxl", "sdxl-fast"]
    for name, each in sets.items():
        main = each.models[each.main]
        kinds = [model.kind for model in each.models.values()]
        assert kinds.count(Kind.MAIN) == kinds.count(Kind.VAE) == kinds.count(Kind.IP_ADAPTER) == 1
        assert Kind.IMAGE_ENCODER in kinds
        assert [model.control for model in each.models.values() if model.kind is Kind.CONTROLNET] == ["tile", "canny"]
        assert (Kind.LORA in kinds) is (name != "sdxl-fast")
        assert main.negative_prompt
        assert {"Steps", "Sampler", "CFGScale"} == checked_defaults(Kind.MAIN, main.defaults).keys()
        architecture = Architecture.SD15 if name == "sd15" else Architecture.SDXL
        assert {model.architecture for model in each.models.values()} == {architecture, None}
        assert all(model.licence for model in each.models.values())


def test_addresses_are_those_of_the_hub_at_the_pinned_revision(tmp_path: Path) -> None:
    first = steps(Catalogue.read(tmp_path), starter_sets(tmp_path)["sd15"], Hub())[0]
    assert first.files[0].source.url == (
        "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/"
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14/v1-5-pruned-emaonly.safetensors"
    )
    assert first.licence.page == "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert (first.to_come(), first.is_done) == (4_265_146_304, False)


def test_an_operator_adds_sets_of_their_own_in_the_same_form(tmp_path: Path) -> None:
    data = registrable(tmp_path / "files").tell(tmp_path / "data")
    (data / "models" / "sets" / "more.toml").write_text('[set.small]\ntitle = "x"\nmodels = ["vae-sd15", "lora"]\n')
    sets = starter_sets(data)
    assert {"sd15", "tiny", "small"} <= sets.keys()
    assert list(sets["tiny"].models) == ["tiny", "vae", "control", "lora", "coder"]
    assert list(sets["small"].models) == ["vae-sd15", "lora"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('kind = "lora"', 'kind = "spell"', r"model\.lora\.kind: Input should be 'main', 'lora'"),
        ('path = "lora.safetensors"', 'path = "../lora.safetensors"', r"leads out of the repository"),
        ('path = "lora.safetensors"', 'path = "/etc/lora"', r"leads out of the repository"),
        ('licence = "Tiny Licence 1.0"', "", r"licence: Field required"),
        ('repository = "tiny/models"', 'repository = "https://x.test"', r"repository: String should match"),
        ("[set.tiny]", "[set.tiny]\nsize = 3", r"set\.tiny\.size: Extra inputs are not permitted"),
        ('main = "tiny"', 'main = "other"', r'names the model "other", which no file describes'),
        ('main = "tiny"', 'main = "vae"', r"only its main model is of kind main, and vae is vae"),
        ("[set.tiny]", "[set.tiny", r"Expected"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, old: str, new: str, reason: str) -> None:
    data = registrable(tmp_path / "files").tell(tmp_path / "data", **{old: new})
    with pytest.raises(RestyleError, match=rf"tiny\.toml is no file of starter sets: .*{reason}"):
        starter_sets(data)


def test_a_size_must_be_known_at_least_about(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "models" / "sets").mkdir(parents=True)
    (data / "models" / "sets" / "x.toml").write_text(
        '[model.a]\nname = "a"\nkind = "vae"\nrepository = "a/b"\nlicence = "MIT"\n'
        f'files = [{{ path = "a", sha256 = "{"0" * 64}" }}]\n'
    )
    with pytest.raises(RestyleError, match="a has neither bytes nor about"):
        starter_sets(data)
