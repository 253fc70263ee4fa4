"""The texts and the form of the Studio, without a browser."""

import json
import re
import subprocess
import sys
from importlib.resources import files

from restyle.conversion.request import Conversion, Parameters
from restyle.studio.form import LABELS, controls
from restyle.studio.language import language_for, languages
from restyle.wire.ranges import SIDE, STEPS
from tests.support.command import PYTHONPATH

ROOT = files("restyle.studio")
CALLS = re.compile(r"""\b(?:_|say)\(\s*(["'])(.*?)\1""")


def texts() -> set[str]:
    """Everything that pages say."""
    templates = [each for folder in ("", "parts", "operator") for each in (ROOT / "templates" / folder).iterdir()]
    sources = [each for each in [*templates, *ROOT.iterdir()] if each.name.endswith((".html", ".py"))]
    return {found[1] for each in sources for found in CALLS.findall(each.read_text("utf-8"))} | set(LABELS.values())


def test_every_language_has_every_text_with_the_same_values() -> None:
    for language in languages().values():
        if not language.texts:
            continue
        assert texts() - language.texts.keys() == set(), language.code
        for text, translated in language.texts.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", translated)), text


def test_the_language_is_the_one_chosen_or_else_the_browsers() -> None:
    assert language_for("zh", "en").code == "zh"
    assert language_for(None, "de-DE,zh-CN;q=0.8,en;q=0.5").code == "zh"
    assert language_for("xx", "fr;q=nonsense,*").code == "en"


def test_the_form_knows_every_field_of_a_conversion() -> None:
    assert {*Conversion.model_fields, *Parameters.model_fields} == LABELS.keys()
    steps, width = controls()["steps"], controls()["width"]
    assert (steps.minimum, steps.maximum) == (STEPS.minimum, STEPS.maximum)
    assert (width.minimum, width.maximum) == (SIDE.minimum, SIDE.maximum)


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
