"""The sizes and colours of an AV1 stream (AV1 Bitstream & Decoding Process Specification, sections 5.3 to 5.9)."""

from collections.abc import Iterator

from restyle.images.structure.bits import Bits
from restyle.images.structure.frame import Cicp, at_most, cut_off

FORMAT = "AVIF"
UNITS = 100_000
HEADER_BYTES = 1024
SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6
KEY_FRAME, SWITCH_FRAME = 0, 3
CHOSEN_BY_FRAME = 2
"""Value of a switch of the sequence header that every frame states anew."""


class Sequence:
    """What a sequence header says of the sizes of frames and of their colours. Its syntax is that of section 5.5."""

    def __init__(self, bits: Bits) -> None:
        take = bits.take
        self.ticks_vary, self.time_bits = False, 0
        profile = take(3)
        take(1)  # still_picture
        self.reduced = bool(take(1))
        if self.reduced:
            take(5)  # seq_level_idx
        else:
            self._timing(bits)
        self.width_bits, self.height_bits = take(4) + 1, take(4) + 1
        self.width, self.height = take(self.width_bits) + 1, take(self.height_bits) + 1
        self.id_bits = 0
        if not self.reduced and take(1):
            shorter = take(4) + 2
            self.id_bits = take(3) + shorter + 1
        take(3)  # superblocks, filter_intra, intra_edge_filter
        self.screen_content = self.integer_motion = CHOSEN_BY_FRAME
        order_hint = 0
        if not self.reduced:
            take(4)  # interintra, masked, warped, dual filter
            order_hint = take(1)
            take(2 * order_hint)
            self.screen_content = CHOSEN_BY_FRAME if take(1) else take(1)
            if self.screen_content:
                self.integer_motion = CHOSEN_BY_FRAME if take(1) else take(1)
        take(3 * order_hint + 3)  # its bits; superres, cdef, restoration
        self.cicp = self._colours(bits, profile)

    def _colours(self, bits: Bits, profile: int) -> Cicp | None:
        """None where nothing is said of them, and for grey, which opacity is coded as."""
        take = bits.take
        if take(1) and profile == 2:  # more than 8 bits, perhaps 12
            take(1)
        grey = profile != 1 and take(1)
        if not take(1) or grey:
            return None
        return Cicp(take(8), take(8))

    def _timing(self, bits: Bits) -> None:
        take = bits.take
        decoder_model = delay_bits = 0
        if take(1):  # timing_info
            take(64)
            steady = take(1)
            if steady:
                bits.exponential()
            decoder_model = take(1)
            if decoder_model:
                delay_bits = take(5) + 1
                take(37)
                self.time_bits = take(5) + 1
                self.ticks_vary = not steady
        display_delay = take(1)
        for _ in range(take(5) + 1):  # operating points
            take(12)
            if take(5) > 7:
                take(1)
            if decoder_model and take(1):
                take(2 * delay_bits + 1)
            if display_delay and take(1):
                take(4)

    def overridden(self, bits: Bits) -> bool:
        """Whether the frame header in ``bits`` states a size of its own. Its syntax is that of section 5.9.2."""
        take = bits.take
        if self.reduced:
            return False
        if take(1):  # shows a frame that was decoded before
            return False
        kind, shown = take(2), take(1)
        if shown and self.ticks_vary:
            take(self.time_bits)
        if not shown:
            take(1)
        if kind != SWITCH_FRAME and not (kind == KEY_FRAME and shown):
            take(1)
        take(1)  # disable_cdf_update
        screen_content = take(1) if self.screen_content == CHOSEN_BY_FRAME else self.screen_content
        if screen_content and self.integer_motion == CHOSEN_BY_FRAME:
            take(1)
        take(self.id_bits)
        return kind == SWITCH_FRAME or bool(take(1))


def cicp(data: bytes) -> Cicp | None:
    """What the first sequence header among these units says of colours. Raises Unsound."""
    for kind, bits in _units(data):
        if kind == SEQUENCE_HEADER:
            return Sequence(bits).cicp
    return None


def frame_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) that the frames of these units may have at most, one for each header that says so.

    A frame that states a size of its own is taken to use all bits it has for that. Raises Unsound.
    """
    sequence: Sequence | None = None
    for kind, bits in _units(data):
        if kind == SEQUENCE_HEADER:
            sequence = Sequence(bits)
            yield sequence.width, sequence.height
        elif kind in (FRAME_HEADER, FRAME) and sequence is not None and sequence.overridden(bits):
            yield 1 << sequence.width_bits, 1 << sequence.height_bits


def _units(data: bytes) -> Iterator[tuple[int, Bits]]:
    """The type of each unit, and how it begins: headers are short, and what follows a frame's is its pixels."""
    at = 0
    count = 0
    while at < len(data):
        head = data[at]
        kind, extended, sized = head >> 3 & 15, head >> 2 & 1, head >> 1 & 1
        at += 1 + extended
        length = len(data) - at
        if sized:
            length, at = _leb128(data, at)
        if head & 0x80 or at + length > len(data) or length < 0:
            raise cut_off(FORMAT)
        count += 1
        at_most("units in a frame", count, UNITS)
        yield kind, Bits(data[at : at + min(length, HEADER_BYTES)], FORMAT)
        at += length


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to eight bytes of seven bits, lowest first, and where it ends."""
    value = 0
    for n, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * n
        if not byte & 0x80:
            return value, at + n + 1
    raise cut_off(FORMAT)
