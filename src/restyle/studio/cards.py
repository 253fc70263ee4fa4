"""Results as pages show them: where their pictures are, and how they were made."""

from collections.abc import Mapping, Sequence
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
    """One image of a task, by the addresses of its file, of a small one, and of its file to be saved."""

    index: int
    seed: int
    url: str
    thumbnail: str
    file: str
    name: str
    favourite: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A task, with or without the item it was made for. ``raw`` and ``style`` are addresses of pictures, or empty;
    ``name`` is that of the photograph where it is known.
    """

    item: Item | None
    record: TaskRecord | None
    pictures: tuple[Picture, ...]
    raw: str
    raw_thumbnail: str
    style: str
    name: str

    @property
    def picture(self) -> Picture | None:
        """The first image."""
        return self.pictures[0] if self.pictures else None


def cards(ask: Ask, items: Sequence[tuple[Item | None, TaskRecord | None]]) -> list[Card]:
    """One card for each item or task."""
    uploads = [name for item, _ in items if item is not None for name in (item.raw, item.style)]
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
                _style(base, item, known),
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
        found.append(Picture(index, record.seeds[index], url, small, file, label, liked))
    return found


def _style(base: str, item: Item | None, known: Mapping[str, Upload]) -> str:
    if item is None:
        return ""
    if item.style.startswith(shelf.PREFIX):
        return f"{base}/styles/{quote(item.style.removeprefix(shelf.PREFIX))}/thumbnail"
    return f"{base}/uploads/{item.style}/thumbnail" if item.style in known else ""


def _name(item: Item | None, record: TaskRecord | None, known: Mapping[str, Upload]) -> str:
    if item is not None:
        return known[item.raw].name if item.raw in known else item.label
    return record.uid if record is not None else ""
