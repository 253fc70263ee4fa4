import pytest

from restyle.prompts.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("猫が座っている", "ja"),
        ("桜の木", "ja"),
        ("北欧风格客厅", "zh"),
        ("水墨画", "zh"),
        ("고양이", "ko"),
        ("แมวบนชายหาด", "th"),
        ("кошка на пляже", "ru"),
        ("un chat sur la plage", "fr"),
        ("un gato en la playa, atardecer", "es"),
        ("un gatto sulla spiaggia al tramonto", "it"),
        ("eine Katze am Strand", "de"),
        ("plajda bir kedi, gün batımı", "tr"),
        ("um gato na praia, pôr do sol", "pt"),
        ("con mèo trên bãi biển", "vi"),
        ("kucing di pantai dengan topi jerami", "id"),
        ("soggiorno", "it"),
        ("Wohnzimmer", "de"),
    ],
)
def test_each_language_is_told(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8k, 4k, !!!",
        "masterpiece, best quality, 1girl, solo, looking at viewer",
        "a photo of an astronaut riding a horse on mars, trending on artstation, by Greg Rutkowski",
        "Oil painting in the style of Van Gogh",
        "portrait of Emma Watson as a Jedi",
        "ultra realistic croissant, bistro table, Parisian café",
        "chihuahua wearing sombrero",
    ],
)
def test_english_is_english_whatever_it_borrows(text: str) -> None:
    assert detect(text) == "en"


def test_english_tags_do_not_hide_another_language() -> None:
    assert detect("masterpiece, best quality, highly detailed, ein Haus am See") == "de"


def test_chinese_characters_alone_are_japanese_where_only_japanese_knows_them() -> None:
    assert detect("夕焼け") == "ja"
    assert detect("観葉植物") == "ja"
