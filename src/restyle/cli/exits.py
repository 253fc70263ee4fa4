"""How the command ends, for scripts."""

from enum import IntEnum

from restyle.wire.codes import Code


class Exit(IntEnum):
    """Exit codes, by what was wrong."""

    DONE = 0
    SOME_FAILED = 1
    """Of several pictures some were made, others not."""
    USAGE = 2
    """Options, values out of range, or a key, an account or a style that is not there."""
    PICTURE = 3
    """A picture that cannot be read."""
    MODEL = 4
    """A model that is not there, or does not fit."""
    FILES = 5
    """Files, folders, settings or a database that cannot be used."""
    ENGINE = 6
    """Drawing failed, or memory did not suffice."""
    SERVICE = 7
    """A service that does not answer, or says no: to a key, a limit, an account without credits."""
    INTERRUPTED = 130


KINDS = {
    Code.MISSING_PARAMETER: Exit.USAGE,
    Code.PARAMETER_NOT_AVAILABLE: Exit.USAGE,
    Code.KEY_NOT_FOUND: Exit.USAGE,
    Code.STYLE_NOT_FOUND: Exit.USAGE,
    Code.IMAGE_UNREADABLE: Exit.PICTURE,
    Code.MODEL_NOT_FOUND: Exit.MODEL,
    Code.SUB_MODEL_UNFIT: Exit.MODEL,
    Code.INTERNAL_ERROR: Exit.FILES,
}
ENGINES = range(5100, 5200)


def exit_of(code: int) -> Exit:
    """The exit code for an error of that code."""
    if code in ENGINES:
        return Exit.ENGINE
    return KINDS.get(Code.of(code), Exit.SERVICE)
