"""Kept styles on the form: the style there is kept under a name with its settings, put on again, and forgotten."""

from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.http import styles
from restyle.studio import shelf
from restyle.studio.ask import Ask
from restyle.studio.convert import form_again, form_values
from restyle.studio.form import Form, from_fields, kept_of, put_on, read, show
from restyle.studio.page import page
from restyle.studio.route import Route
from restyle.wire.errors import RestyleError


def keep(ask: Ask) -> Response:
    """Keep the style picture under the name that was given, with what the form says besides."""
    service, form, code = ask.studio.service, from_fields(ask.fields), ask.given("style_name").strip()
    conversion = read(form, service.registry, service.field_limits, ask.say)
    found = ask.studio.uploads.find(ask.account, [form.style])
    if not code:
        form.errors[""] = ask.say("Give the style a name.")
    if not (form.style in found or form.style.startswith(shelf.PREFIX)):
        form.errors["style"] = ask.say("Choose a style: one of the shelf, or a picture of your own.")
    if conversion is None or form.errors:
        return form_again(ask, form)
    try:
        if form.style in found:
            picture = service.storage.get(found[form.style].key)
        else:
            picture = shelf.picture(service, ask.account, form.style.removeprefix(shelf.PREFIX))
        styles.save(service, ask.account, code, picture, kept_of(conversion))
    except RestyleError as error:
        show(form, error, ask.say)
        return form_again(ask, form)
    form.style = f"{shelf.PREFIX}{code}"
    return _form(ask, form)


def put(ask: Ask) -> Response:
    """The form with a kept style in it, and its controls as that has them."""
    form, code = from_fields(ask.fields), ask.path("code")
    try:
        put_on(form, styles.find(ask.studio.service, ask.account, code).settings)
    except RestyleError:
        raise HTTPException(404) from None
    form.style = f"{shelf.PREFIX}{code}"
    return _form(ask, form)


def forget(ask: Ask) -> Response:
    """Forget a kept style; what was made in it stays."""
    form = from_fields(ask.fields)
    try:
        styles.delete(ask.studio.service, ask.account, ask.path("code"))
    except RestyleError:
        raise HTTPException(404) from None
    return _form(ask, form)


def _form(ask: Ask, form: Form) -> Response:
    return page(ask, "parts/form.html", **form_values(ask, form))


ROUTES = (
    Route("POST", "/styles", keep, heavy=True),
    Route("POST", "/styles/{code}", put),
    Route("POST", "/styles/{code}/forget", forget, writes=True),
)
