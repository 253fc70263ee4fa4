"""A starter set of tiny models, as an operator writes one, and the hub that has its files."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from tests.support import models
from tests.support.hub import Answer, Hub
from tests.support.models import save, write_json

REVISION = "0123456789abcdef"


@dataclass(frozen=True)
class Tiny:
    """``bytes_of`` are the files by their paths in the repository ``tiny/models``; ``set_file`` is the set's TOML."""

    bytes_of: Mapping[str, bytes]
    set_file: str

    def put(self, hub: Hub, answers: Mapping[str, tuple[Answer, ...]] | None = None, before: str = "") -> None:
        """Have the hub give the files, ``before`` their addresses, of which the first requests are answered so."""
        for path, content in self.bytes_of.items():
            hub.add(self.address(path, before), content, *(answers or {}).get(path, ()))

    def address(self, path: str, before: str = "") -> str:
        return f"{before}/tiny/models/resolve/{REVISION}/{path}"

    def tell(self, data_dir: Path, **changes: str) -> Path:
        """Write the set into a data folder, with words of it replaced; returns that."""
        text = self.set_file
        for old, new in changes.items():
            text = text.replace(old, new)
        (data_dir / "models" / "sets").mkdir(parents=True, exist_ok=True)
        (data_dir / "models" / "sets" / "tiny.toml").write_text(text)
        return data_dir


def written(title: str, main: str, described: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> Tiny:
    """A set ``tiny`` of ``described``: code -> the model's file or folder, and the rest of its table."""
    contents: dict[str, bytes] = {}
    tables: dict[str, Any] = {}
    for code, (path, table) in described.items():
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        wanted = []
        for file in files:
            name = file.relative_to(path.parent).as_posix()
            contents[name] = file.read_bytes()
            wanted.append({"path": name, "bytes": len(contents[name]), "sha256": sha256(contents[name])})
        tables[code] = {
            "name": code.upper(),
            "repository": "tiny/models",
            "revision": REVISION,
            "licence": "Tiny Licence 1.0",
            "files": wanted,
            **table,
        }
    sets = {"tiny": {"title": title, "main": main, "models": [code for code in described if code != main]}}
    return Tiny(contents, tomli_w.dumps({"set": sets, "model": tables}))


def registrable(folder: Path) -> Tiny:
    """Models that can be registered, and not drawn with: most of a few kilobytes, one of half a megabyte."""
    attention = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": 768}
    return written(
        "Tiny",
        "tiny",
        {
            "tiny": (
                save(folder / "tiny.safetensors", models.checkpoint("sd15")),
                {
                    "kind": "main",
                    "defaults": {"Steps": 7, "CFGScale": 5.0},
                    "negative_prompt": "smudges",
                },
            ),
            "vae": (save(folder / "vae.safetensors", models.VAE), {"kind": "vae", "architecture": "sd15"}),
            "control": (
                save(folder / "control.safetensors", models.controlnet("sd15")),
                {"kind": "controlnet", "control": "tile"},
            ),
            "lora": (save(folder / "lora.safetensors", models.lora(attention, rank=80)), {"kind": "lora"}),
            "coder": (coder(folder / "coder"), {"kind": "vae", "architecture": "sdxl"}),
        },
    )


def coder(folder: Path) -> Path:
    """A VAE in the form of a folder."""
    save(folder / "diffusion_pytorch_model.safetensors", models.VAE)
    write_json(folder / "config.json", {"_class_name": "AutoencoderKL", "scaling_factor": 0.13025})
    return folder


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under ``folder`` by its relative path."""
    return dict(_tree(folder))


def _tree(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()
