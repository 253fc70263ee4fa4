import threading
from dataclasses import replace
from pathlib import Path

import pytest

from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Architecture, Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.patience import PATIENCE

ENTRY = Entry("My Model", "Mine", Kind.MAIN, Architecture.SD15, Path("/models/a.safetensors"), "safetensors", "ab", 12)
FULL = replace(
    ENTRY,
    code="ink",
    kind=Kind.LORA,
    trigger_words=("ink style", 'a "quoted" 字'),
    defaults={"LoraWeight": 0.5},
    facts={"layout": "kohya", "text_encoder": False, "widths": [320, 768]},
    is_default=True,
)


def vae(code: str, architecture: Architecture = Architecture.SD15, *, default: bool = False) -> Entry:
    return replace(ENTRY, code=code, kind=Kind.VAE, architecture=architecture, is_default=default)


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    catalogue = Catalogue.read(tmp_path)
    assert not catalogue.entries
    catalogue.add(ENTRY)
    catalogue.add(FULL)
    again = Catalogue.read(tmp_path)
    assert again.entries == catalogue.entries == (ENTRY, FULL)
    assert again.get("ink") == FULL
    assert again.main("My Model") == ENTRY
    assert again.of(Kind.LORA) == [FULL]
    assert again.of(Kind.LORA, Architecture.SDXL) == []


def test_a_copy_in_the_data_folder_moves_with_it(tmp_path: Path) -> None:
    here = Catalogue.read(tmp_path / "a")
    here.add(replace(ENTRY, path=here.folder / "files" / "x.safetensors"))
    (tmp_path / "a").rename(tmp_path / "b")
    there = Catalogue.read(tmp_path / "b")
    assert there.get("My Model").path == tmp_path / "b" / "models" / "files" / "x.safetensors"


def test_a_code_is_given_once(tmp_path: Path) -> None:
    catalogue = Catalogue.read(tmp_path)
    catalogue.add(ENTRY)
    with pytest.raises(RestyleError, match="registered already") as caught:
        Catalogue.read(tmp_path).add(replace(FULL, code="My Model"))
    assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE
    assert Catalogue.read(tmp_path).entries == (ENTRY,)


def test_removing(tmp_path: Path) -> None:
    catalogue = Catalogue.read(tmp_path)
    catalogue.add(ENTRY)
    assert catalogue.remove("My Model") == ENTRY
    assert Catalogue.read(tmp_path).entries == catalogue.entries == ()
    for miss in (catalogue.remove, catalogue.get, catalogue.main):
        with pytest.raises(RestyleError, match="My Model") as caught:
            miss("My Model")
        assert caught.value.code is Code.MODEL_NOT_FOUND


def test_the_default_is_the_one_marked_else_the_first(tmp_path: Path) -> None:
    catalogue = Catalogue.read(tmp_path)
    for entry in (vae("a"), vae("b"), vae("x", Architecture.SDXL, default=True)):
        catalogue.add(entry)
    assert catalogue.default(Kind.VAE, Architecture.SD15) == vae("a")
    catalogue.add(vae("c", default=True))
    assert catalogue.default(Kind.VAE, Architecture.SD15) == vae("c", default=True)
    catalogue.add(vae("d", default=True))
    assert catalogue.default(Kind.VAE, Architecture.SD15) == vae("d", default=True)
    assert catalogue.get("c") == vae("c")
    assert catalogue.default(Kind.VAE, Architecture.SDXL) == vae("x", Architecture.SDXL, default=True)
    assert catalogue.default(Kind.CONTROLNET, Architecture.SD15) is None


@pytest.mark.parametrize(("plus", "clip", "code"), [(False, 1024, "H"), (True, 1280, "H"), (False, 1280, "bigG")])
def test_an_adapter_finds_the_encoder_it_was_made_for(tmp_path: Path, plus: bool, clip: int, code: str) -> None:
    catalogue = Catalogue.read(tmp_path)
    for name, hidden, projection in (("L", 1024, 768), ("H", 1280, 1024), ("bigG", 1664, 1280)):
        facts = {"hidden": hidden, "projection": projection}
        catalogue.add(replace(ENTRY, code=name, kind=Kind.IMAGE_ENCODER, architecture=None, facts=facts))
    adapter = replace(ENTRY, kind=Kind.IP_ADAPTER, facts={"plus": plus, "clip_dim": clip})
    found = catalogue.image_encoder(adapter)
    assert found is not None
    assert found.code == code
    assert catalogue.image_encoder(replace(adapter, facts={"plus": plus, "clip_dim": 5})) is None


def test_the_stamp_tells_of_changes_by_others(tmp_path: Path) -> None:
    catalogue = Catalogue.read(tmp_path)
    assert catalogue.stamp() is catalogue.read_at is None
    Catalogue.read(tmp_path).add(ENTRY)
    assert catalogue.stamp() != catalogue.read_at
    again = Catalogue.read(tmp_path)
    assert again.stamp() == again.read_at


def test_additions_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def add(number: int) -> None:
        Catalogue.read(tmp_path).add(replace(ENTRY, code=f"model {number}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert {entry.code for entry in Catalogue.read(tmp_path).entries} == {f"model {number}" for number in range(12)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[model]]\ncode = ", "catalogue.toml is broken"),
        ('[[model]]\ncode = "x"\n', "'name' is missing"),
        ('[[model]]\ncode = "x"\nname = "x"\nkind = "spell"\n', "'spell' is not a valid Kind"),
        ("model = 5\n", "is broken"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    Catalogue.read(tmp_path).add(ENTRY)
    Catalogue.read(tmp_path).file.write_text(text)
    with pytest.raises(RestyleError, match=reason) as caught:
        Catalogue.read(tmp_path)
    assert caught.value.code is Code.INTERNAL_ERROR
