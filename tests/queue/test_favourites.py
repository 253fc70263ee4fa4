"""Results that outlive their time, on each kind of database."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import tasks, writing
from restyle.queue.favourites import Favourites
from restyle.queue.retention import Retention
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.queue.test_retention import age, finished
from tests.support.house import House

DAY = 24 * 3600


def test_favourites_stay_until_they_are_unmarked(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data", max_favourites=2)
    favourites, retention = Favourites(db, house.settings), Retention(db, house.storage, house.settings)
    plain, first, second, third = (finished(house) for _ in range(4))
    for uid in (first, second, second):
        favourites.mark(house.account, uid)
    with pytest.raises(RestyleError, match="keeps 2 pictures as favourites, and may keep 2") as full:
        favourites.mark(house.account, third)
    assert (full.value.code, full.value.field) == (Code.QUOTA_USED, "TaskUID")
    assert favourites.pictures(house.account) == 2

    age(house, 2 * DAY)
    retention.sweep()
    assert house.store.result(plain, 0) is None
    key = house.store.result(first, 0)
    assert key is not None
    assert house.storage.get(key) == b"picture"
    assert house.task(first).expires is None
    with pytest.raises(RestyleError, match="its pictures have expired"):
        favourites.mark(house.account, plain)

    age(house, 40 * DAY)
    retention.sweep()
    with pytest.raises(RestyleError, match="not found"):
        house.task(plain)
    listed = favourites.list(house.account, count=1)
    assert [task.uid for task in listed] == [second]
    assert [task.uid for task in favourites.list(house.account, count=9, before=listed[0].favourite)] == [first]

    favourites.unmark(house.account, first)
    favourites.unmark(house.account, first)
    assert house.store.result(first, 0) is None
    retention.sweep()
    assert list(house.storage.names("results/")) == [second]
    assert favourites.pictures(house.account) == 1


def test_only_an_owners_finished_tasks_are_marked(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    favourites = Favourites(db, house.settings)
    uid, other = finished(house), house.keys.create(credits=0).account_id
    for change in (favourites.mark, favourites.unmark):
        with pytest.raises(RestyleError) as refused:
            change(other, uid)
        assert refused.value.code == Code.TASK_NOT_FOUND
    with pytest.raises(RestyleError, match="it is Queuing"):
        favourites.mark(house.account, house.submit())
    with writing(db) as connection:  # what is damaged spoils no count
        connection.execute(sa.update(tasks).where(tasks.c.uid == uid).values(favourite=1.0, images=[]))
    assert favourites.pictures(house.account) == 0


def test_a_picture_of_no_style_is_swept(db: sa.Engine, tmp_path: Path) -> None:
    from restyle.accounts.styles import Quota, save_style
    from restyle.queue.uid import new_uid
    from restyle.storage import style_key

    house = House(db, tmp_path / "data")
    kept, young, old = new_uid(), new_uid(), "cktlm6lrh4miq8ng9nf0"
    for uid in (kept, young, old):
        house.storage.put(style_key(uid), b"picture")
    save_style(db, house.account, "ink", kept, {}, picture_bytes=7, thumbnail=b"", quota=Quota(9, 99))
    Retention(db, house.storage, house.settings).sweep()
    assert set(house.storage.names("styles/")) == {kept, young}
