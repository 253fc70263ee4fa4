import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from restyle.queue.uid import created, new_uid


def test_a_uid_looks_as_on_the_page_and_tells_when_it_was_made() -> None:
    before = int(time.time())
    uid = new_uid()
    assert re.fullmatch("[0-9a-v]{20}", uid)
    assert before <= created(uid) <= time.time()
    assert created("cktlm6lrh4miq8ng9nf0") == 1_698_388_762


def test_uids_of_one_process_rise_and_never_meet() -> None:
    uids = [new_uid() for _ in range(1000)]
    assert uids == sorted(uids)
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda _: new_uid(), range(4000)))
    assert len(set(many)) == 4000


@pytest.mark.parametrize("text", ["", "short", "CKTLM6LRH4MIQ8NG9NF0", "w" * 20, "é" * 20, "results"])
def test_other_text_is_no_uid(text: str) -> None:
    with pytest.raises(ValueError, match=r"xid|base32"):
        created(text)
