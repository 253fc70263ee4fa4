"""Objects: the images that go in and come out, in a local folder or an object store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from restyle.settings import Settings
from restyle.storage.base import INPUTS as INPUTS
from restyle.storage.base import PLACES as PLACES
from restyle.storage.base import PROBES as PROBES
from restyle.storage.base import RESULTS as RESULTS
from restyle.storage.base import STYLES as STYLES
from restyle.storage.base import UPLOADS as UPLOADS
from restyle.storage.base import Storage as Storage
from restyle.storage.base import StorageError as StorageError
from restyle.storage.base import input_key as input_key
from restyle.storage.base import input_prefix as input_prefix
from restyle.storage.base import result_key as result_key
from restyle.storage.base import result_prefix as result_prefix
from restyle.storage.base import style_key as style_key
from restyle.storage.base import style_prefix as style_prefix
from restyle.storage.base import thumbnail_key as thumbnail_key
from restyle.storage.base import upload_prefix as upload_prefix
from restyle.storage.bucket import Bucket as Bucket
from restyle.storage.folder import Folder
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


def folder_of(settings: Settings) -> Path | None:
    """The folder that objects are kept in; None where it is an object store."""
    if not settings.storage_url:
        return settings.data_dir / "objects"
    parts = urlsplit(settings.storage_url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def open_storage(settings: Settings) -> Storage:
    """The storage that ``settings.storage_url`` names, or the data folder's. Raises :class:`RestyleError` (5000)."""
    folder = folder_of(settings)
    if folder is not None:
        return Folder(folder)
    from obstore.exceptions import BaseError

    try:
        return Bucket(settings.storage_url)
    except (BaseError, ValueError) as error:
        raise RestyleError(Code.INTERNAL_ERROR, f"storage_url cannot be opened: {error}") from error
