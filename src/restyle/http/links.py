"""URLs of results: whoever has one may look, nobody can guess one, and it ends with the picture."""

import hashlib
import hmac
import re
import time
from dataclasses import dataclass

from fastapi import Request

from restyle.http.envelope import Refused
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.signature import same_text

HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

HOUR = 3600


def base_of(request: Request, settings: Settings) -> str:
    """The base of URLs for whoever sent ``request``, without a slash at its end: the setting ``public_url``, or the
    Host asked for.

    A Host header is the client's word, and what a page that has taken over a name says, or what a cache keeps for
    others. So it counts only where it is this machine's: localhost, the address that the connection has reached, or one
    of the setting ``allowed_hosts``. Raises Refused (400, 4001) for any other.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    hosts = request.headers.getlist("host")
    if hosts and (len(hosts) > 1 or HOST.fullmatch(hosts[0]) is None):
        raise Refused(400, Code.BODY_NOT_OBJECT, "Host is not one host name or address; send it as HTTP/1.1 asks")
    name = (request.url.hostname or "").lower()
    own = {"localhost", (request.scope.get("server") or ("", 0))[0].lower()}
    allowed = {each.strip().lower() for each in settings.allowed_hosts.split(",")}
    if hosts and name not in own | allowed and "*" not in allowed:
        raise Refused(
            400,
            Code.BODY_NOT_OBJECT,
            f"Host {name} is no name of this service; whoever runs it sets RESTYLE_PUBLIC_URL, or names it in "
            "RESTYLE_ALLOWED_HOSTS",
        )
    return str(request.base_url).rstrip("/")


def lasting(seconds: int) -> int:
    """When the URL of a picture that stays shall end: in ``seconds`` or a little later, alike for an hour, so that a
    browser that asks again knows it.
    """
    return (int(time.time()) // HOUR + 1) * HOUR + seconds


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
