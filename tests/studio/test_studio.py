"""The Studio in a real browser, at a real service: one of each for all tests here."""

import io
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image, ImageOps

import restyle
from restyle.database import run_items, runs, tasks, uploads, writing
from restyle.images.encode import encode_png
from restyle.styles.official import official
from restyle.wire.errors import RestyleError
from tests.support import hub as hubs
from tests.support.browser import CHROMIUM, Studio, browsing, serving
from tests.support.engines import OBEDIENT, THOROUGH
from tests.support.hub import Answer, Hub
from tests.support.patience import wait_for
from tests.support.pictures import picture
from tests.support.starter import registrable

pytest.importorskip("playwright", reason="the browser is driven by Playwright, which is not installed")
if CHROMIUM is None:
    pytest.skip("there is no Chromium here; Debian's is: apt-get install chromium", allow_module_level=True)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

PAGES = ("/", "/history", "/favourites", "/account", "/console", "/operator", "/operator/models", "/operator/accounts")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Where models are fetched from."""
    with hubs.hub() as served:
        yield served


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, browser: "Browser", hub: Hub) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    with patch.dict(os.environ, HF_ENDPOINT=hub.url), serving(folder, browser, sweep_seconds=0.5) as found:
        yield found
        assert found.elsewhere == []
        assert found.complaints == []


@pytest.fixture(scope="module")
def operator(studio: Studio) -> "Page":
    """A window that the one-time link has signed in."""
    page = studio.page()
    page.goto(studio.link)
    page.click("text=Enter the Studio")
    page.wait_for_selector("#form")
    return page


@pytest.fixture(scope="module")
def page(studio: Studio, operator: "Page") -> "Page":
    """A window of the service's unlimited account, signed in by its keys."""
    return studio.signed_in()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve small photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    made = []
    for number in range(12):
        path = folder / f"photo-{number}.png"
        path.write_bytes(encode_png(np.roll(np.asarray(picture(72, 64)), number * 3, axis=1)))
        made.append(path)
    return made


def choose(page: "Page", box: str, *paths: Path) -> None:
    """Give pictures to a box, and wait until they are on the server."""
    page.set_input_files(f"picture-box[name={box}] .choose input", [str(path) for path in paths])
    page.wait_for_function(
        "([box, count]) => document.querySelectorAll(`picture-box[name=${box}] input[type=hidden]`).length === count",
        arg=[box, len(paths)],
    )


def start(
    page: "Page", studio: Studio, raws: list[Path], style: Path, model: str = OBEDIENT, prompts: str = ""
) -> None:
    """Fill the form of a new page."""
    page.goto(f"{studio.url}/")
    choose(page, "raw", *raws)
    choose(page, "style", style)
    page.select_option("[name=model]", model)
    if model != "Restyle Painter":
        page.wait_for_selector("[name=positive_prompts]")
        page.fill("[name=positive_prompts]", prompts)


def run_of(page: "Page") -> str:
    page.wait_for_url("**/runs/*")
    return page.url.rpartition("/")[2].partition("?")[0]


def test_the_link_signs_in_once(studio: Studio, operator: "Page") -> None:
    assert operator.locator("nav >> text=Operator").count() == 1
    late = studio.page()
    late.goto(studio.link)
    late.click("text=Enter the Studio")
    assert "used already" in late.inner_text(".error")
    late.goto(f"{studio.url}/history")
    assert late.url.endswith("/sign-in?to=/history")
    late.context.close()


def test_a_photograph_is_converted_compared_and_downloaded(studio: Studio, page: "Page", files: list[Path]) -> None:
    start(page, studio, files[:1], files[5], model="Restyle Painter")
    choose(page, "mask", files[9])
    page.fill("#seed", "7")
    page.evaluate("document.querySelector('[name=strength]').value = 0.8")
    page.click("[data-convert]")
    page.wait_for_selector("live-run")
    run_of(page)
    page.wait_for_selector("before-after")
    with page.expect_download() as waited:
        page.click("text=Download")
    assert waited.value.suggested_filename == "photo-0.restyled.png"
    drawn = np.asarray(Image.open(waited.value.path()).convert("RGB"))
    asked = restyle.convert(files[0], files[5], strength=0.8, seed=7, mask=files[9], model="Restyle Painter")
    assert np.array_equal(drawn, np.asarray(asked[0]))
    page.locator("[data-slider]").fill("20")
    assert "80%" in str(page.locator(".before").get_attribute("style"))
    page.reload()  # all of it is kept by the server and the address
    page.wait_for_selector("before-after")
    brought = [page.get_attribute(f"picture-box[name={box}] input[type=hidden]", "value") for box in ("raw", "mask")]
    assert len(set(brought) - {None}) == 2
    page.click("picture-box[name=raw] .swap")
    page.wait_for_selector(f"picture-box[name=style] input[value='{brought[0]}']", state="attached")


def test_progress_is_shown_and_cancel_ends_it(studio: Studio, page: "Page", files: list[Path], tmp_path: Path) -> None:
    start(page, studio, files[:1], files[1], prompts=f"until {tmp_path / 'never'}")
    page.click("[data-convert]")
    page.wait_for_selector("article.large[data-state=Running]")
    page.wait_for_function("() => document.querySelector('article.large progress')?.value > 0.4")
    page.click("text=Cancel")
    page.wait_for_selector("text=Cancelled; its credits are back.")


def test_a_wrong_value_is_told_at_its_field_and_the_rest_is_kept(
    studio: Studio, page: "Page", files: list[Path], tmp_path: Path
) -> None:
    page.goto(f"{studio.url}/")
    page.click("[data-convert]")
    page.wait_for_selector("picture-box[name=raw] >> text=Choose a photograph.")
    broken = tmp_path / "broken.png"
    broken.write_bytes(files[0].read_bytes()[:200])
    page.set_input_files("picture-box[name=raw] .choose input", str(broken))
    page.wait_for_selector("picture-box[name=raw] [data-error]:not([hidden])")
    start(page, studio, files[:1], files[1], prompts="a fox")
    page.fill("[name=batch_size]", "99")
    page.click("[data-convert]")
    page.wait_for_selector("#wrong-batch_size")
    assert page.inner_text("#wrong-batch_size") == "Images takes a whole number from 1 to 16, and this is “99”."
    assert page.input_value("[name=positive_prompts]") == "a fox"
    assert page.locator("picture-box[name=raw] input[type=hidden]").count() == 1


def strip_of(page: "Page", kind: str) -> list[str]:
    """What sets the pictures of a strip apart, once all have ended."""
    page.click(".strips summary")
    page.click(f"[name=action][value={kind}]")
    page.wait_for_function(
        """kind => {
            const cards = [...document.querySelectorAll(`.grid.${kind} article`)];
            return cards.length && cards.every(card => card.querySelector("a img, .bad"));
        }""",
        arg=kind,
    )
    return [text.strip() for text in page.locator(".grid li:has(a img) .label").all_inner_texts()]


def test_strips_show_strengths_models_and_seeds(studio: Studio, page: "Page", files: list[Path]) -> None:
    start(page, studio, files[:1], files[1])
    page.fill("#seed", "41")
    page.evaluate("document.querySelector('[name=strength]').value = 0.7")
    assert strip_of(page, "strength") == ["0.2", "0.4", "0.6", "0.8", "1.0"]
    reloaded = page.request.get(page.url).text()
    assert re.findall(r'name="strength"[^>]* value="([^"]*)"', reloaded) == ["0.7"]
    assert {"Restyle Painter", OBEDIENT, THOROUGH} <= set(strip_of(page, "model"))
    assert strip_of(page, "seed") == ["41", "42", "43", "44"]


def test_a_folder_of_twelve_fills_a_grid_and_comes_as_a_zip(studio: Studio, page: "Page", files: list[Path]) -> None:
    page.goto(f"{studio.url}/")
    files[0].with_name("notes.txt").write_text("no picture")
    page.set_input_files("picture-box[name=raw] .folder input", str(files[0].parent))
    page.click("[data-style='style:oil']")
    page.select_option("[name=model]", OBEDIENT)
    page.click("[data-convert]")  # pictures are still on their way: it waits for them
    page.wait_for_function("() => document.querySelectorAll('.grid.folder a img').length === 12")
    page.wait_for_selector("text=12 of 12")
    with page.expect_download() as waited:
        page.click("text=All as ZIP")
    with zipfile.ZipFile(waited.value.path()) as archive:
        assert sorted(archive.namelist()) == sorted(f"photo-{number}.restyled.png" for number in range(12))
        assert Image.open(io.BytesIO(archive.read("photo-3.restyled.png"))).size == (64, 72)


def test_what_failed_says_why_and_is_tried_again_alone(
    studio: Studio, page: "Page", files: list[Path], tmp_path: Path
) -> None:
    start(page, studio, files[:2], files[1], prompts="short")
    page.click("[data-convert]")
    page.wait_for_selector("text=2 failed")
    assert "64 x 64 would fit" in page.locator(".grid .bad").first.inner_text()
    page.click("text=Failed ones again")
    page.wait_for_selector("text=2 failed")


def test_history_is_searched_and_reopened(studio: Studio, page: "Page", files: list[Path]) -> None:
    start(page, studio, files[:1], files[1], prompts="a lighthouse 灯塔")
    page.fill("#seed", "41")
    page.click("[data-convert]")
    page.wait_for_selector("before-after")
    uid = page.inner_text(".facts code")
    for text, found in (("LightHouse", 1), ("灯塔", 1), ("100%_", 0), (uid, 1)):
        page.goto(f"{studio.url}/history")
        page.fill("[name=q]", text)
        page.press("[name=q]", "Enter")
        page.wait_for_url("**/history?q=*")
        assert page.locator(".grid.history li").count() == found, text
    page.click("[aria-label='Open again with all settings']")
    page.wait_for_selector("#form")
    assert page.input_value("#seed") == "41"
    assert page.input_value("[name=positive_prompts]") == "a lighthouse 灯塔"
    assert page.locator("picture-box input[type=hidden]").count() == 2
    start(page, studio, files[:2], files[1], prompts="short")
    page.click("[data-convert]")
    page.wait_for_selector("text=2 failed")
    page.goto(f"{studio.url}/history?state=Error")
    assert page.locator(".grid.history li").count() >= 2


def test_a_request_is_copied_for_a_shell_for_python_and_as_json(
    studio: Studio, page: "Page", files: list[Path]
) -> None:
    start(page, studio, files[:1], files[1], prompts='a "$(fox)" `hat`')
    page.click("[data-convert]")
    page.wait_for_selector("before-after")
    page.click(".copies summary")
    page.wait_for_selector("[data-copy]")
    texts = [each.get_attribute("data-copy") or "" for each in page.locator("[data-copy]").all()]
    assert '\\"\\$(fox)\\" \\`hat\\`' in texts[0]
    assert '"a \\"$(fox)\\" `hat`"' in texts[2]
    compile(texts[1], "sample", "exec")


def test_a_favourite_outlives_its_time_with_its_pictures(studio: Studio, page: "Page", files: list[Path]) -> None:
    uids, brought = [], []
    for path in files[:2]:
        start(page, studio, [path], files[2])
        brought.append(page.get_attribute("picture-box[name=raw] input[type=hidden]", "value"))
        page.click("[data-convert]")
        page.wait_for_selector("before-after")
        uids.append(page.inner_text(".facts code"))
    page.click(".large .star")
    page.wait_for_selector(".large .star[aria-pressed=true]")
    with writing(studio.service.db) as connection:  # so long ago that all of it has had its time
        connection.execute(sa.update(tasks).where(tasks.c.uid.in_(uids)).values(finished=1.0))
        connection.execute(sa.update(tasks).where(tasks.c.uid == uids[0]).values(expires=1.0))
        of_tasks = sa.select(run_items.c.run_id).where(run_items.c.uid.in_(uids))
        connection.execute(sa.update(runs).where(runs.c.id.in_(of_tasks)).values(created=1.0))
        connection.execute(sa.update(uploads).where(uploads.c.id.in_(brought)).values(expires=1.0))
    wait_for(lambda: page.request.get(f"{studio.url}/uploads/{brought[0]}/view").status == 404)
    wait_for(lambda: page.request.get(f"{studio.url}/tasks/{uids[0]}").status == 404)
    page.goto(f"{studio.url}/favourites")
    page.wait_for_function("() => document.querySelector('.grid img').naturalWidth === 64")
    page.click("[aria-label='Open again with all settings']")
    page.wait_for_function("() => document.querySelectorAll('picture-box input[type=hidden]').length === 2")
    page.goto(f"{studio.url}/tasks/{uids[1]}")
    page.wait_for_selector("before-after .after")
    page.goto(f"{studio.url}/favourites")
    page.click("[aria-label='Remove']")
    page.wait_for_selector("text=Press the star")


def test_a_style_is_kept_put_on_again_and_forgotten(studio: Studio, page: "Page", files: list[Path]) -> None:
    page.goto(f"{studio.url}/")
    choose(page, "style", files[3])
    page.select_option("[name=model]", OBEDIENT)
    page.wait_for_selector("[name=positive_prompts]")
    page.fill("[name=positive_prompts]", "wet paper")
    page.click(".keep summary")
    page.fill("[name=style_name]", "A {house} 水 & more")
    page.click("text=Keep it with these settings")
    kept = page.locator(".shelf button:has-text('A {house} 水 & more')")
    kept.wait_for()
    page.goto(f"{studio.url}/")
    choose(page, "raw", files[0])
    assert kept.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    kept.click()
    page.wait_for_selector("[name=positive_prompts]")
    assert page.input_value("[name=positive_prompts]") == "wet paper"
    assert kept.get_attribute("aria-pressed") == "true"
    page.click("[data-convert]")
    page.wait_for_selector("before-after")
    page.click(".keep summary")
    page.click("text=Forget A {house} 水 & more")
    kept.wait_for(state="detached")
    page.click(".keep summary")
    page.fill("[name=style_name]", "Oil")
    wait_for(lambda: shelf_shows(page) == [style.code for style in official()])
    page.click(".shelf button:has-text('Mosaic')")
    page.click("picture-box[name=style] .swap")
    page.wait_for_selector("picture-box[name=raw] img[alt=Mosaic]")
    page.click(".keep summary")
    page.click("text=Keep it with these settings")
    page.wait_for_selector("#form > .error >> text=official style")


def shelf_shows(page: "Page") -> list[str]:
    """The official styles that the pictures of the shelf look like, in its order."""

    def tiny(data: bytes) -> np.ndarray:
        return np.asarray(ImageOps.fit(Image.open(io.BytesIO(data)).convert("RGB"), (6, 6)), float)

    known = {style.code: tiny(style.picture) for style in official()}
    shown = [tiny(cut.screenshot()) for cut in page.locator(".shelf .cut").all()]
    return [min(known, key=lambda code: np.abs(known[code] - picture).mean()) for picture in shown]


def test_a_key_is_made_used_and_disabled_with_its_session(studio: Studio, page: "Page") -> None:
    page.goto(f"{studio.url}/account")
    page.fill("form.stack [name=name]", "booth")
    page.click("text=Make keys")
    public, private = page.inner_text("[data-public]"), page.inner_text("[data-private]")
    with restyle.Client(studio.service.url, public, private) as client:
        assert client.balance().used >= 0
    other = studio.page()
    other.goto(f"{studio.url}/sign-in")
    other.fill("[name=public_key]", public)
    other.fill("[name=private_key]", private)
    other.click("form .primary")
    other.wait_for_selector("#form")
    row = page.locator(f"li.row:has-text('{public}')")
    row.locator("[name=name]").fill("x" * 60 + "\u200b")
    row.locator("text=Rename").click()
    page.wait_for_selector(".error:has-text('printable characters')")
    row.locator("text=Rotate").click()
    page.wait_for_function("before => document.querySelector('[data-private]')?.innerText !== before", arg=private)
    rotated = page.inner_text("[data-private]")
    other.goto(f"{studio.url}/history")
    assert "/sign-in" in other.url
    with restyle.Client(studio.service.url, public, private) as client, pytest.raises(RestyleError):
        client.balance()
    with restyle.Client(studio.service.url, public, rotated) as client:
        assert client.balance().used >= 0
    other.fill("[name=public_key]", public)
    other.fill("[name=private_key]", rotated)
    other.click("form .primary")
    other.wait_for_selector(".history, .nothing")
    row.locator("text=Disable").click()
    page.wait_for_selector(f"li.off:has-text('{public}')")
    other.goto(f"{studio.url}/history")
    assert "/sign-in" in other.url
    other.fill("[name=public_key]", public)
    other.fill("[name=private_key]", rotated)
    other.click("form .primary")
    other.wait_for_selector("text=do not belong together, or they are disabled")
    other.context.close()
    with restyle.Client(studio.service.url, public, rotated) as client, pytest.raises(RestyleError):
        client.balance()


def test_another_account_sees_nothing_of_it(studio: Studio, page: "Page", files: list[Path]) -> None:
    start(page, studio, files[:1], files[1])
    page.click("[data-convert]")
    page.wait_for_selector("before-after")
    run, uid = run_of(page), page.inner_text(".facts code")
    upload = page.get_attribute("picture-box[name=raw] input[type=hidden]", "value")
    stranger = studio.signed_in(studio.service.keys.create(credits=5))
    stranger.goto(f"{studio.url}/history")
    assert stranger.locator(".grid li").count() == 0
    for path in (
        f"runs/{run}",
        f"runs/{run}/state",
        f"runs/{run}/events",
        f"runs/{run}/results.zip",
        f"tasks/{uid}",
        f"tasks/{uid}/copies",
        f"results/{uid}/0/thumbnail",
        f"uploads/{upload}/view",
        "operator",
        "operator/accounts",
    ):
        assert stranger.request.get(f"{studio.url}/{path}").status == 404, path
    stranger.context.close()


def test_forms_of_other_sites_change_nothing(studio: Studio, page: "Page") -> None:
    cookies = {each["name"]: each["value"] for each in page.context.cookies()}
    for headers in ({}, {"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = httpx.post(f"{studio.url}/account/keys", data={"name": "x"}, cookies=cookies, headers=headers)
        assert answer.status_code == 403
    cookie = next(each for each in page.context.cookies() if each["name"] == "restyle_studio")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    forged = httpx.get(f"{studio.url}/history", cookies={"restyle_studio": cookie["value"][:-1] + "0"})
    assert forged.status_code == 303 or cookie["value"].endswith("0")


def test_the_console_signs_in_the_browser(studio: Studio, page: "Page") -> None:
    page.goto(f"{studio.url}/console?action=GetCreditBalance")
    page.fill("[data-key]", studio.service.key.private_key)
    page.click("[data-send]")
    page.wait_for_function("() => document.querySelector('[data-answer]').value.includes('\"RetCode\": 0')")
    assert page.input_value("[data-text]") == f"ActionGetCreditBalancePublicKey{studio.service.key.public_key}"


def test_an_operator_gives_credits_and_makes_accounts(studio: Studio, operator: "Page") -> None:
    operator.goto(f"{studio.url}/operator/accounts")
    operator.fill("form.joined [name=name]", "guest")
    operator.click("text=New account")
    public = operator.inner_text("[data-public]")
    row = operator.locator(f"li.card:has-text('{public}')")
    row.locator("[name=credits]").fill("50")
    row.locator("text=Give").click()
    operator.wait_for_selector("text=350 of 350 credits left")


def test_an_operator_installs_a_set_and_sees_it_come(
    studio: Studio, operator: "Page", hub: Hub, tmp_path: Path
) -> None:
    tiny = registrable(tmp_path)
    # neither comes at first: what is held later must still be to come
    tiny.put(hub, {name: (Answer(404),) for name in ("vae.safetensors", "lora.safetensors")})
    tiny.tell(studio.service.settings.data_dir)
    operator.goto(f"{studio.url}/operator/models")
    card = operator.locator("#install-tiny")
    assert card.locator("a").get_attribute("href") == f"{hub.url}/tiny/models"
    card.locator("text=Install").click()
    card.locator("text=Read the licences and accept them first.").wait_for()
    assert not hub.asked
    card.locator("[name=accept]").check()
    card.locator("text=Install").click()
    card.locator(".error:has-text('the repository has no such file')").wait_for()
    gate = threading.Event()
    tiny.put(hub, {"lora.safetensors": (Answer(cut=100_000, hold=gate),)})
    card.locator(".tools button").click()
    card.locator("text=5 of 6 files").wait_for()
    operator.reload()
    card.locator("text=5 of 6 files").wait_for()
    card.locator("text=Stop").click()
    card.locator("text=are still to come").wait_for()
    gate.set()
    card.locator("text=Go on").click()
    operator.wait_for_selector("#install-tiny[data-phase=installed]")
    operator.reload()
    row = operator.locator("tr:has-text('CONTROL')")
    assert "Tiny Licence 1.0" in row.inner_text()
    assert "kB" in row.inner_text()


def tab_to(page: "Page", selector: str) -> None:
    """Go on with the Tab key until that has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key does not reach {selector}")


def test_the_keyboard_alone_converts(studio: Studio, page: "Page", files: list[Path]) -> None:
    page.goto(f"{studio.url}/")
    with page.expect_file_chooser() as waited:
        tab_to(page, "picture-box[name=raw] .choose input")
        page.keyboard.press("Enter")
    waited.value.set_files(str(files[0]))
    page.wait_for_selector("picture-box[name=raw] input[type=hidden]", state="attached")
    tab_to(page, "[data-style='style:woodcut']")
    page.keyboard.press("Enter")
    tab_to(page, "[name=strength]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("before-after")
    tab_to(page, "[data-canvas]")
    page.keyboard.press("+")
    page.wait_for_selector(".canvas.zoomed")
    page.keyboard.press("0")
    page.wait_for_selector(".canvas:not(.zoomed)")


def test_a_model_shows_its_own_controls_alone(studio: Studio, page: "Page") -> None:
    page.goto(f"{studio.url}/")
    page.select_option("[name=model]", "Restyle Painter")
    assert page.locator("[name=steps]").count() == 0
    page.select_option("[name=model]", THOROUGH)
    page.wait_for_selector("[name=steps]", state="attached")
    assert page.locator("[name=sampler] option").count() == 3
    assert page.locator("[name=sub_code]").count() == 1


def test_the_last_of_two_choices_counts(studio: Studio, page: "Page") -> None:
    """Though the answer to the first is not there when the second is made."""
    page.goto(f"{studio.url}/")
    held: list[Route] = []

    def answer(route: "Route") -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/settings", answer)
    page.select_option("[name=model]", OBEDIENT)
    while not held:
        page.wait_for_timeout(10)
    page.select_option("[name=model]", THOROUGH)
    page.wait_for_selector("[name=steps]", state="attached")
    assert page.input_value("[name=model]") == THOROUGH
    page.unroute("**/settings")


def serious(page: "Page") -> list[str]:
    """What axe finds that is serious."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{each['id']}: {each['nodes'][0]['html'][:160]}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_pages_are_accessible_and_fit_a_phone(studio: Studio, operator: "Page", files: list[Path]) -> None:
    narrow = studio.page(
        viewport={"width": 390, "height": 844}, storage_state=operator.context.storage_state(), color_scheme="dark"
    )
    start(operator, studio, files[:1], files[1])
    operator.click("[data-convert]")
    operator.wait_for_selector("before-after")
    run, uid = run_of(operator), operator.inner_text(".facts code")
    start(operator, studio, files[:2], files[1], prompts="short")
    operator.click("[data-convert]")
    operator.wait_for_selector("text=2 failed")
    pages = (
        *PAGES,
        f"/runs/{run}",
        f"/runs/{run_of(operator)}",
        f"/tasks/{uid}",
        "/tasks/nowhere",
        "/open",
        "/sign-in",
    )
    faults = []
    for path in pages:
        narrow.goto(f"{studio.url}{path}")
        if path == "/sign-in":
            narrow.context.clear_cookies()
            narrow.goto(f"{studio.url}{path}")
        faults += [f"{path} {fault}" for fault in serious(narrow)]
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 390, path
    for path in ("/", f"/runs/{run}", "/history", "/account"):
        operator.goto(f"{studio.url}{path}")
        faults += [f"{path} {fault}" for fault in serious(operator)]
    assert faults == []
    narrow.context.close()


def test_the_page_speaks_chinese_and_remembers_the_light(studio: Studio, page: "Page", files: list[Path]) -> None:
    page.goto(f"{studio.url}/")
    page.click(".preferences summary")
    page.click("text=中文")
    page.wait_for_selector("html[lang=zh]")
    assert page.inner_text("[data-convert]") == "转换"
    start(page, studio, files[:1], files[1], prompts="x" * 4001)
    page.click("[data-convert]")
    page.wait_for_selector("#wrong-positive_prompts")
    assert "个字符，最多" in page.inner_text("#wrong-positive_prompts")
    page.goto(f"{studio.url}/account")
    page.fill("form.stack [name=name]", "\u200b")
    page.click("form.stack .primary")
    assert page.inner_text("main .error").startswith("密钥名称最多")
    page.click(".preferences summary")
    page.click("[name=theme][value=dark]")
    page.wait_for_selector("html[data-theme=dark]")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", dark)[:3])) < 150
    page.click(".preferences summary")
    page.click("text=English")
    page.wait_for_selector("html[lang=en]")


def test_what_a_page_loads_is_small(studio: Studio, page: "Page") -> None:
    page.goto(f"{studio.url}/")
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => /\\.(js|css)$/.test(e.name)).map(e => e.encodedBodySize)"
    )
    assert len(sizes) >= 6
    assert 0 < sum(sizes) < 120_000


def test_a_run_goes_on_as_there_is_room_and_after_a_restart(
    tmp_path: Path, browser: "Browser", files: list[Path]
) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path, browser, drain_seconds=0, max_unfinished_tasks=1) as first:
        page = first.signed_in()
        start(page, first, files[:3], files[1], prompts=f"until {gate}")
        page.click("[data-convert]")
        page.wait_for_selector("[data-state=Running]")
        assert page.locator("[data-state=Waiting]").count() == 2
        port = int(first.service.url.rpartition(":")[2])
    gate.touch()
    with serving(tmp_path, browser, port=port):
        page.wait_for_function("() => document.querySelectorAll('.grid.folder a img').length === 3")
        page.context.close()
