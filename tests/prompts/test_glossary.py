import pytest

from restyle.prompts.glossary import Glossary


def english(language: str, text: str) -> str:
    return Glossary(language).translate(text).text


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("es", "sofá gris", "gray sofa"),
        ("es", "lámpara de latón", "brass lamp"),
        ("es", "sofá gris y blanco", "gray and white sofa"),
        ("fr", "portrait d'une femme", "portrait of woman"),
        ("it", "pareti bianche", "white walls"),
        ("pt", "janelas grandes", "large windows"),
        ("vi", "bàn gỗ", "wooden table"),
        ("id", "ruang tamu gaya skandinavia", "Scandinavian style living room"),
        ("th", "ผนังสีขาว", "white wall"),
        ("de", "weiße Wände", "white walls"),
        ("de", "Marmorarbeitsplatte", "marble countertop"),
        ("ru", "в зелёной комнате", "in green room"),
        ("tr", "kalenin üzerinde", "on castle"),
        ("ko", "고양이를", "cat"),
        ("ko", "나무바닥", "wooden floor"),
        ("ja", "猫の上に", "on cat"),
        ("zh", "桌子上的猫", "on table cat"),
    ],
)
def test_phrases_read_as_english_keywords(language: str, text: str, expected: str) -> None:
    assert english(language, text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("es", "LAMPARA de LATON", "brass lamp"),
        ("zh", "猫，海滩。８Ｋ", "cat, beach.8K"),
        ("ja", "ｶﾒﾗ", "camera"),
        ("tr", "İSKANDİNAV", "Scandinavian"),
        ("vi", "hoà bình minh", "hoà sunrise"),
    ],
)
def test_letters_are_compared_without_width_case_and_accents(language: str, text: str, expected: str) -> None:
    assert english(language, text) == expected


def test_the_longest_phrase_wins() -> None:
    assert english("fr", "coucher de soleil") == "sunset"
    assert english("zh", "落地窗") == "floor-to-ceiling window"


def test_unknown_words_stay_and_are_reported() -> None:
    rendering = Glossary("es").translate("gato con zzyzx, Qwertz")
    assert rendering.text == "cat with zzyzx, Qwertz"
    assert rendering.kept == ("zzyzx", "Qwertz")


def test_unknown_chinese_and_thai_words_stay_whole() -> None:
    assert Glossary("zh").translate("猫，饕餮").kept == ("饕餮",)
    thai = Glossary("th").translate("แมว ฌำฌี")
    assert thai.text == "cat, ฌำฌี"
    assert thai.kept == ("ฌำฌี",)


def test_names_stay_whole_even_where_a_part_is_a_word() -> None:
    assert english("es", "gato en la Casa Batlló") == "cat in Casa Batlló"
    assert english("de", "eine Katze von Paul Klee") == "cat of Paul Klee"


def test_english_phrases_within_stay_as_they_are() -> None:
    assert english("de", "Katze, best quality, 4k UHD") == "cat, best quality, 4k UHD"
    assert english("zh", "猫,masterpiece") == "cat, masterpiece"


def test_wide_brackets_do_not_become_weights() -> None:
    assert english("zh", "富士山（冬天）") == "Mount Fuji, winter"


def test_spaces_between_thai_phrases_become_commas() -> None:
    assert english("th", "โซฟา หน้าต่าง") == "sofa, window"
