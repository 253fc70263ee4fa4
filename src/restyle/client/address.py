"""Where a service is: an address that cannot be one is refused before anybody waits for its answer."""

import httpx

from restyle.wire.errors import RestyleError
from restyle.wire.fields import shown, unavailable

SCHEMES = ("http", "https")
HIGHEST_PORT = 65535
EXAMPLE = "give one such as http://127.0.0.1:8484"


def check_address(url: str) -> None:
    """Raises RestyleError (230) for what is no address of a service: another scheme, no host, no port there can be."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _no_address(url, f"{error}; {EXAMPLE}") from error
    if parsed.scheme not in SCHEMES:
        raise _no_address(url, f"the address of a service begins with http:// or https://; {EXAMPLE}")
    if not parsed.host or any(character.isspace() for character in url):
        raise _no_address(url, f"it names no host; {EXAMPLE}")
    if parsed.port is not None and not 0 < parsed.port <= HIGHEST_PORT:
        raise _no_address(url, f"ports are 1 to {HIGHEST_PORT}; {EXAMPLE}")


def _no_address(url: str, why: str) -> RestyleError:
    return unavailable("url", f"it is {shown(url)}: {why}")
