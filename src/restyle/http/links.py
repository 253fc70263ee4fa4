"""URLs of results: whoever has one may look, nobody can guess one, and it ends with the picture."""

import hashlib
import hmac
import time
from dataclasses import dataclass

from restyle.http.envelope import Refused
from restyle.wire.codes import Code
from restyle.wire.signature import same_text


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and checks URLs under a ``secret`` of the server."""

    secret: bytes

    def url(self, base: str, uid: str, index: int, expires: int) -> str:
        """The URL of image ``index`` of a task until ``expires`` (Unix seconds); ``base`` ends without a slash."""
        return f"{base}/results/{uid}/{index}.png?expires={expires}&token={self._token(uid, index, expires)}"

    def check(self, uid: str, index: int, expires: int, token: str) -> None:
        """Raises Refused: 403 (171) for a URL this server did not make, 410 (4006) for one whose time is over."""
        if not same_text(self._token(uid, index, expires), token):
            raise Refused(
                403, Code.SIGNATURE_MISMATCH, "this URL was not made by this service; ask ListTasksDetails for it"
            )
        if expires <= time.time():
            raise gone()

    def _token(self, uid: str, index: int, expires: int) -> str:
        return hmac.digest(self.secret, f"{uid}/{index}/{expires}".encode(), hashlib.sha256).hex()[:40]


def gone() -> Refused:
    """The picture was deleted when its time was over."""
    return Refused(410, Code.TASK_NOT_FOUND, "the picture has expired and is deleted; submit the task again")
