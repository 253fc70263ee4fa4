"""The styles that a data folder keeps, for the command and the library, each in a file of its own."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from restyle.conversion.style import checked_code
from restyle.images.limits import Limits
from restyle.private import make_data_folder
from restyle.styles.bundle import check_picture, from_bundle, to_bundle
from restyle.styles.official import is_official, official, official_style
from restyle.styles.style import KeptStyle
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import shown, unavailable

FOLDER = "styles"
SUGGESTED = 8
"""Names that are told to whoever asks for a style that is not there."""


class StyleFolder:
    """The styles of one data folder, and, for who looks one up, the official ones.

    A name belongs to one style: one that is kept under an official name, by a release that had no such style, goes
    first.
    """

    def __init__(self, data_dir: Path, limits: Limits) -> None:
        self._data_dir = data_dir
        self._limits = limits

    def all(self) -> list[KeptStyle]:
        """The folder's own by name, then the official ones. Raises RestyleError (230, 5000) for a broken file."""
        own = sorted(self.own(), key=lambda style: style.code.casefold())
        taken = {style.code for style in own}
        return [*own, *(style for style in official() if style.code not in taken)]

    def own(self) -> list[KeptStyle]:
        """Those of the folder."""
        try:
            paths = sorted(path for path in (self._data_dir / FOLDER).iterdir() if path.suffix == ".zip")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _failed(self._data_dir / FOLDER, "read", error) from error
        return [style for path in paths if (style := self._read(path)) is not None]

    def find(self, code: str, *, field: str = "style") -> KeptStyle:
        """The style of that name. Raises RestyleError (4012) naming ``field`` where there is none."""
        found = self._read(self._path(code)) or official_style(code)
        if found is None:
            names = [style.code for style in self.all()]
            more = f" and {len(names) - SUGGESTED} more" if len(names) > SUGGESTED else ""
            raise RestyleError(
                Code.STYLE_NOT_FOUND,
                f"there is no style {shown(code)}; there are {', '.join(names[:SUGGESTED])}{more}; a picture is named "
                f"with its folder or its suffix, such as ./{code[:48]}",
                field=field,
            )
        return found

    def add(self, style: KeptStyle, *, overwrite: bool = False) -> None:
        """Keep ``style``, whose picture is decoded to see that it can be drawn from.

        Raises RestyleError: 230 for a name that is official, taken (unless ``overwrite``) or none; 4003 for the
        picture; 5000 where the folder cannot be written.
        """
        checked_code(style.code, field="name")
        if is_official(style.code):
            raise unavailable("name", f"it is {shown(style.code)}, an official style; give another")
        path = self._path(style.code)
        if path.exists() and not overwrite:
            raise unavailable(
                "name", f"it is {shown(style.code)}, which is kept already; give another, or overwrite it"
            )
        check_picture(style, self._limits, field="picture")
        make_data_folder(self._data_dir)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(to_bundle(style))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise _failed(path, "written", error) from error
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def remove(self, code: str) -> None:
        """Forget the style. Raises RestyleError: 230 for an official one, 4012 for one that is not there."""
        try:
            self._path(code).unlink()
        except FileNotFoundError:
            if self.find(code, field="name").is_official:
                raise unavailable("name", f"it is {shown(code)}, an official style, which stays") from None
        except OSError as error:
            raise _failed(self._path(code), "removed", error) from error

    def _read(self, path: Path) -> KeptStyle | None:
        """The style in that file, None where there is no such file."""
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failed(path, "read", error) from error
        return from_bundle(data, self._limits, field=str(path))

    def _path(self, code: str) -> Path:
        # A name may hold what a file's name may not, or is not told apart by.
        return self._data_dir / FOLDER / f"{hashlib.sha256(code.encode()).hexdigest()[:32]}.zip"


def _failed(path: Path, doing: str, error: OSError) -> RestyleError:
    return RestyleError(
        Code.INTERNAL_ERROR,
        f"{path} cannot be {doing}: {error.strerror or error}; give the data folder to this user with chown, or set "
        "RESTYLE_DATA_DIR to another",
    )
