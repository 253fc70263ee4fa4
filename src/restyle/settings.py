"""Every setting, as data: environment variable ``RESTYLE_<NAME>``, default, range and reason."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024
GIB = 1024 * MIB
HOUR = 3600
DAY = 24 * HOUR


EARLIER_FOLDER = Path("restyle-data")
"""Where the data folder was by default before it had a place of its own: in the current folder."""


def default_data_dir() -> Path:
    """The data folder of the user by the platform's convention, ``~/.local/share/restyle`` for one.

    A ``restyle-data`` in the current folder that is this user's (or anybody's, for root) goes first: an earlier release
    has put it there. It is also the place for a user without a home folder.
    """
    try:
        owner = EARLIER_FOLDER.stat().st_uid if EARLIER_FOLDER.is_dir() else None
    except OSError:
        owner = None
    if owner is not None and os.geteuid() in (0, owner):
        return EARLIER_FOLDER
    folder = user_data_path("restyle", appauthor=False)
    return folder if folder.is_absolute() else EARLIER_FOLDER


def cors_origins(text: str) -> list[str]:
    """The origins of ``RESTYLE_CORS_ORIGINS``."""
    return [origin.strip() for origin in text.split(",") if origin.strip()]


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    """The networks of a setting that lists addresses and networks. Raises ValueError for what is none."""
    return [ip_network(each.strip()) for each in text.split(",") if each.strip()]


def _checked(url: str, *, path: bool) -> str:
    """``url``, a base to which paths are added, or an origin. Raises ValueError for what is none."""
    what = "https://restyle.example.org/with/a/path" if path else "https://app.example.org"
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port or an address that is none
        well = False
    if not well or parts.query or parts.fragment or "@" in parts.netloc or any(map(str.isspace, url)):
        raise ValueError(f"give a whole address of http or https, such as {what}")
    if not path and parts.path:
        raise ValueError(f"give an origin, which has no path, not even a slash at its end, such as {what}")
    return url


OTHER_VARIABLES = frozenset({"URL", "PUBLIC_KEY", "PRIVATE_KEY"})
"""Variables after ``RESTYLE_`` that are no settings: the command's, of the service it asks."""
BENCH = "BENCH_"
"""The beginning of those that benchmarks read."""


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that nobody reads, each with the setting that was meant, empty where none is like it."""
    known = {name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    found = {}
    for variable in sorted(environment):
        name = variable.upper().removeprefix("RESTYLE_")
        if name == variable.upper() or name in known or name.startswith(BENCH):
            continue
        found[variable] = next((f"RESTYLE_{like}" for like in get_close_matches(name, sorted(known), 1)), "")
    return found


class Settings(BaseSettings):
    """Read once at start. The descriptions are the documentation: ``docs/operations.md`` is made from them."""

    model_config = SettingsConfigDict(env_prefix="RESTYLE_", frozen=True, extra="ignore")

    data_dir: Path = Field(
        default_factory=default_data_dir,
        json_schema_extra={"default": "~/.local/share/restyle"},
        description="Folder of the database, the images and the key file; the user's data folder by the platform's "
        "convention, unless the current folder holds a restyle-data.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in the data folder.")
    storage_url: str = Field("", description="Where images are kept, as an obstore URL; empty means the data folder.")

    host: str = Field(
        "127.0.0.1", description="Address to bind. Loopback unless told, because keys travel in the body."
    )
    port: int = Field(8484, ge=0, le=65535, description="Port to bind; 0 lets the system choose.")
    public_url: str = Field(
        "", description="Base of result URLs; empty means the address that the client asked for (its Host header)."
    )
    allowed_hosts: str = Field(
        "",
        description="Names, such as restyle.lan, that clients may have in the Host header where RESTYLE_PUBLIC_URL is "
        "not set, besides localhost and the address that they connect to; separated by commas; * allows all.",
    )
    internal_networks: str = Field(
        "127.0.0.0/8,::1",
        description="Addresses or networks that may read /metrics, /docs and /openapi.json; others get 403.",
    )
    cors_origins: str = Field(
        "",
        description="Origins, such as https://app.example.org, whose pages may call the service from a browser, "
        "separated by commas; * allows all; empty allows none.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses or networks of reverse proxies, whose X-Forwarded-For and -Proto are believed.",
    )
    max_connections: int = Field(1000, ge=8, description="Open connections; past it the slowest gives way to the next.")
    head_seconds: float = Field(10, gt=0, description="Time in which the line and headers of a request must arrive.")
    idle_seconds: float = Field(30, gt=0, description="How long a connection may stay open between two requests.")
    body_seconds: float = Field(
        15, gt=0, description="Time that a body may take besides one second for each 8 KiB of it."
    )
    write_seconds: float = Field(
        20, gt=0, description="A client that has not taken the last 64 KiB of an answer by then is dropped."
    )
    studio: Literal["on", "off"] = Field("on", description="Whether there is a page for people, the Studio at /studio.")
    upload_bytes: int = Field(
        8 * GIB, ge=1024, description="Pictures that one account may keep in the Studio at once, to convert them."
    )
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, else JSON.")

    tracing_endpoint: str = Field(
        "",
        description="OTLP address of a collector, such as http://127.0.0.1:4318/v1/traces, that gets a trace of each "
        "task; empty means none. Needs restyle[tracing].",
    )

    role: Literal["alone", "api", "worker", "all"] = Field(
        "alone",
        description="alone: one service does everything. In a fleet, on PostgreSQL and an object store that all share: "
        "api answers clients, worker draws, all does both.",
    )
    machine_name: str = Field(
        "", max_length=128, description="What this machine is called in lists of the fleet; empty means its host name."
    )
    machine_seconds: float = Field(
        30, ge=2, description="A machine of the fleet unheard for so long is gone, and its tasks run elsewhere."
    )
    affinity_seconds: float = Field(
        5,
        ge=0,
        description="How long a task waits at most for a machine of the fleet that has its checkpoint loaded already.",
    )
    key_file: Path | None = Field(
        None,
        json_schema_extra={"default": "key in the data folder"},
        description="The file that seals private keys and result URLs, the same for every api of a fleet.",
    )

    registry: str = Field(
        "",
        description="module:function that takes these settings and returns a Registry of the models there are; empty "
        "means those that ship and those that are registered.",
    )
    workers: int = Field(
        2, ge=1, le=64, description="Worker processes. Two overlap drawing with decoding and encoding."
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads an engine may use in one worker; 0 means its cores divided by the workers.",
    )
    task_seconds: float = Field(600, gt=0, description="Time limit of one task, after which it ends as 5103.")
    task_attempts: int = Field(3, ge=1, le=10, description="A task whose worker dies this often ends as 5101.")
    drain_seconds: float = Field(
        30, ge=0, description="On SIGTERM, how long running tasks may go on before they requeue."
    )

    max_body_bytes: int = Field(64 * MIB, ge=1024, description="Largest request body.")
    max_bodies_bytes: int = Field(
        192 * MIB, ge=1024, description="Memory for bodies in flight, each counted twice its size; more wait."
    )
    max_bodies_per_address: int = Field(16, ge=1, description="Bodies over 64 KiB from one address at once; more wait.")
    max_results_per_address: int = Field(32, ge=1, description="Results sent to one address at once; more wait.")
    max_images: int = Field(16, ge=2, le=1024, description="Most images in one request.")
    max_image_bytes: int = Field(40_000_000, ge=1024, description="Largest encoded image.")
    max_image_pixels: int = Field(
        64_000_000, ge=4096, le=178_000_000, description="Largest image, in pixels as coded; checked before decoding."
    )
    checkers: int = Field(2, ge=1, le=64, description="Processes that look at the pictures of submissions.")
    check_seconds: float = Field(
        2, gt=0, description="Processor time for one picture's look, and as much more for every 20 megapixels of it."
    )
    max_prompts: int = Field(50, ge=0, description="Most prompts in one list.")
    max_prompt_length: int = Field(2000, ge=1, description="Longest prompt, in characters.")
    max_unfinished_tasks: int = Field(100, ge=1, description="Queuing and Running tasks one account may have.")
    max_queued_tasks: int = Field(10_000, ge=1, description="Queuing tasks of all accounts; bounds disk use.")
    max_styles: int = Field(100, ge=0, description="Styles that one account may keep.")
    max_styles_bytes: int = Field(256 * MIB, ge=0, description="Bytes of their pictures together.")
    max_favourites: int = Field(1000, ge=0, description="Pictures that one account may keep as favourites.")
    requests_per_minute: int = Field(6000, ge=1, description="Requests one public key may make in a minute.")
    requests_per_address: int = Field(
        30_000, ge=1, description="Requests of any kind that one address may make in a minute, health aside."
    )

    content_filter: Literal["off", "on"] = Field(
        "off", description="on: workers refuse pornographic pictures, sent or drawn (5105); needs restyle[content]."
    )
    content_threshold: float = Field(
        0.8, ge=0, le=1, description="Score, 0 to 1, from which that filter refuses a picture."
    )

    result_seconds: int = Field(24 * HOUR, ge=1, description="How long result images are kept (PICPIK: 24 hours).")
    record_seconds: int = Field(30 * DAY, ge=1, description="How long task records are kept.")
    sweep_seconds: float = Field(60, gt=0, description="Pause between two retention sweeps.")

    new_account_credits: int = Field(300, ge=0, description="Credits of a new account (PICPIK: 300).")
    diffusion_device: str = Field(
        "auto",
        description="Where diffusion models and the neighbour run: cpu, cuda, cuda:1; auto: a GPU that torch finds, "
        "else the CPU.",
    )
    diffusion_precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="Numbers of the diffusion network; auto: half precision where the device is faster with it."
    )
    diffusion_offload: bool = Field(
        False, description="Keep each network of a diffusion model on the GPU only while it works: slower, and smaller."
    )
    diffusion_cache_bytes: int = Field(
        16 * GIB, ge=0, description="Memory for loaded checkpoints in one worker; the one in use is always kept."
    )
    brush_price: float | None = Field(
        None, ge=0, description="Credits per megapixel of the brush engine; its own price, 1, unless given."
    )
    painter_price: float | None = Field(
        None, ge=0, description="Credits per megapixel of the painter engine; its own price, 1, unless given."
    )
    neighbour_price: float | None = Field(
        None, ge=0, description="Credits per megapixel and step of the neighbour engine; its own, 0.2, unless given."
    )
    diffusion_price: float | None = Field(
        None, ge=0, description="Credits per megapixel and step of diffusion models; the engine's, 0.2, unless given."
    )

    @field_validator("public_url", "tracing_endpoint")
    @classmethod
    def _check_public_url(cls, url: str) -> str:
        return _checked(url, path=True) if url else url

    @field_validator("cors_origins")
    @classmethod
    def _check_cors_origins(cls, text: str) -> str:
        for origin in cors_origins(text):
            if origin != "*":
                _checked(origin, path=False)
        return text

    @field_validator("internal_networks")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        networks(text)
        return text

    def price(self, engine: str) -> float | None:
        """Credits per megapixel that the operator wants of the engine of that name; None for its own price."""
        price: float | None = getattr(self, f"{engine}_price", None)
        return price

    def master_key(self) -> Path:
        """Where the key file is."""
        return self.key_file or self.data_dir / "key"

    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        if self.database_url:
            return self.database_url
        from sqlalchemy import URL  # which takes its time to load, and drawing a picture needs none

        file = (self.data_dir / "restyle.sqlite3").absolute()
        return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)
