"""Results as pages show them: where their pictures are, and how they were made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from restyle.http.links import lasting
from restyle.queue.record import TaskRecord
from restyle.studio import shelf
from restyle.studio.ask import Ask
from restyle.studio.runs import Item
from restyle.studio.uploads import Upload


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a task, by the addresses of its file, of a small one, of its file to be saved, and of what makes an
    upload of it.
    """

    index: int
    seed: int
    url: str
    thumbnail: str
    file: str
    reuse: str
    name: str
    favourite: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A task, with or without the item it was made for. ``raw`` and its thumbnail are addresses of pictures, or
    empty; ``name`` is the photograph's where it is known. ``sources`` are what it was made of and is still there: what
    each is, and where it is.
    """

    item: Item | None
    record: TaskRecord | None
    pictures: tuple[Picture, ...]
    raw: str
    raw_thumbnail: str
    sources: tuple[tuple[str, str], ...]
    name: str

    @property
    def picture(self) -> Picture | None:
        """The first image."""
        return self.pictures[0] if self.pictures else None


def cards(ask: Ask, items: Sequence[tuple[Item | None, TaskRecord | None]]) -> list[Card]:
    """One card for each item or task."""
    uploads = [name for item, _ in items if item is not None for name in item.pictures]
    known = ask.studio.uploads.find(ask.account, uploads)
    base = ask.studio.base
    made = []
    for item, record in items:
        raw = f"{base}/uploads/{item.raw}" if item is not None and item.raw in known else ""
        made.append(
            Card(
                item,
                record,
                tuple(_pictures(ask, item, record)) if record is not None else (),
                f"{raw}/view" if raw else "",
                f"{raw}/thumbnail" if raw else "",
                tuple(_sources(base, item, known)) if item is not None else (),
                _name(item, record, known),
            )
        )
    return made


def _pictures(ask: Ask, item: Item | None, record: TaskRecord) -> Sequence[Picture]:
    front = ask.studio.base.removesuffix("/studio")
    found = []
    label = item.label if item is not None else record.uid
    liked = record.favourite is not None
    until = lasting(ask.studio.service.settings.result_seconds) if record.expires is None else int(record.expires)
    for index in range(len(record.images)):
        url = ask.studio.service.links.url(front, record.uid, index, until)
        base = f"{ask.studio.base}/results/{record.uid}/{index}"
        small, file = f"{base}/thumbnail", f"{base}/file"
        found.append(Picture(index, record.seeds[index], url, small, file, f"{base}/reuse", label, liked))
    return found


def _sources(base: str, item: Item, known: Mapping[str, Upload]) -> Iterator[tuple[str, str]]:
    named = {"Photograph": item.raw, "Style": item.style, "Guide picture": item.control, "Mask": item.mask}
    for label, name in named.items():
        if name.startswith(shelf.PREFIX):
            yield label, f"{base}/styles/{quote(name.removeprefix(shelf.PREFIX))}"
        elif name in known:
            yield label, f"{base}/uploads/{name}"


def _name(item: Item | None, record: TaskRecord | None, known: Mapping[str, Upload]) -> str:
    if item is not None:
        return known[item.raw].name if item.raw in known else item.label
    return record.uid if record is not None else ""
