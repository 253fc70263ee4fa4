"""What to convert, and how: from Python's arguments to the fields of ``ApplyReferenceStyle``."""

from base64 import b64encode
from typing import Any

from restyle.conversion.options import Options, check_names, models_of
from restyle.conversion.size import result_size, shrunk
from restyle.images.decode import check_header
from restyle.images.limits import Limits
from restyle.images.source import Source, to_file
from restyle.wire.names import FIELDS

ANY = Limits(max_bytes=1 << 31, max_pixels=178_000_000)
"""What the service takes is the service's to say; here only a size is read from a header."""


SENT_AS_THEY_ARE = frozenset(FIELDS) - {"model", "sub_models", "width", "height"}
"""Options whose value is that of a field."""


def fields(raw: Source, style: Source, options: Options) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of the request, and what the client is to know of what was chosen here, as the service's notices.

    Raises RestyleError (4003, 230) for pictures that cannot be read or sized.
    """
    found = chosen(options)
    raw_file = to_file(raw, field="raw")
    style_file = to_file(style, field="style")
    width, height = options.get("width"), options.get("height")
    notices: tuple[str, ...] = ()
    if width is None or height is None:
        info = check_header(raw_file, ANY, field="raw")
        have = info.width, info.height
        found_size = result_size(have, width, height)
        notices = shrunk(have, width, height, found_size)
        width, height = found_size
    pictures = [b64encode(file).decode("ascii") for file in (raw_file, style_file)]
    return found | {"Width": width, "Height": height, "ImageList": pictures}, notices


def chosen(options: Options) -> dict[str, Any]:
    """The fields that ``options`` give, without sizes and pictures: the raw image is the first, the style the second.

    Only what is given is sent: another service need not know what Restyle adds. Raises TypeError for an option there is
    not.
    """
    check_names(options)
    main, subs = models_of(options)
    found: dict[str, Any] = {"MainModel": main, "RawImageIndex": 0, "StyleImageIndex": 1}
    if "sub_models" in options or subs:
        found["SubModelList"] = subs
    for option, field in FIELDS.items():
        if option in SENT_AS_THEY_ARE and option in options:
            value = options[option]  # type: ignore[literal-required]
            found[field] = list(value) if field.endswith("Prompts") and not isinstance(value, bool | str) else value
    return found
