"""HEIF pictures as Pillow has others, decoded by libheif."""

from typing import Any

import numpy as np
from pi_heif.as_plugin import HeifImageFile
from pi_heif.misc import MODE_INFO
from PIL import Image


class HeifImage(HeifImageFile):  # type: ignore[misc]
    """The primary picture of a HEIF file, opened and not decoded; upright once it is.

    It is not registered with Pillow, which would then open such files everywhere in this process.
    """

    _heif_file: Any
    _step = 1

    def draft(self, mode: str | None, size: tuple[int, int]) -> None:
        """Let loading keep no more than every n-th pixel of every n-th row, so that at least ``size`` are left.

        libheif decodes the whole picture all the same; what is saved is a second one of the same size.
        """
        self._step = max(1, min(self.width // size[0], self.height // size[1]))

    def load(self) -> Any:
        """The pixels, decoded when first asked for."""
        if self._heif_file and self._step > 1:
            picture = self._heif_file[self.tell()]
            rows = np.frombuffer(picture.data, np.uint8).reshape(-1, picture.stride)[:: self._step]
            channels = MODE_INFO[picture.mode][0]
            kept = rows[:, : picture.size[0] * channels].reshape(len(rows), -1, channels)[:, :: self._step]
            self._size, self._heif_file = (kept.shape[1], kept.shape[0]), None
            self.im = Image.frombytes(picture.mode, self._size, kept.tobytes()).im
            self._mode = picture.mode
        return super().load()
