"""The Studio in a browser: how soon it is there, what it weighs, whether it stays lively, and what it costs others.

Needs Playwright and Chromium. Everything is measured at one service and in one browser; whatever is divided by
something took turns with it.
"""

import asyncio
import io
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import sqlalchemy as sa
from PIL import Image

from benchmarks.report import Bar, Section, table
from benchmarks.server import Caller, Served, serving
from benchmarks.timing import Times, take_turns
from restyle.accounts.keys import KeyPair, KeyStore
from restyle.conversion.models import MainModel
from restyle.conversion.registry import Registry
from restyle.database import open_database, tasks, writing
from restyle.engines.base import Description, Family, Job, Machine, Report
from restyle.images.pixels import Pixels
from restyle.queue.uid import new_uid
from restyle.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PAINT, WEIGHT, FRAME, HISTORY, PAGES = 1.5, 120_000, 0.1, 1.5, 2.0
"""The bars: x of a bare page, bytes, seconds, x of a short history, x of an API that nobody watches."""
ROUNDS = 9
FEW, MANY = 10, 1000
PAINTS = 15
FRAME_ALONE = "studio/tasks/nowhere"
"""The bare page: session, template, styles and scripts of every page of the Studio, and one sentence."""
STREAMS, ACCOUNTS = 50, 3
CALLS = 300
"""Requests of a round, of which the slowest hundredth is looked at."""
MEGAPIXELS = (4000, 3000)
WAITING = "Waiting"
PROGRAM = """
import os, sys
from fastapi import Response
from restyle.http.server import serve
from restyle.settings import Settings
from restyle.studio import static
from restyle.studio.app import mount

EMPTY = "<!doctype html><html lang=en><title>Bare</title>%s<h1>Convert</h1><button>Convert</button>"
ASSETS = f"/studio/static/{static.version()}"
STYLES = "".join(f'<link rel=stylesheet href="{ASSETS}/{name}.css">' for name in ("tokens", "studio"))
LIBRARIES = "htmx", "idiomorph-ext", "panzoom"
SCRIPTS = "".join(f'<script defer src="{ASSETS}/{name}.min.js"></script>' for name in LIBRARIES)
SCRIPTS += f'<script type=module src="{ASSETS}/studio.js"></script>'

def extend(app, service):
    mount(app, service)

    @app.get("/empty")
    async def _():
        return Response(EMPTY % "", media_type="text/html; charset=utf-8")

    @app.get("/bare")
    async def _():
        return Response(EMPTY % (STYLES + SCRIPTS), media_type="text/html; charset=utf-8")

def bound(address):
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(address)
    os.replace(sys.argv[1] + ".part", sys.argv[1])

serve(Settings(), bound=bound, extend=extend, home="studio")
"""
PAINTED = """() => new Promise((done) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) done(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
WEIGHED = """() => performance.getEntriesByType("resource").filter((each) => /\\.(js|css)$/.test(each.name))
  .reduce((sum, each) => sum + each.encodedBodySize, 0)"""


def chromium() -> str | None:
    """Where the browser is, None where there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


class Forever:
    """An engine whose tasks never end, and cost nothing."""

    def describe(self, job: Job) -> Description:
        return Description()

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        while True:
            report(0.5)
            time.sleep(0.2)
            yield from ()


def load(machine: Machine) -> Forever:
    """The engine."""
    return Forever()


def registry(settings: Settings) -> Registry:
    """The models that ship, and one that waits."""
    family = Family("waiting", f"{__name__}:load", 1.0)
    return Registry(settings, main=[MainModel(WAITING, WAITING, family)])


def run(log: Callable[[str], None]) -> Section:
    """All bars."""
    from playwright.sync_api import sync_playwright

    section = Section("The Studio")
    changes = {"WORKERS": "1", "REGISTRY": f"{__name__}:registry"}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        served = stack.enter_context(serving(folder / "data", PROGRAM, changes))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        stack.callback(browser.close)
        for measure in (_paint, _upload, _history, _watched):
            measure(section, served, browser, folder, log)
    return section


def _paint(section: Section, served: Served, browser: "Browser", folder: Path, log: Callable[[str], None]) -> None:
    """Each load in a window of its own, with nothing kept from before."""
    state = _signed_in(browser, served, served.key).storage_state()
    found: dict[str, list[float]] = {"empty": [], "bare": [], FRAME_ALONE: [], "studio/": []}
    weight = 0
    for number in range(PAINTS + 1):
        for path, times in found.items():
            context = browser.new_context(storage_state=state, viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.goto(f"{served.address}/{path}")
            painted = page.evaluate(PAINTED) / 1000
            if number:
                times.append(painted)
            if path == "studio/":
                page.wait_for_load_state("networkidle")
                weight = page.evaluate(WEIGHED)
            context.close()
    empty, word, bare, studio = (Times(tuple(each)) for each in found.values())
    log(f"first useful paint: empty page {empty}, with styles and scripts {word}, bare page {bare}, Studio {studio}")
    rows = [
        ["a page of one word, outside the Studio", str(empty)],
        ["the same with the Studio's styles and scripts", str(word)],
        ["the Studio's bare page: its frame and one sentence", str(bare)],
        ["the Studio's first page, with the form", str(studio)],
        ["scripts and styles", f"{weight:,} B"],
    ]
    section.text.append(table(["first useful paint, best (median)", ""], rows))
    section.bars.append(Bar("Studio's first paint / bare page", studio.best / bare.best, PAINT, strict=True, unit="x"))
    section.bars.append(Bar("Studio's scripts and styles, compressed", weight, WEIGHT, unit=" B"))


def _upload(section: Section, served: Served, browser: "Browser", folder: Path, log: Callable[[str], None]) -> None:
    """The longest task of the page's main thread while a photograph of twelve megapixels is sent and shown."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (MEGAPIXELS[1] // 16, MEGAPIXELS[0] // 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize(MEGAPIXELS).save(buffer, "JPEG", quality=92)
    path = folder / "large.jpg"
    path.write_bytes(buffer.getvalue())
    longest = float("inf")
    for _ in range(3):
        page = _signed_in(browser, served, served.key).pages[0]
        page.wait_for_load_state("networkidle")
        browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
        page.set_input_files("picture-box[name=raw] .choose input", str(path))
        page.wait_for_selector("picture-box[name=raw] input[type=hidden]", state="attached")
        page.wait_for_timeout(500)
        longest = min(longest, longest_task(json.loads(browser.stop_tracing())["traceEvents"]))
        page.context.close()
    log(f"upload of {len(buffer.getvalue()):,} bytes: longest task of the page {longest * 1000:.0f} ms")
    section.bars.append(Bar("longest frame while 12 megapixels are uploaded", longest * 1000, FRAME * 1000, unit=" ms"))


def longest_task(events: list[dict[str, Any]]) -> float:
    """Seconds of the longest task of a page's main thread, by the events of a trace."""
    main = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    work = [each["dur"] for each in events if each.get("ph") == "X" and (each["pid"], each["tid"]) in main]
    return max(work, default=0) / 1e6


def _history(section: Section, served: Served, browser: "Browser", folder: Path, log: Callable[[str], None]) -> None:
    """A page of a short and of a long history, until it is loaded."""
    keys, database = _store(folder)
    uid = _finished(served)
    windows = {}
    for count in (FEW, MANY):
        pair = keys.create(credits=0, unlimited=True)
        with writing(database) as connection:
            pattern = connection.execute(sa.select(tasks).where(tasks.c.uid == uid)).one()._mapping
            rows = [{**pattern, "uid": new_uid(), "account_id": pair.account_id} for _ in range(count)]
            for number, row in enumerate(rows):
                del row["id"]
                row["request_uuid"] = f"history-{number}"
            connection.execute(sa.insert(tasks), rows)
        windows[str(count)] = _signed_in(browser, served, pair).pages[0]
    database.dispose()
    contenders = {
        name: lambda page=page: page.goto(f"{served.address}/studio/history") for name, page in windows.items()
    }
    times = take_turns(contenders, ROUNDS)
    few, many = times.values()
    for page in windows.values():
        page.context.close()
    log(f"history of {FEW} tasks {few}, of {MANY:,} {many}")
    rows_ = [[f"{FEW} tasks", str(few)], [f"{MANY:,} tasks", str(many)]]
    section.text.append(table(["history until it is loaded, best (median)", ""], rows_))
    section.bars.append(Bar("history of 1,000 tasks / of 10", many.best / few.best, HISTORY, strict=True, unit="x"))


def _watched(section: Section, served: Served, browser: "Browser", folder: Path, log: Callable[[str], None]) -> None:
    """The slowest hundredth of signed requests while so many pages follow tasks, and while none does."""
    keys, database = _store(folder)
    pairs = [keys.create(credits=0, unlimited=True) for _ in range(ACCOUNTS)]
    runs = [_begun(served, pair) for pair in pairs]
    database.dispose()
    caller = Caller(served)
    quiet: list[float] = []
    watched: list[float] = []
    for times, streams in ((quiet, 0), (watched, STREAMS)) * 4:
        with _followed(served, runs, streams):
            for _ in range(CALLS):
                began = time.perf_counter()
                caller.call("GetCreditBalance")
                times.append(time.perf_counter() - began)
    slow, slower = (float(np.quantile(each, 0.99)) for each in (quiet, watched))
    log(f"p99 of GetCreditBalance: {slow * 1000:.1f} ms alone, {slower * 1000:.1f} ms beside {STREAMS} open pages")
    rows = [["nobody watches", f"{slow * 1000:.1f} ms"], [f"{STREAMS} open pages", f"{slower * 1000:.1f} ms"]]
    section.text.append(table(["p99 of GetCreditBalance", ""], rows))
    section.bars.append(Bar(f"p99 beside {STREAMS} open pages / alone", slower / slow, PAGES, strict=True, unit="x"))


def _store(folder: Path) -> tuple[KeyStore, sa.Engine]:
    settings = Settings(data_dir=folder / "data", database_url="", storage_url="")
    database = open_database(settings.database())
    return KeyStore(database, folder / "data" / "key"), database


def _signed_in(browser: "Browser", served: Served, pair: KeyPair) -> "BrowserContext":
    """A window at the form."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page: Page = context.new_page()
    page.goto(f"{served.address}/studio/sign-in")
    page.fill("[name=public_key]", pair.public_key)
    page.fill("[name=private_key]", pair.private_key)
    page.click("form .primary")
    page.wait_for_selector("#form")
    return context


@contextmanager
def _visitor(served: Served, pair: KeyPair) -> Iterator[httpx.Client]:
    """Somebody signed in without a browser."""
    with httpx.Client(base_url=f"{served.address}/studio", headers={"Origin": served.address}, timeout=60) as http:
        http.post("/sign-in", data={"public_key": pair.public_key, "private_key": pair.private_key, "to": "/"})
        yield http


def _asked(http: httpx.Client, model: str) -> str:
    """A run of one small picture; returns its id."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 80, 40)).save(buffer, "PNG")
    sent = http.post("/uploads?name=one.png", content=buffer.getvalue()).raise_for_status()
    form = {"raw": sent.json()["id"], "style": "style:oil", "model": model}
    accepted = http.post("/convert", data=form).raise_for_status()
    return accepted.headers["HX-Push-Url"].rpartition("/")[2]


def _finished(served: Served) -> str:
    """The uid of a finished task of the service's own account."""
    with _visitor(served, served.key) as http:
        run = _asked(http, "Restyle Painter")
        while not http.get(f"/runs/{run}/state").raise_for_status().json()["ended"]:
            time.sleep(0.1)
        page = http.get("/history").text
    return page.partition("/studio/tasks/")[2].partition('"')[0]


def _begun(served: Served, pair: KeyPair) -> tuple[str, dict[str, str]]:
    """A run that does not end: where its stream is, and the cookies of whoever may follow it."""
    with _visitor(served, pair) as http:
        return f"/studio/runs/{_asked(http, WAITING)}/events", dict(http.cookies)


@contextmanager
def _followed(served: Served, runs: list[tuple[str, dict[str, str]]], count: int) -> Iterator[None]:
    """So many pages follow the runs while the block runs."""
    begun, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def follow(path: str, cookies: dict[str, str], there: asyncio.Semaphore) -> None:
        async with (
            httpx.AsyncClient(base_url=served.address, cookies=cookies, timeout=60) as http,
            http.stream("GET", path) as stream,
        ):
            there.release()
            async for _ in stream.aiter_lines():
                pass

    async def follow_all() -> None:
        there = asyncio.Semaphore(0)
        followers = [asyncio.create_task(follow(*runs[number % len(runs)], there)) for number in range(count)]
        for _ in followers:
            await there.acquire()
        begun.set()
        await ended.wait()
        for each in followers:
            each.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(follow_all(),))
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
