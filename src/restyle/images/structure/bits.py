"""Numbers of any count of bits."""

from restyle.images.structure.frame import cut_off


class Bits:
    """The bits of a unit, highest first. Raises Unsound past the end."""

    def __init__(self, data: bytes, format: str) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)
        self._format = format

    def take(self, count: int) -> int:
        """The next ``count`` bits as a whole number."""
        self._left -= count
        if self._left < 0:
            raise cut_off(self._format)
        return self._value >> self._left & (1 << count) - 1

    def exponential(self) -> int:
        """A number of variable length (Exp-Golomb): after a 1 come as many bits as zeros led to it. 0 past 32 bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros) if zeros < 32 else 0
