"""``/docs``: the wire on one page, rendered here, without a script and without a request to anybody."""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from functools import cache
from html import escape

from restyle.http.reference import EXAMPLE_KEYS, INTRODUCTION, STATUSES, Row, examples, own_rows, rows
from restyle.http.samples import ADDRESS, PYTHON_START, SHELL_START, python, shell
from restyle.http.table import ACTIONS, EXAMPLE_UID
from restyle.wire import answers, schema
from restyle.wire.codes import Code
from restyle.wire.fields import Limits
from restyle.wire.signature import HEADER, HEADER_SECONDS, SHOWN, sign, text_of

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --faint: #667; --line: #d9dce3; --paper: #fff; --code: #f4f5f8;
        --accent: #b4452c }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --faint: #9aa0ac; --line: #363b45;
        --paper: #16181d; --code: #1f232b; --accent: #ef9576 } }
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: var(--paper); font: 16px/1.55 system-ui, sans-serif }
nav { position: fixed; inset: 0 auto 0 0; width: 15rem; padding: 1.5rem; overflow: auto;
      border-right: 1px solid var(--line) }
nav a { display: block; padding: .15rem 0; color: inherit; text-decoration: none; overflow-wrap: anywhere }
nav a:hover, a { color: var(--accent) }
nav b { display: block; margin: 1rem 0 .3rem; color: var(--faint); font-size: .8rem; letter-spacing: .04em }
main { max-width: 66rem; margin-left: 15rem; padding: 1.5rem 2.5rem 5rem }
h1 { margin: .2rem 0 } h2 { margin: 3rem 0 .4rem; padding-top: 1rem; border-top: 1px solid var(--line) }
h4 { margin: 1rem 0 .2rem; font-size: .9rem }
h3 { margin: 1.6rem 0 .4rem; color: var(--faint); font-size: 1rem }
table { width: 100%; border-collapse: collapse; font-size: .92rem }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th { color: var(--faint); font-weight: 500 }
code, pre { font: .88em/1.5 ui-monospace, monospace }
code { background: var(--code); border-radius: 4px; padding: .1em .3em }
pre { padding: 1rem; overflow: auto; background: var(--code); border-radius: 8px } pre code { padding: 0 }
.required { color: var(--accent); font-weight: 600 }
@media (max-width: 50rem) {
  nav { position: static; width: auto; padding: 1rem; border: 0; border-bottom: 1px solid var(--line) }
  nav a { display: inline-block; margin-right: 1rem }
  main { margin: 0; padding: 1rem }
  table, tbody, tr, td { display: block } tr:first-child { display: none }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line) } td { padding: 0; border: 0 }
  td:empty { display: none } td, code { overflow-wrap: anywhere }
  pre { padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere }
}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but the style above may load or run."""

TYPES = ("Model", "InferenceParams")
ANSWER_TYPES = ("TaskDetail", "ModelEntry", "StyleEntry")


def page(limits: Limits, address: str) -> bytes:
    """The page of a service of these ``limits`` at ``address``, as UTF-8 HTML."""
    return _page(limits).replace(ADDRESS, escape(shlex.quote(address))).encode()


@cache
def _page(limits: Limits) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Restyle: the API</title><style>{STYLE}</style></head>
<body><nav>{_navigation()}</nav><main>
<h1>Restyle</h1><p>{_text(INTRODUCTION)} As a machine reads it: <a href="openapi.json">openapi.json</a>.</p>
{_signing()}{_step_by_step()}{"".join(_action(name, limits) for name in ACTIONS)}{_types()}{_codes()}
</main></body></html>
"""


def _navigation() -> str:
    def links(names: tuple[str, ...]) -> str:
        return "".join(f'<a href="#{name}">{name}</a>' for name in names)

    start = '<a href="#signature">Requests and answers</a><a href="#steps">A signature, step by step</a>'
    end = '<a href="#codes">Codes</a><a href="#statuses">HTTP statuses</a>'
    return (
        f"<b>Start</b>{start}<b>Actions</b>{links(tuple(ACTIONS))}"
        f"<b>Types</b>{links(TYPES + ANSWER_TYPES)}<b>Errors</b>{end}"
    )


def _signing() -> str:
    return (
        '<h2 id="signature">Requests and answers</h2>'
        + "<h3>Every request carries</h3>"
        + _fields(rows(schema.Request))
        + "<p>"
        + _text(
            "`Signature` is the SHA-1, in lower-case hex, of one text: every other field of the body, ascending by "
            "name, each name directly followed by its value, and the private key at the end. Values: `true` or "
            "`false`; numbers without a fraction of zeros and never in scientific notation; the elements of an array "
            "one after the other; the fields of an object like those of the body; nothing for null. "
            f"A key can be made to require the header `{HEADER}` as well: `t=<unix seconds>,v1=<hex>`, where v1 is the "
            f'HMAC-SHA256 of "t.body" under the private key and t is at most {HEADER_SECONDS} s away.'
        )
        + "</p><h3>Every answer carries</h3>"
        + _answer_fields(rows(answers.Answer, answer=True))
    )


def _step_by_step() -> str:
    public_key, private_key = EXAMPLE_KEYS
    body = {"Action": "ListTasksDetails", "TaskUIDList": [EXAMPLE_UID], "PublicKey": public_key}
    text, signed = text_of(body), {**body, "Signature": sign(body, private_key)}
    parts = [(f"<code>{name}</code>", f"<code>{escape(text_of({name: body[name]}))}</code>") for name in sorted(body)]
    check = f"printf %s '{text}{private_key}' | sha1sum\n{signed['Signature']}  -\n"
    return (
        '<h2 id="steps">A signature, step by step</h2>'
        f"<p>{_text(f'With the public key `{public_key}` and the private key `{private_key}`, of no account.')}</p>"
        f"<h3>1. The request, without a signature</h3>{_json(body)}"
        "<h3>2. Its fields, ascending by name (capital letters before small ones), each name directly before its value"
        f"</h3>{_table(('Field', 'Becomes'), parts)}"
        f"<h3>3. One after the other: the canonical text</h3>{_pre(text)}"
        f"<h3>4. The private key behind it, and the SHA-1 of all</h3>{_pre(check)}"
        f"<h3>5. The request, signed</h3>{_json(signed)}<p>"
        + _text(
            "Where a signature does not match (171), the `Message` tells how many characters the service would sign, "
            f"without the private key, their SHA-256, and the first and last {SHOWN}: `printf %s` your own text into "
            "`sha256sum` and compare. `sha1sum` is `shasum` on macOS."
        )
        + "</p><h3>To paste, before the examples below</h3>"
        f"<h4>Shell</h4>{_pre(SHELL_START)}<h4>Python</h4>{_pre(PYTHON_START)}"
    )


def _action(name: str, limits: Limits) -> str:
    action = ACTIONS[name]
    asked, answered = examples()[name]
    fields = _answer_fields(own_rows(action.answer, answers.Answer, answer=True))
    return (
        f'<h2 id="{name}">{name}</h2><p>{_text(action.request.__doc__ or "")}</p>'
        f"<h3>Request, besides what every one carries</h3>{_fields(own_rows(action.request, schema.Request, limits))}"
        f"<h3>Answer, besides what every one carries</h3>{fields}"
        f"<h3>With curl</h3>{_pre(shell(name))}<h3>In Python</h3>{_pre(python(name))}"
        f"<h3>A request and its answer</h3>{_json(asked)}{_json(answered)}"
    )


def _types() -> str:
    made = [f'<h2 id="{name}">{name}</h2>{_fields(rows(getattr(schema, name)))}' for name in TYPES]
    made += [
        f'<h2 id="{name}">{name}</h2>{_answer_fields(rows(getattr(answers, name), answer=True))}'
        for name in ANSWER_TYPES
    ]
    return "".join(made)


def _codes() -> str:
    codes = [(str(int(code)), escape(code.meaning)) for code in Code]
    statuses = [(str(status), _text(when)) for status, when in STATUSES.items()]
    return (
        f'<h2 id="codes">Codes</h2>{_table(("Code", "Meaning"), codes)}'
        '<h2 id="statuses">HTTP statuses</h2>'
        f"<p>{_text('200, also for errors, wherever `RetCode` tells. Otherwise:')}</p>"
        f"{_table(('Status', 'When'), statuses)}"
    )


def _fields(found: list[Row]) -> str:
    if not found:
        return "<p>Nothing.</p>"
    lines = [
        (
            f"<code>{row.name}</code>",
            _type(row.type),
            '<span class="required">required</span>' if row.required else _text(row.default),
            _text(row.takes),
            _text(row.meaning),
        )
        for row in found
    ]
    return _table(("Field", "Type", "Default", "Takes", "Meaning"), lines)


def _answer_fields(found: list[Row]) -> str:
    if not found:
        return "<p>Nothing.</p>"
    lines = [(f"<code>{row.name}</code>", _type(row.type), _text(row.meaning)) for row in found]
    return _table(("Field", "Type", "Meaning"), lines)


def _type(name: str) -> str:
    known = next((each for each in TYPES + ANSWER_TYPES if name.endswith(each)), None)
    return f'<a href="#{known}">{escape(name)}</a>' if known else escape(name)


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{each}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
    return f"<table><tr>{top}</tr>{body}</table>"


def _json(value: object) -> str:
    return _pre(json.dumps(value, indent=2, ensure_ascii=False))


def _pre(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def _text(text: str) -> str:
    """Plain text in which `back ticks` mark code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
