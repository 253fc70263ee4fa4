"""An index of Python packages, the public one or a mirror of it: where a wheel is.

Indexes are read as the standard says that they all may be (PEP 503): a page per project, a link per file.
"""

import base64
import importlib.util
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Self
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from restyle.models.files.line import Patience, Source, failed, is_loopback, read, shown

PUBLIC = "https://pypi.org/simple"
CONFIGURED = ("download.index-url", "global.index-url")
"""What pip's own fetching of a wheel would go by."""
MOST_BYTES = 16 * 1024 * 1024
"""Of a project's page: the largest in use have a few MB."""


@dataclass(frozen=True, slots=True)
class Index:
    """``endpoint`` is its address, without a slash at the end; ``own_headers`` go to its host and to no other."""

    endpoint: str = PUBLIC
    own_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The index that pip asks here: ``PIP_INDEX_URL``, else what pip is configured to, else the public one.

        A name and password in its address are sent to its host alone. Raises RestyleError (5000) where it is no
        address of an index.
        """
        address = environment.get("PIP_INDEX_URL", "").strip() or _configured() or PUBLIC
        parts = urlsplit(address.rstrip("/"))
        loopback = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or (parts.scheme != "https" and not loopback):
            raise failed(f"pip's index is {shown(address)}; packages are fetched by https alone")
        host = parts.netloc.rpartition("@")[2]
        headers = {}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(parts._replace(netloc=host).geturl(), headers)

    def wheel(self, http: httpx.Client, project: str, name: str, patience: Patience | None = None) -> Source:
        """Where the file ``name`` of ``project`` is had. Raises RestyleError (5000) where the index has it not."""
        page = f"{self.endpoint}/{re.sub(r'[-_.]+', '-', project).lower()}/"
        loopback = urlsplit(page).scheme == "http"
        advice: Mapping[int, str] = {
            HTTPStatus.UNAUTHORIZED: "PIP_INDEX_URL, or pip's configuration, must name who asks, and the password",
            HTTPStatus.NOT_FOUND: "this index has no such package; PIP_INDEX_URL names another",
        }
        content = read(http, Source(page, self.own_headers, advice, loopback), most=MOST_BYTES, patience=patience)
        links = _Links()
        links.feed(content.decode("utf-8", "replace"))
        for link in links.found:
            address = urljoin(page, link).partition("#")[0]
            if unquote(PurePosixPath(urlsplit(address).path).name) == name:
                at_home = urlsplit(address)[:2] == urlsplit(page)[:2]
                return Source(address, self.own_headers if at_home else {}, loopback=loopback)
        raise failed(f"{shown(page)} names no {name}")


class _Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if (tag, name) == ("a", "href") and value]


def _configured() -> str:
    """The index that pip's files of configuration name; empty where they name none, or pip is not here."""
    if importlib.util.find_spec("pip") is None:
        return ""
    # `config get` reads one of the files alone
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    settings = dict(line.partition("=")[::2] for line in lines)
    return next((settings[name].strip("'\"") for name in CONFIGURED if name in settings), "")
