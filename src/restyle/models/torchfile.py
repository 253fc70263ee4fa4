"""Files of ``torch.save``: pickles. Read so that nothing in them can run.

Two walls stand one behind the other. Before anything is loaded, the pickle's instructions are listed, not carried out,
and every name it would import must be on a short list: the pieces tensors are put together from. Then torch reads it
with ``weights_only=True``, whose own interpreter knows no more than that either.
"""

import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from restyle.models.tensors import Tensors, refusal

if TYPE_CHECKING:
    import torch

MAX_PICKLE_BYTES = 32 * 1024 * 1024
MAX_PARTS = 200_000
MAX_DEPTH = 8
LEGACY_PICKLES = 5
"""Before torch 1.6 a file was this many pickles (magic number, protocol, system, data, keys), then the bytes."""
PIECES = frozenset(
    {
        "collections OrderedDict",
        "torch Size",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch.nn.parameter Parameter",
        "torch.storage UntypedStorage",
        *(
            f"torch {kind}Storage"
            for kind in ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
        ),
        *(
            f"torch {dtype}"
            for dtype in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
        ),
    }
)
"""What a pickle of tensors imports, as ``module name``."""
IMPORTING = frozenset({"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"})
"""Instructions that import or construct in ways that ``torch.save`` never uses."""


def looks_like_torch(start: bytes) -> bool:
    """Whether a file that begins with these bytes can be one: a zip archive, or a pickle of protocol 2."""
    return start.startswith((b"PK\x03\x04", b"\x80\x02"))


def load(path: Path) -> Mapping[Any, Any]:
    """What stands in the file: tensors and plain values, in dicts, lists and tuples. Needs torch.

    Raises RestyleError (230): for a zip bomb, for a pickle that would import anything but the pieces of tensors, for
    what torch does not read with ``weights_only=True``, and for tensors that claim more than is there.
    """
    zipped = _check_before_loading(path)
    try:
        import torch
    except ImportError as error:
        raise refusal(path, "reading files of torch.save needs torch: pip install 'restyle[diffusion]'") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a hostile file may fail in any way; each of them means that it is refused
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise refusal(path, f"torch does not read it with weights_only=True: {reason[:300]}") from error
    if not isinstance(loaded, Mapping):
        raise refusal(path, f"it holds a {type(loaded).__name__}, not a dict of tensors")
    _check_sizes(path, dict(walk(path, loaded)))
    return loaded


def read_tensors(path: Path) -> tuple[Tensors, "dict[str, torch.Tensor]"]:
    """Shapes and plain values of the file, and its tensors by dotted name: ``768.0.linear.0.weight``.

    What stands under ``state_dict``, as in checkpoints of a training run, counts as if it stood at the top.
    """
    loaded = load(path)
    inner = loaded.get("state_dict")
    top: Mapping[Any, Any] = inner if isinstance(inner, Mapping) else loaded
    tensors = dict(walk(path, top))
    values = {name: value for name, value in loaded.items() if isinstance(value, str | int | float | bool | list)}
    return Tensors({name: tuple(tensor.shape) for name, tensor in tensors.items()}, values), tensors


def walk(path: Path, loaded: Any) -> "Iterator[tuple[str, torch.Tensor]]":
    """Every tensor with its dotted name.

    Raises RestyleError (230) for what is nested deeper or longer than any model. Lists may hold one another many times
    over, so the steps are counted, not only the depth.
    """
    import torch

    waiting: list[tuple[str, int, Any]] = [("", 0, loaded)]
    steps = 0
    while waiting:
        name, depth, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield name, value
            continue
        if isinstance(value, Mapping):
            parts: list[tuple[Any, Any]] = list(value.items())
        elif isinstance(value, list | tuple):
            parts = list(enumerate(value))
        else:
            continue
        steps += len(parts)
        if depth == MAX_DEPTH or steps > MAX_PARTS:
            raise refusal(path, f"what it holds under {name[:80]!r} is nested deeper or longer than any model")
        waiting += [(f"{name}.{key}" if name else str(key), depth + 1, part) for key, part in reversed(parts)]


def _check_before_loading(path: Path) -> bool:
    """Whether it is of the zip form; its pickles are harmless then. Raises RestyleError (230)."""
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        if zipped:
            _check_archive(path, file)
        else:
            for _ in range(LEGACY_PICKLES):
                _check_imports(path, file)
    return zipped


def _check_archive(path: Path, file: IO[bytes]) -> None:
    size = path.stat().st_size
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > size or any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise refusal(
                path,
                f"a zip bomb, or no file of torch.save: its {size:,} bytes would unpack to {unpacked:,}, "
                "and torch.save does not compress",
            )
        names = [member.filename for member in members]
        if len(set(names)) != len(names):
            raise refusal(path, "two members of its zip archive have the same name")
        if any(name.endswith("constants.pkl") for name in names):
            raise refusal(path, "a TorchScript program, not a file of tensors")
        pickles = [member for member in members if member.filename.endswith(".pkl")]
        if len(pickles) != 1 or not pickles[0].filename.endswith("/data.pkl"):
            raise refusal(path, "a zip archive without the data.pkl of torch.save")
        if pickles[0].file_size > MAX_PICKLE_BYTES:
            raise refusal(path, f"its pickle has {pickles[0].file_size:,} bytes; at most {MAX_PICKLE_BYTES:,} are read")
        with archive.open(pickles[0]) as pickle:
            _check_imports(path, pickle)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise refusal(path, f"its zip archive is damaged; the download may be incomplete ({error})") from error


def _check_imports(path: Path, pickle: IO[bytes]) -> None:
    """List the instructions of the next pickle up to its end, carrying out none."""
    start = pickle.tell()
    try:
        for instruction, argument, _ in pickletools.genops(pickle):
            name = instruction.name
            if (name == "GLOBAL" and argument not in PIECES) or name in IMPORTING:
                what = str(argument).replace(" ", ".") if name == "GLOBAL" else f"something by {name}"
                raise refusal(
                    path,
                    f"its pickle would import {what[:120]}, which is no piece of a tensor, so it might run code; "
                    "take the model's .safetensors file",
                )
            if pickle.tell() - start > MAX_PICKLE_BYTES:
                raise refusal(path, f"its pickle has more than {MAX_PICKLE_BYTES:,} bytes")
    except (ValueError, EOFError, UnicodeDecodeError, AttributeError) as error:
        raise refusal(path, f"it is not a file of torch.save, or is damaged ({str(error)[:120]})") from error


def _check_sizes(path: Path, tensors: "Mapping[str, torch.Tensor]") -> None:
    """A tensor can be a view that repeats few bytes a billion times; none of a model is."""
    import torch

    total = 0
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu":
            raise refusal(path, f"{name!r} is not a plain tensor")
        taken = tensor.numel() * tensor.element_size()
        total += taken
        if taken > tensor.untyped_storage().nbytes():
            raise refusal(path, f"{name!r} claims {taken:,} bytes, but has {tensor.untyped_storage().nbytes():,}")
    if total > 2 * path.stat().st_size:
        raise refusal(path, f"its tensors claim {total:,} bytes, the file has {path.stat().st_size:,}")
