"""The texts and the form of the Studio, without a browser."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from restyle.conversion.registry import Registry
from restyle.conversion.request import Conversion, Parameters
from restyle.http.table import ACTIONS
from restyle.images import decode
from restyle.images.limits import Limits as PictureLimits
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Architecture, Kind
from restyle.models.sets import SHIPPED, starter_sets
from restyle.queue.record import Status
from restyle.settings import Settings
from restyle.studio.controls import CONTROL_KINDS, LABELS, controls
from restyle.studio.form import control_kinds, from_fields, in_words, read
from restyle.studio.language import Language, language_for, languages
from restyle.studio.models import KINDS
from restyle.studio.operator import LIMITS
from restyle.styles.official import PICTURES as STYLES
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import Limits
from restyle.wire.names import PICTURES
from restyle.wire.ranges import RESIZE_MODES, SIDE, STEPS
from tests.support.command import PYTHONPATH
from tests.support.engines import THOROUGH_FAMILY

ROOT = files("restyle.studio")
CALLS = re.compile(r"""\b(?:_|say)\(\s*(?:"(.*?)"|'(.*?)')""")
JINJA = re.compile(r"{{.*?}}|{%.*?%}|{#.*?#}", re.DOTALL)
SPOKEN = re.compile(r"""\b(?:aria-label|title|placeholder|alt)="([^"]*)\"""")
NAMES = {
    "Restyle",
    "TaskUID",
    "ModelCode",
    "curl",
    "Python",
    "JSON",
    "UTC",
    "RESTYLE",
    "Ctrl",
    "Enter",
    "restyle keys create",
    "restyle models install",
}
"""What has the same name in every language."""


def templates() -> dict[str, str]:
    """Their texts by name."""
    found = [each for folder in ("", "parts", "operator") for each in (ROOT / "templates" / folder).iterdir()]
    return {each.name: each.read_text("utf-8") for each in found if each.name.endswith(".html")}


def texts() -> set[str]:
    """Everything that pages say."""
    sources = [each.read_text("utf-8") for each in ROOT.iterdir() if each.name.endswith(".py")]
    called = {"".join(found) for each in [*sources, *templates().values()] for found in CALLS.findall(each)}
    tables = {
        *LABELS.values(),
        *CONTROL_KINDS.values(),
        *KINDS.values(),
        *RESIZE_MODES,
        *(status.value for status in Status),
    }
    tables |= {code.meaning for code in Code if code is not Code.SUCCESS}
    tables |= {action.meaning for action in ACTIONS.values()} | {name for name, _ in STYLES.values()}
    tables |= {str(Settings.model_fields[name].description) for name in LIMITS}
    tables |= {each.title for each in starter_sets(SHIPPED.parent).values()}
    return called | tables | {"loading", "idle", "running", "stopping"}


def test_every_language_has_every_text_with_the_same_values() -> None:
    for language in languages().values():
        if not language.texts:
            continue
        assert texts() - language.texts.keys() == set(), language.code
        for text, translated in language.texts.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", translated)), text
        for text, translated in language.sentences.items():
            assert set(re.findall(r"\{\w+\}", text)) >= set(re.findall(r"\{\w+\}", translated)), text


def test_no_page_says_anything_past_the_catalogues() -> None:
    for name, text in templates().items():
        plain = JINJA.sub(" ", text)
        between = re.sub(r"<[^>]*>|[\w-]+=\"[^\"]*\"", " ", plain)
        shown = " ".join([between, *SPOKEN.findall(plain)])
        for known in NAMES:
            shown = shown.replace(known, " ")
        assert re.findall(r"[A-Za-z]{2,}", re.sub(r"&\w+;", " ", shown)) == [], name
    for script in (ROOT / "static").iterdir():
        if script.name.endswith(".js"):
            said = re.findall(r"""(?:textContent|innerText)\s*=\s*["'`]([^"'`$]+)""", script.read_text("utf-8"))
            assert said == [], script.name


def chinese() -> Language:
    return languages()["zh"]


def told(error: RestyleError) -> str:
    return in_words(error, chinese())


def refused(values: dict[str, object]) -> RestyleError:
    with pytest.raises(RestyleError) as caught:
        Conversion.read({"model": {"code": "x"}, **values}, Limits(prompts=2))
    return caught.value


def test_sentences_of_the_rooms_below_are_told_in_the_language_too() -> None:
    assert told(refused({"positive_prompts": ["a", "b", "c"]})) == "应出现的内容：有 3 条提示词，最多 2 条"
    assert told(refused({"width": 9})) == "宽：值为 9；应为 64 到 2560 之间的整数"
    with pytest.raises(RestyleError) as caught:
        decode.read_frame(b"", PictureLimits(9, 9), field="the picture")
    assert told(caught.value).startswith("图片是空文件")
    unknown = RestyleError(Code.ENGINE_FAILED, "something new went wrong")
    assert told(unknown) == "引擎失败：Something new went wrong"
    assert languages()["en"].failure(unknown.code, unknown.message) == "Something new went wrong"


def test_the_language_is_the_one_chosen_or_else_the_browsers() -> None:
    assert language_for("zh", "en").code == "zh"
    assert language_for(None, "de-DE,zh-CN;q=0.8,en;q=0.5").code == "zh"
    assert language_for("xx", "fr;q=nonsense,*").code == "en"


def test_the_form_knows_every_field_of_a_conversion() -> None:
    assert {*Conversion.model_fields, *Parameters.model_fields, *PICTURES} == LABELS.keys()
    assert CONTROL_KINDS.keys() == set(controls()["control_type"].options)
    steps, width = controls()["steps"], controls()["width"]
    assert (steps.minimum, steps.maximum) == (STEPS.minimum, STEPS.maximum)
    assert (width.minimum, width.maximum) == (SIDE.minimum, SIDE.maximum)


def test_the_form_asks_of_a_controlnet_what_is_there_for_the_model(tmp_path: Path) -> None:
    catalogue = Catalogue.read(tmp_path)
    family = replace(THOROUGH_FAMILY, architectures=frozenset({Architecture.SD15}), controls=frozenset({"canny"}))
    for code, kind, facts in (("real", Kind.MAIN, {}), ("net", Kind.CONTROLNET, {"controls": ["canny", "depth"]})):
        path = tmp_path / code
        path.touch()
        catalogue.add(Entry(code, code, kind, Architecture.SD15, path, "safetensors", code, 0, facts=facts))
    registry = Registry(Settings(data_dir=tmp_path), families=[family])
    assert control_kinds(registry, registry.mains["real"]) == ["canny", "depth", "tile"]

    def errors(**fields: str) -> dict[str, str]:
        form = from_fields([("model", "real"), ("raw", "r"), ("style", "s"), *fields.items()])
        read(form, registry, Limits(), languages()["en"])
        return form.errors

    assert errors(control_type="canny") == errors(control_type="depth", control_image="map") == {}
    assert errors(control_image="map") == {"control_type": "Say what the guide picture shows."}
    assert errors(control_type="depth") == {
        "control_image": "A photograph alone does not tell depth here. Bring a picture that shows it."
    }


def test_a_service_without_the_page_does_not_load_it() -> None:
    code = "import sys, restyle.http.server, restyle.cli.serve; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": PYTHONPATH},
    )
    loaded = json.loads(done.stdout)
    assert not [name for name in loaded if name.startswith("restyle.studio")]
    assert "jinja2" not in loaded
