from pathlib import Path

import pytest

from restyle.prompts.packages import install
from restyle.prompts.translator import MOST_KEPT, Translator

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


def test_english_passes_byte_for_byte_and_says_nothing(tmp_path: Path) -> None:
    prompts = ["a cat  on   the beach,, (sunset:1.3) , <lora:x:1>\n", "Café  terrace, [blurry]", ""]
    translation = Translator(tmp_path).translate(prompts, ["sks"])
    assert translation.prompts == tuple(prompts)
    assert translation.notices == ()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            r"(可爱的猫:1.2), ((海滩)), [日落] BREAK \(水彩\) <lora:雪:0.8>, sks狗, My_Emb-7",
            r"(cute cat:1.2), ((beach)), [sunset] BREAK \(watercolor\) <lora:雪:0.8>, sks dog, My_Emb-7",
        ),
        ("（可爱的猫：1.2）, ［日落］", "(cute cat:1.2), [sunset]"),
        (
            r"un gato con ((sombrero de paja)) [playa] \(acuarela\), estilo de Van Gogh, gato-v2",
            r"cat with ((straw hat)) [beach] \(watercolor\), style of Van Gogh, gato-v2",
        ),
    ],
)
def test_syntax_triggers_and_names_survive(prompt: str, expected: str, tmp_path: Path) -> None:
    assert Translator(tmp_path).translate([prompt], ["sks", "My_Emb-7", "gato-v2"]).prompts == (expected,)


def test_each_prompt_has_its_own_language_and_notice(tmp_path: Path) -> None:
    translation = Translator(tmp_path).translate(["Katze am Strand", "a dog", "猫 zzyzx 饕餮"])
    assert translation.prompts == ("cat at beach", "a dog", "cat zzyzx 饕餮")
    assert translation.notices == (
        'Prompt "Katze am Strand" was translated from German (glossary).',
        'Prompt "猫 zzyzx 饕餮" was translated from Chinese (glossary); not translated: 饕餮.',
    )


def test_a_notice_stays_short(tmp_path: Path) -> None:
    unknown = [f"ж{letter}щыъ" for letter in "абвгдежзик"]
    (notice,) = Translator(tmp_path).translate([f"кошка, {', '.join(unknown)}"]).notices
    assert notice.endswith(f"{unknown[MOST_KEPT - 1]} and 2 more.")
    assert len(notice) < 250


def test_an_installed_model_translates_instead_of_the_glossary(marian: Path, tmp_path: Path) -> None:
    install(tmp_path, marian, "zh")
    prompt = "(小猫:1.2), 海滩 <lora:x:0.5> BREAK 日落, sks, Van Gogh, masterpiece"
    translation = Translator(tmp_path).translate([prompt, "kedi"], ["sks"])
    assert translation.prompts == (
        "(feline:1.2), sandy shore <lora:x:0.5> BREAK evening sun, sks, Van Gogh, masterpiece",
        "cat",
    )
    assert "from Chinese (neural)" in translation.notices[0]
    assert "from Turkish (glossary)" in translation.notices[1]


def test_a_broken_model_leaves_the_work_to_the_glossary_and_says_so(marian: Path, tmp_path: Path) -> None:
    install(tmp_path, marian, "zh")
    (tmp_path / "languages" / "zh" / "model" / "model.bin").write_bytes(b"not a model")
    translator = Translator(tmp_path)
    for _ in range(2):
        translation = translator.translate(["小猫，海滩"])
        assert translation.prompts == ("cat, beach",)
        assert "(glossary); the installed language package failed" in translation.notices[0]
