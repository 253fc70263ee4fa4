"""Who looks at a page: the session that a cookie proves, and whether a form was sent from a page of ours.

A cookie names a key and is sealed with the server's secret and the key's private half. So it ends at once, everywhere,
when the key is disabled or rotated; nothing about sessions is stored.
"""

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request

from restyle.accounts.keys import Key, KeyStore
from restyle.wire.signature import same_text

COOKIE = "restyle_studio"
SESSION_SECONDS = 30 * 24 * 3600
"""How long a browser stays signed in."""
PURPOSE = b"studio sessions"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in. ``priority`` is their key's; ``operator`` may see and change what belongs to the service."""

    public_key: str
    account_id: int
    priority: int
    operator: bool


class Sessions:
    """Makes and reads the cookies of one service, and its one-time link."""

    def __init__(self, keys: KeyStore, new_account_credits: int) -> None:
        self._keys = keys
        self._secret = keys.derive(PURPOSE)
        self._credits = new_account_credits
        self._lock = threading.Lock()
        self._token = ""

    def cookie(self, key: Key) -> str:
        """The value of a cookie that proves a session of ``key`` from now on."""
        issued = str(int(time.time()))
        return f"{key.public_key}.{issued}.{self._seal(key, issued)}"

    def read(self, cookie: str) -> Visitor | None:
        """Whose session ``cookie`` proves; None where it proves none, or none any more."""
        public_key, _, rest = cookie.partition(".")
        issued, _, seal = rest.partition(".")
        if not (public_key.isascii() and public_key.isalnum() and issued.isascii() and issued.isdecimal()):
            return None
        if len(issued) > 12 or int(issued) + SESSION_SECONDS < time.time():
            return None
        key = self._keys.find(public_key)
        if key is None or key.disabled or not same_text(self._seal(key, issued), seal):
            return None
        return Visitor(key.public_key, key.account_id, key.priority, self._keys.is_operator(key.account_id))

    def check(self, public_key: str, private_key: str) -> Key | None:
        """The key of that pair; None where it is unknown, disabled, or the halves do not belong together."""
        key = self._keys.find(public_key) if public_key.isascii() and public_key.isalnum() else None
        if key is None or key.disabled or not same_text(key.private_key, private_key):
            return None
        return key

    def token(self) -> str:
        """A new secret for the one-time link: whoever brings it first is signed in as the operator."""
        with self._lock:
            self._token = secrets.token_urlsafe(24)
            return self._token

    def redeem(self, token: str) -> Key | None:
        """The operator's key for the secret of the one-time link, which is used up by that; None for any other."""
        with self._lock:
            if not self._token or not same_text(self._token, token):
                return None
            self._token = ""
        return self._operators_key()

    def _operators_key(self) -> Key:
        """A key of an operator: of the first there is, or else of the only account, or else of a new one."""
        found = [each for each in self._keys.list() if not each.disabled]
        operators = [each for each in found if each.operator]
        if not operators and len({each.account_id for each in found}) == 1:
            self._keys.make_operator(found[0].account_id)
            operators = found
        if operators:
            name = operators[0].public_key
        else:
            name = self._keys.create(credits=self._credits, name="Studio", operator=True).public_key
        key = self._keys.find(name)
        assert key is not None
        return key

    def _seal(self, key: Key, issued: str) -> str:
        text = f"{key.public_key}.{issued}.{hashlib.sha256(key.private_key.encode()).hexdigest()}"
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()


def sent_from_here(request: Request, public_url: str) -> bool:
    """Whether a browser says that a request which changes something comes from a page of this service.

    Every browser in use sends ``Origin`` with such requests, or ``Sec-Fetch-Site``; who sends neither is refused. This
    stands beside SameSite=Lax, which keeps the cookie from other sites' forms.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    host = urlsplit(origin).netloc
    return bool(host) and host in {request.headers.get("host", ""), urlsplit(public_url).netloc}
