"""The Studio as people meet it: a real service, and a real browser that talks to nobody else."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from restyle.accounts.keys import KeyPair
from restyle.conversion.models import MainModel, SubModel
from restyle.conversion.registry import Registry
from restyle.models.kinds import Kind
from restyle.settings import Settings
from tests.support.engines import OBEDIENT, OBEDIENT_FAMILY, THOROUGH, THOROUGH_FAMILY, entry
from tests.support.patience import PATIENCE
from tests.support.service import RunningService, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
PROGRAM = """
from restyle.http.server import serve
from restyle.settings import Settings
from restyle.studio.app import mount
if __name__ == "__main__":
    mounted = []
    serve(
        Settings(),
        bound=lambda address: print(address, mounted[0].link(address), sep="\\n", flush=True),
        extend=lambda app, service: mounted.append(mount(app, service)),
        home="studio",
    )
"""


def registry(settings: Settings) -> Registry:
    """The shipped models with their own engines, and the obedient and the thorough one with a LoRA."""
    named = ((OBEDIENT, OBEDIENT_FAMILY), (THOROUGH, THOROUGH_FAMILY))
    return Registry(
        settings,
        main=[MainModel(code, code, family) for code, family in named],
        sub=[SubModel(entry("ink", Kind.LORA, LoraWeight=0.6))],
    )


class Studio:
    """A running service with the Studio, and a browser. ``link`` is the one-time link that its start printed."""

    def __init__(self, service: RunningService, browser: "Browser", link: str) -> None:
        self.service = service
        self.browser = browser
        self.link = link
        self.url = f"{service.url}/studio"
        self.elsewhere: list[str] = []
        """Addresses asked for that are not this service's."""
        self.complaints: list[str] = []
        """What the browser's console said that it should not: errors of scripts, and of the policy of the pages."""

    def page(self, **options: object) -> "Page":
        """A new window of its own: nobody is signed in."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("request", lambda request: self._ask(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Content Security" in said.text else None)
        return page

    def signed_in(self, key: KeyPair | None = None, **options: object) -> "Page":
        """A window in which whoever has that pair has signed in; the service's own account unless given."""
        key = key or self.service.key
        page = self.page(**options)
        page.goto(f"{self.url}/sign-in")
        page.fill("[name=public_key]", key.public_key)
        page.fill("[name=private_key]", key.private_key)
        page.click("form .primary")
        page.wait_for_selector("#form")
        return page

    def _ask(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname != "127.0.0.1":
            self.elsewhere.append(url)


@contextmanager
def browsing() -> "Iterator[Browser]":
    """Debian's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def serving(folder: Path, browser: "Browser", **changes: Any) -> Iterator[Studio]:
    """A service with the Studio on ``folder``."""
    with running(folder, program=PROGRAM, registry=f"{__name__}:registry", **changes) as service:
        assert service.process.stdout is not None
        yield Studio(service, browser, service.process.stdout.readline().strip())
