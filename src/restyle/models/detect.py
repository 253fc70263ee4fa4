"""Tells what a model file is from the names and shapes of its tensors, never from the file's name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from restyle.models import checkpoints, submodels
from restyle.models.detected import Detected
from restyle.models.folder import read_folder
from restyle.models.header import looks_like_safetensors, read_header
from restyle.models.tensors import Tensors, refusal
from restyle.models.torchfile import looks_like_torch, read_tensors

TELLERS: tuple[Callable[[Path, Tensors], Detected | None], ...] = (
    checkpoints.controlnet,
    checkpoints.main,
    checkpoints.vae,
    checkpoints.image_encoder,
    submodels.lora,
    submodels.hypernetwork,
    submodels.embedding,
)
MISTAKES = {
    b"GGUF": "a GGUF file; take the model as safetensors",
    b"version https://git-lfs": "a Git LFS pointer, not the file it points to; fetch it with git lfs pull",
    b"<!DOCTYPE": "a web page, not a model; the download went wrong",
    b"<html": "a web page, not a model; the download went wrong",
    b"7z\xbc\xaf": "a 7-Zip archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
}
"""How a file begins -> what it is instead."""


def detect(path: Path) -> Detected:
    """What ``path``, a file or a folder, is. Reads headers only, and of pickles (files of torch.save) all.

    Raises RestyleError (230), saying what it is and why it cannot be used, for everything that is not a model of one of
    the kinds, and for files that do not keep their format.
    """
    if path.is_dir():
        return read_folder(path).detected
    if not path.is_file():
        raise refusal(path, "there is no such file or folder")
    with path.open("rb") as file:
        start = file.read(32)
    if looks_like_safetensors(start):
        return tell(path, read_header(path).tensors(), "safetensors")
    if looks_like_torch(start):
        return tell(path, read_tensors(path)[0], "pt")
    for beginning, what in MISTAKES.items():
        if start.startswith(beginning):
            raise refusal(path, what)
    raise refusal(path, "neither safetensors nor a file of torch.save")


def tell(path: Path, tensors: Tensors, form: str) -> Detected:
    """What a file of these tensors is."""
    checkpoints.refuse_foreign(path, tensors)
    found = checkpoints.ip_adapter(path, tensors, nested=form == "pt")
    for teller in TELLERS:
        found = found or teller(path, tensors)
    if found is None:
        names = ", ".join(sorted(tensors.shapes)[:3])
        raise refusal(path, f"no kind of model that Restyle knows; its tensors are named {names[:160]}")
    return replace(found, format=form)
