"""How a kept style's name is told from a picture's. Nothing large is imported here: the command asks as it starts."""

import re

LIKE_A_FILE = re.compile(r"[/\\]|\.[A-Za-z][A-Za-z0-9]{1,4}$")
"""What tells a path from a StyleCode: a separator, or the end of a file's name."""


def is_code(style: object) -> bool:
    """Whether what stands for a style is the StyleCode of a kept one, and no picture: a text that is not like a path.

    ``woodcut`` is a style, ``woodcut.jpg`` and ``./woodcut`` are files, whatever there is.
    """
    return isinstance(style, str) and not LIKE_A_FILE.search(style)
