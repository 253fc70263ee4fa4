"""What ``make screenshots`` runs: every page of the Studio at two widths, light and dark, as pictures to look at.

Starts a service on a folder of its own, signs in by its one-time link, makes a few conversions of the photographs that
this project shows, and drives Debian's Chromium. Needs Playwright and scikit-image, which ``make test`` installs.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
from pictures import photograph  # noqa: E402

SERVER = """
from restyle.http.server import serve
from restyle.settings import Settings
from restyle.studio.app import mount
if __name__ == "__main__":
    mounted = []
    serve(
        Settings(),
        bound=lambda address: print(mounted[0].link(address), flush=True),
        extend=lambda app, service: mounted.append(mount(app, service)),
        home="studio",
    )
"""
WIDTHS = {"wide": (1280, 860), "phone": (390, 844)}
THEMES = ("light", "dark")
PAGES = {
    "history": "history",
    "favourites": "favourites",
    "account": "account",
    "console": "console",
    "operator": "operator",
    "models": "operator/models",
    "accounts": "operator/accounts",
    "missing": "tasks/nowhere",
}
STRANGERS = {"sign-in": "sign-in", "open": "open?token=shown-by-the-start"}
"""Pages of whoever is not signed in."""
PATIENCE = 300_000


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """A service; gives its one-time link."""
    settings = {"RESTYLE_DATA_DIR": str(folder), "RESTYLE_PORT": "0", "RESTYLE_LOG_FORMAT": "json"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **settings},
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def fill(page: Page, base: str, photographs: list[Path], style: str, strength: float) -> None:
    """Choose pictures and a style of the shelf."""
    page.goto(f"{base}/")
    page.set_input_files("picture-box[name=raw] .choose input", [str(path) for path in photographs])
    chosen = page.locator("picture-box[name=raw] input[type=hidden]")
    chosen.nth(len(photographs) - 1).wait_for(state="attached")
    page.click(f"[data-style='{style}']")
    page.locator("[name=strength]").fill(str(strength))


def make_something(page: Page, base: str, folder: Path) -> list[str]:
    """Conversions for the pages to show; the addresses of a result, a strip and a folder."""
    paths = {}
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        paths[name] = folder / f"{name}.jpg"
        photograph(name).save(paths[name], quality=92)
    styles = [each.get_attribute("data-style") or "" for each in page.locator("[data-style]").all()]
    found = []
    fill(page, base, list(paths.values()), styles[0], 0.8)
    page.click("[data-convert]")
    page.wait_for_selector("text=4 of 4", timeout=PATIENCE)
    found.append(page.url)
    fill(page, base, [paths["chelsea"]], styles[3], 0.6)
    page.click(".strips summary")
    page.click("[name=action][value=strength]")
    page.wait_for_selector("text=5 of 5", timeout=PATIENCE)
    found.append(page.url)
    fill(page, base, [paths["chelsea"]], styles[6], 0.8)
    page.click("[data-convert]")
    page.wait_for_selector("before-after", timeout=PATIENCE)
    page.click(".large .star")
    page.wait_for_selector(".large .star[aria-pressed=true]")
    found.append(page.url)
    return found


def shoot(context: BrowserContext, base: str, made: list[str], out: Path, name: str) -> None:
    """Every page in one window; whoever is signed in there is out at the end."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    addresses = {
        "empty": f"{base}/",
        **dict(zip(("folder", "strip", "result"), made, strict=True)),
        **{each: f"{base}/{path}" for each, path in PAGES.items()},
    }

    def look(each: str, address: str) -> None:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(200)
        page.screenshot(path=out / f"{each}-{name}.png", full_page="phone" in name)

    for each, address in addresses.items():
        look(each, address)
    page.goto(f"{base}/history")
    page.click(".grid a >> nth=0")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=out / f"task-{name}.png", full_page="phone" in name)
    context.clear_cookies()
    for each, path in STRANGERS.items():
        look(each, f"{base}/{path}")
    page.close()


def run(browser: Browser, link: str, out: Path, folder: Path) -> None:
    """Make something, and look at it in every window."""
    base = link.partition("/open?")[0]
    first = browser.new_context(viewport={"width": 1280, "height": 860})
    page = first.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(link)
    page.click("form .primary")
    page.wait_for_selector("#form")
    made = make_something(page, base, folder)
    state = first.storage_state()
    for width, (columns, rows) in WIDTHS.items():
        for theme in THEMES:
            context = browser.new_context(
                viewport={"width": columns, "height": rows},
                color_scheme=theme,  # type: ignore[arg-type]
                storage_state=state,
                device_scale_factor=2 if width == "phone" else 1.5,
            )
            shoot(context, base, made, out, f"{width}-{theme}")
            context.close()


def main() -> None:
    """Read the arguments and begin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no Chromium here; Debian's is: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data, pictures = Path(folder) / "data", Path(folder) / "pictures"
        pictures.mkdir()
        with service(data) as link:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            run(browser, link, out, pictures)
            browser.close()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")


if __name__ == "__main__":
    main()
