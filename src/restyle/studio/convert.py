"""The page where people convert: the form, and the stage beside it where a run appears."""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.accounts import credits
from restyle.conversion.models import MainModel
from restyle.conversion.registry import EXAMPLE_CODE
from restyle.conversion.seeds import batch_seeds
from restyle.http.envelope import stopping
from restyle.studio import shelf
from restyle.studio.ask import Ask
from restyle.studio.cards import Card, cards
from restyle.studio.controls import CONTROL_KINDS, controls
from restyle.studio.events import look
from restyle.studio.form import (
    FOLLOW,
    OWN,
    SHAPES,
    Form,
    asked_of_plan,
    control_kinds,
    fitting_subs,
    from_asked,
    from_fields,
    read,
    show,
    shows,
)
from restyle.studio.page import HEADERS, page
from restyle.studio.route import Route
from restyle.studio.runs import MOST_ITEMS, Recent, Run, Wanted
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import path
from restyle.wire.names import DEFAULT_MODEL

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of a strength strip."""
SEEDS = 4
"""Images of a seed strip."""
RECENT = 12
FOLDED = frozenset(
    {
        "negative_prompts",
        "steps",
        "cfg_scale",
        "clip_skip",
        "sampler",
        "sub_models",
        "resize_mode",
        "weight",
        "control_type",
        "control_image",
        "mask",
    }
)
"""Controls that stand behind the fold."""


def convert_page(ask: Ask) -> Response:
    """The form, as the address says, with nothing on the stage."""
    return _page(ask, _form_of_address(ask), None)


def run_page(ask: Ask) -> Response:
    """A run on the stage, and in the form what was asked for it."""
    run = _run(ask)
    chosen = _chosen(ask, run)
    item = run.items[chosen or 0]
    raws = [each.raw for each in run.items] if run.kind == "folder" else []
    form = from_asked(run.asked if chosen is None else item.asked, item, dict.fromkeys(raws))
    form.locked = False
    if run.kind == "batch":
        form.values["batch_size"] = str(len(run.items))
    return _page(ask, form, run)


def stage(ask: Ask) -> Response:
    """The stage alone."""
    return page(ask, "parts/stage.html", **_stage(ask, _run(ask)))


def item(ask: Ask) -> Response:
    """One item of a run, as it stands."""
    run, position = _run(ask), ask.whole("position")
    if position >= len(run.items):
        raise HTTPException(404)
    chosen = run.items[position]
    card = cards(ask, [(chosen, chosen.record)])[0]
    template = "parts/large.html" if ask.query("view") == "large" else "parts/small.html"
    return page(ask, template, run=run, card=card, place=None)


def state(ask: Ask) -> Response:
    """How a run stands, for a page whose stream fails."""
    return Response(json.dumps(look(ask, ask.path("run"))), 200, HEADERS, "application/json")


def settings(ask: Ask) -> Response:
    """The form again, with the controls of the model that was chosen."""
    return page(ask, "parts/form.html", **form_values(ask, from_fields(ask.fields)))


def convert(ask: Ask) -> Response:
    """Accept what the form asks for; its run appears on the stage."""
    service = ask.studio.service
    form = from_fields(ask.fields)
    conversion = read(form, service.registry, service.field_limits, ask.say)
    known = ask.studio.uploads.find(ask.account, form.pictures)
    if not form.raws:
        form.errors["raw"] = ask.say("Choose a photograph.")
    elif any(raw not in known for raw in form.raws):
        form.errors["raw"] = ask.say("This picture has expired. Choose it again.")
    if not form.style:
        form.errors["style"] = ask.say("Choose a style: one of the shelf, or a picture of your own.")
    elif not form.style.startswith(shelf.PREFIX) and form.style not in known:
        form.errors["style"] = ask.say("This picture has expired. Choose it again.")
    for name, picture in (("control_image", form.control), ("mask", form.mask)):
        if picture and picture not in known:
            form.errors[name] = ask.say("This picture has expired. Choose it again.")
    if conversion is None or form.errors:
        return form_again(ask, form)
    assert ask.who is not None
    service.rate.take(ask.who.public_key)
    if service.draining:
        raise stopping()
    service.check_storage()
    seed = conversion.seed if form.locked and conversion.seed >= 0 else batch_seeds(-1, conversion.batch_size)[0]
    asked = {**conversion.model_dump(mode="json"), "batch_size": 1, "seed": seed}
    names = {raw: known[raw].name for raw in form.raws}
    kind = ask.given("action", "convert")
    try:
        wanted, kind = _wanted(ask, form, asked, conversion.batch_size, kind, names)
        _check_cost(ask, wanted)
    except RestyleError as error:
        show(form, error, ask.say)
        return form_again(ask, form)
    run_id = ask.studio.runs.add(ask.account, kind, asked, wanted, priority=ask.who.priority)
    ask.studio.uploads.keep(list(known))
    ask.studio.feeder.ring()
    run = ask.studio.runs.find(ask.account, run_id)
    assert run is not None
    headers = {
        "HX-Push-Url": f"{ask.studio.base}/runs/{run_id}",
        "HX-Trigger": json.dumps({"studio:accepted": {"seed": seed}}),
    }
    return page(ask, "parts/stage.html", 200, headers, **_stage(ask, run))


def cancel(ask: Ask) -> Response:
    """End what of a run has not ended; its credits return."""
    run = _run(ask)
    ask.studio.runs.cancel_waiting(ask.account, run.id)
    for each in run.items:
        if each.uid is not None and not each.ended:
            try:
                ask.studio.tasks.terminate(ask.account, each.uid)
            except RestyleError as error:
                if error.code is not Code.TASK_ENDED:  # meanwhile it ended by itself
                    raise
            ask.studio.service.workforce.cancel(each.uid)
    return page(ask, "parts/stage.html", **_stage(ask, _run(ask)))


def again(ask: Ask) -> Response:
    """Try those items again that failed, and no others."""
    run = _run(ask)
    ask.studio.uploads.keep([name for each in run.items for name in each.pictures])
    ask.studio.runs.again(ask.account, run.id)
    ask.studio.feeder.ring()
    return page(ask, "parts/stage.html", **_stage(ask, _run(ask)))


def _run(ask: Ask) -> Run:
    run = ask.studio.runs.find(ask.account, ask.path("run"))
    if run is None:
        raise HTTPException(404)
    return run


def _chosen(ask: Ask, run: Run) -> int | None:
    """The item that the address names."""
    text = ask.query("item")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < len(run.items) else None


def main_models(ask: Ask) -> list[MainModel]:
    """The models that can draw, without the example's code where it is but another name."""
    mains = ask.studio.service.registry.mains.values()
    return [each for each in mains if not each.absence() and (each.code != EXAMPLE_CODE or each.entry is not None)]


def _wanted(
    ask: Ask, form: Form, asked: dict[str, Any], batch: int, kind: str, names: dict[str, str]
) -> tuple[list[Wanted], str]:
    """The items that a button asks for, each ``asked`` but for what it differs in, and the kind of their run."""
    seed = asked["seed"]

    def wanted(label: str, raw: str = form.raws[0], control: str = form.control, **changes: Any) -> Wanted:
        return Wanted(label, raw, form.style, control, form.mask, {**asked, **changes})

    if kind == "strength":
        return [wanted(f"{each:.1f}", strength=each) for each in STRENGTHS], kind
    if kind == "seed":
        return [wanted(str(each), seed=each) for each in range(seed, min(seed + SEEDS, 2**31))], kind
    if kind == "model":
        return [wanted(each.name, **_with_model(asked, each)) for each in main_models(ask)], kind
    seeds = range(seed, min(seed + batch, 2**31))
    found = [
        wanted(names[raw] if len(form.raws) > 1 or len(seeds) == 1 else str(each), raw, seed=each)
        for raw in form.raws
        for each in seeds
    ]
    if len(found) > MOST_ITEMS:
        message = f"{len(found):,} images are too many at once; {MOST_ITEMS:,} are the most"
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, message, field="raw")
    return found, "folder" if len(form.raws) > 1 else "batch" if len(found) > 1 else "single"


def _with_model(one: dict[str, Any], model: MainModel) -> dict[str, Any]:
    """The same asked of another model, without what was set for the first."""
    if one["model"]["code"] == model.code:
        return {}
    return {
        "model": {"code": model.code, "parameters": {}},
        "sub_models": [],
        "use_main_model_vae": False,
        "control": "",
        "control_type": None,
    }


def _check_cost(ask: Ask, wanted: Sequence[Wanted]) -> None:
    """Raises RestyleError for what cannot be planned, and (4007) where the account lacks credits for all of it."""
    total = sum(ask.studio.feeder.planned(ask.account, each, named=path).cost for each in wanted)
    balance = credits.balance(ask.studio.service.db, ask.account)
    left = balance.total - balance.used
    if not balance.unlimited and total > left:
        message = f"this costs {total:,} credits, and the account has {left:,} left"
        raise RestyleError(Code.CREDITS_INSUFFICIENT, message)


def _form_of_address(ask: Ask) -> Form:
    """The form as the address says: pictures, and the settings of a task of the account."""
    form = Form()
    if uid := ask.query("from"):
        spec = ask.studio.runs.spec(ask.account, uid)
        record = ask.studio.tasks.details(ask.account, [uid])[0] if spec is not None else None
        if spec is not None and record is not None:
            made_for = ask.studio.runs.of_tasks([uid]).get(uid)
            form = from_asked(made_for.asked if made_for else asked_of_plan(spec, record.seed), made_for)
    if raw := ask.query("raw"):
        form.raws = [raw]
    if style := ask.query("style"):
        form.style = style
    return form


def form_again(ask: Ask, form: Form) -> Response:
    """The form with what is wrong at its fields, and all that was typed."""
    headers = {"HX-Retarget": "#form", "HX-Reswap": "morph:outerHTML"}
    return page(ask, "parts/form.html", 422, headers, **form_values(ask, form))


def form_values(ask: Ask, form: Form) -> dict[str, Any]:
    """What the template of the form needs."""
    service = ask.studio.service
    models = main_models(ask)
    if not form.model and models:
        codes = [each.code for each in models]
        form.model = DEFAULT_MODEL if DEFAULT_MODEL in codes else codes[0]
    model = service.registry.mains.get(form.model)
    known = ask.studio.uploads.find(ask.account, form.pictures)
    form.control, form.mask = (name if name in known else "" for name in (form.control, form.mask))
    form.raws = [raw for raw in form.raws if raw in known]
    shelved = shelf.shelf(service, ask.account, ask.say)
    if form.style not in known and form.style not in {each.value for each in shelved}:
        form.style = ""
    return {
        "form": form,
        "model": model,
        "models": models,
        "controls": controls(),
        "shows": lambda name: shows(name, model, service.registry),
        "control_kinds": {kind: CONTROL_KINDS[kind] for kind in control_kinds(service.registry, model)},
        "subs": fitting_subs(service.registry, model),
        "shapes": SHAPES,
        "unfolded": _in_use(form) or any(name in FOLDED for name in form.errors),
        "follow": FOLLOW,
        "own": OWN,
        "uploads": known,
        "shelf": shelved,
        "samplers": list(model.family.samplers) if model is not None else [],
    }


def _in_use(form: Form) -> bool:
    """Whether something behind the fold was chosen that a person should see."""
    return bool(form.subs or form.control or form.mask or form.values.get("control_type"))


def _stage(ask: Ask, run: Run | None) -> dict[str, Any]:
    """What the template of the stage needs."""
    if run is None:
        return {"run": None, "cards": [], "large": None}
    chosen = _chosen(ask, run)
    if len(run.items) == 1:
        chosen = 0
    shown = [run.items[chosen]] if chosen is not None else list(run.items)
    found = cards(ask, [(each, each.record) for each in shown])
    large = found[0] if chosen is not None else None
    return {"run": run, "cards": [] if large else found, "large": large}


def recent(ask: Ask) -> Response:
    """The latest runs alone."""
    return page(ask, "parts/recent.html", recent=_recent(ask))


def _recent(ask: Ask) -> list[tuple[Recent, Card]]:
    latest = ask.studio.runs.recent(ask.account, RECENT)
    return list(zip(latest, cards(ask, [(each.first, each.first.record) for each in latest]), strict=True))


def _page(ask: Ask, form: Form, run: Run | None) -> Response:
    return page(ask, "convert.html", **form_values(ask, form), **_stage(ask, run), recent=_recent(ask))


ROUTES = (
    Route("GET", "", convert_page),
    Route("GET", "/", convert_page),
    Route("POST", "/convert", convert, writes=True),
    Route("POST", "/settings", settings),
    Route("GET", "/recent", recent),
    Route("GET", "/runs/{run}", run_page),
    Route("GET", "/runs/{run}/stage", stage),
    Route("GET", "/runs/{run}/state", state),
    Route("GET", "/runs/{run}/items/{position}", item),
    Route("POST", "/runs/{run}/cancel", cancel, writes=True),
    Route("POST", "/runs/{run}/again", again, writes=True),
)
