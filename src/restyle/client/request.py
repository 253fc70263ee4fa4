"""What to convert, and how: from Python's arguments to the fields of ``ApplyReferenceStyle``."""

from base64 import b64encode
from typing import Any

from restyle.conversion.options import OF_THE_MODEL, Options, check_names, models_of, pictures_of, to_keep
from restyle.conversion.size import result_size, shrunk
from restyle.conversion.style import wire_fields
from restyle.conversion.stylecode import is_code
from restyle.images.decode import check_header
from restyle.images.limits import Limits
from restyle.images.source import Source, to_file
from restyle.wire.names import FIELDS, PICTURES

ANY = Limits(max_bytes=1 << 31, max_pixels=178_000_000)
"""What the service takes is the service's to say; here only a size is read from a header."""


SENT_AS_THEY_ARE = frozenset(FIELDS) - {"model", "sub_models", "width", "height"}
"""Options whose value is that of a field."""


def fields(raw: Source, style: Source, options: Options) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of the request, and what the client is to know of what was chosen here, as the service's notices.

    A style that is the name of a kept one goes as ``StyleCode``. Raises RestyleError (4003, 230) for pictures that
    cannot be read or sized.
    """
    found = chosen(options)
    files = [to_file(raw, field="raw")]
    if is_code(style):
        found["StyleCode"] = style
        if not names_model(options):
            del found["MainModel"]  # which is the style's, then
    else:
        found["StyleImageIndex"] = 1
        files.append(to_file(style, field="style"))
    for name, picture in pictures_of(options).items():
        found[PICTURES[name]] = len(files)
        files.append(to_file(picture, field=name))
    width, height = options.get("width"), options.get("height")
    notices: tuple[str, ...] = ()
    if width is None or height is None:
        info = check_header(files[0], ANY, field="raw")
        have = info.width, info.height
        found_size = result_size(have, width, height)
        notices = shrunk(have, width, height, found_size)
        width, height = found_size
    pictures = [b64encode(file).decode("ascii") for file in files]
    return found | {"Width": width, "Height": height, "ImageList": pictures}, notices


def names_model(options: Options) -> bool:
    """Whether ``options`` say which model draws, or how it is run."""
    return "model" in options or runs_model(options)


def runs_model(options: Options) -> bool:
    """Whether ``options`` say how the model is run."""
    return any(options.get(name) is not None for name in OF_THE_MODEL)


def saved(code: str, picture: Source, options: Options) -> dict[str, Any]:
    """The fields of ``SaveStyle``. Raises RestyleError (4003, 230) for a picture or an option that cannot be kept."""
    image = b64encode(to_file(picture, field="picture")).decode("ascii")
    return {"StyleCode": code, "StyleImage": image, **wire_fields(to_keep(options))}


def chosen(options: Options) -> dict[str, Any]:
    """The fields that ``options`` give, without sizes, the style and pictures, of which the raw image is the first.

    Only what is given is sent: another service need not know what Restyle adds. Raises TypeError for an option there is
    not.
    """
    check_names(options)
    main, subs = models_of(options)
    found: dict[str, Any] = {"MainModel": main, "RawImageIndex": 0}
    if "sub_models" in options or subs:
        found["SubModelList"] = subs
    for option, field in FIELDS.items():
        if option in SENT_AS_THEY_ARE and option in options:
            value = options[option]  # type: ignore[literal-required]
            found[field] = list(value) if field.endswith("Prompts") and not isinstance(value, bool | str) else value
    return found
