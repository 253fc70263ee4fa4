"""The one exception that reaches users, on the wire, in the library and in the command."""

from restyle.wire.codes import Code


class RestyleError(Exception):
    """Something a caller can act on: ``code`` says what kind, ``message`` says what was wrong and what would be right.

    ``field`` is the path of the request field at fault (``MainModel.InferenceParams.Steps``), None where no field is.
    """

    def __init__(self, code: Code, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
