import socket
from collections.abc import Iterator

import pytest

from restyle.queue.channel import LENGTH, Channel, WorkerChannel, frame
from restyle.queue.messages import MAX_FRAME, Progress, Run, from_worker, to_worker

NAME = "0123456789abcdef"


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def test_half_a_message_is_waited_for_without_waiting(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    told = [Progress(claim=NAME, fraction=fraction) for fraction in (0.25, 0.5)]
    data = b"".join(frame(message) for message in told)
    heard = []
    for byte in data:
        assert list(channel.receive()) == []
        theirs.send(bytes([byte]))
        heard += [from_worker.validate_json(body) for body in channel.receive()]
    assert heard == told


def test_who_does_not_read_is_not_waited_for_and_gets_all_in_the_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    runs = [Run(uid="u", claim=NAME, seeds=[number], plan="x" * 2_000_000) for number in range(2)]
    for run in runs:
        channel.send(run)
    waiting, sent, read = channel.full, b"".join(frame(run) for run in runs), bytearray()
    while len(read) < len(sent):
        read += theirs.recv(1 << 20)
        channel.flush()
    assert read == sent
    assert (waiting, channel.full) == (True, False)


def test_the_workers_end_waits_for_whole_messages() -> None:
    ours, theirs = socket.socketpair()
    channel, worker = Channel(ours), WorkerChannel(theirs.detach())
    run = Run(uid="u", claim=NAME, seeds=[1, 2], plan="äöü😀")
    channel.send(run)
    assert to_worker.validate_json(worker.receive()) == run
    worker.send(Progress(claim=NAME, fraction=1))
    assert [from_worker.validate_json(body) for body in channel.receive()] == [Progress(claim=NAME, fraction=1)]
    channel.close()
    with pytest.raises(EOFError):
        worker.receive()
    worker.close()


def test_a_frame_that_is_too_long_is_refused_before_it_is_there(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.send(LENGTH.pack(MAX_FRAME + 1))
    with pytest.raises(ValueError, match="over"):
        list(channel.receive())


def test_the_other_sides_end_is_told(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.close()
    with pytest.raises(EOFError):
        list(channel.receive())
    with pytest.raises(BrokenPipeError):
        channel.send(Progress(claim=NAME, fraction=0))
