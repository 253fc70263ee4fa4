"""``restyle convert``: one photograph, many, or folders of them, in one style or several."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from restyle.cli.output import AsJson, PrivateKey, PublicKey, Url, fail, need_keys, progress, say_json
from restyle.images.structure.read import SUFFIXES

if TYPE_CHECKING:
    from PIL import Image

    from restyle.client.core import Progress
    from restyle.conversion.options import Options

Draw = Callable[[Path, Path, "Progress"], "list[Image.Image]"]

MARK = ".restyled"
"""In the name of every result that was not named by the user; folders are read without them."""


@dataclass(frozen=True, slots=True)
class Work:
    """One conversion: ``results`` are the files it writes, one per image of the batch."""

    raw: Path
    style: Path
    results: tuple[Path, ...]


def convert(
    raw: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.", show_default=False)],
    style: Annotated[
        list[Path], typer.Option("--style", "-s", help="The picture whose style is taken. May be repeated.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The PNG to write, or a folder for several. Otherwise NAME.restyled.png beside NAME."
        ),
    ] = None,
    strength: Annotated[float, typer.Option(help="0 keeps the photograph, 1 is the style at its fullest.")] = 0.5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same picture; -1 draws one.")] = -1,
    batch: Annotated[int, typer.Option(help="Pictures to make of each photograph, 1 to 16.")] = 1,
    width: Annotated[
        int | None, typer.Option(help="Width in pixels, 64 to 2560; otherwise the photograph's.", show_default=False)
    ] = None,
    height: Annotated[
        int | None, typer.Option(help="Height in pixels, 64 to 2560; otherwise the photograph's.", show_default=False)
    ] = None,
    preserve_color: Annotated[bool, typer.Option("--preserve-color", help="Keep the photograph's colours.")] = False,
    keep_alpha: Annotated[bool, typer.Option("--keep-alpha", help="Keep what is transparent so.")] = False,
    resize_mode: Annotated[
        str, typer.Option(help="JustResize, CropAndResize or ResizeAndFill, for a size of another shape.")
    ] = "CropAndResize",
    model: Annotated[str, typer.Option(help="ModelCode of the model that draws.")] = "Restyle Painter",
    prompt: Annotated[list[str] | None, typer.Option(help="What should appear. May be repeated.")] = None,
    negative: Annotated[list[str] | None, typer.Option(help="What should not appear. May be repeated.")] = None,
    translate: Annotated[bool, typer.Option(help="Translate prompts into English.")] = True,
    sub: Annotated[
        list[str] | None,
        typer.Option(
            "--sub-model", help="ModelCode of a LoRA, embedding or hypernetwork, or CODE=WEIGHT. May be repeated."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, 6 to 100.", show_default="the model's")] = None,
    sampler: Annotated[str | None, typer.Option(help="Sampler, by name.", show_default="the model's")] = None,
    clip_skip: Annotated[int | None, typer.Option(help="CLIP skip, 1 to 12.", show_default="the model's")] = None,
    cfg_scale: Annotated[float | None, typer.Option(help="Guidance, 1 to 30.", show_default="the model's")] = None,
    main_model_vae: Annotated[bool, typer.Option("--main-model-vae", help="Use the model's own VAE.")] = False,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> int:
    """Redraw photographs in the style of a picture.

    Give one photograph, many, or folders of them. Every photograph meets every style.
    """
    options: dict[str, Any] = {
        "strength": strength,
        "seed": seed,
        "batch_size": batch,
        "width": width,
        "height": height,
        "model": inference(model, Steps=steps, Sampler=sampler, ClipSkip=clip_skip, CFGScale=cfg_scale),
        "positive_prompts": prompt or [],
        "negative_prompts": negative or [],
        "translate_prompts": translate,
        "sub_models": [weighted(text) for text in sub or ()],
        "use_main_model_vae": main_model_vae,
    }
    # What PICPIK's own service does not know is sent only when asked for.
    if preserve_color:
        options["preserve_color"] = True
    if keep_alpha:
        options["keep_alpha"] = True
    if resize_mode != "CropAndResize":
        options["resize_mode"] = resize_mode
    works = plan(photographs(raw), style, output, batch)
    way = _through_service(url, *need_keys(public_key, private_key), options) if url else _here(options)
    done: list[dict[str, Any]] = []
    failures = 0
    with way as draw:
        for number, work in enumerate(works, start=1):
            text = work.raw.name if len(works) == 1 else f"{number}/{len(works)} {work.raw.name}"
            record = _attempt(work, draw, text, as_json)
            failures += "Error" in record
            done.append(record)
    if as_json:
        say_json(done)
    return 2 if failures else 0


def inference(code: str, **given: Any) -> dict[str, Any]:
    """The model with the parameters that are given, as the wire has it."""
    params = {name: value for name, value in given.items() if value is not None}
    return {"ModelCode": code, "InferenceParams": params} if params else {"ModelCode": code}


def weighted(text: str) -> dict[str, Any]:
    """``CODE`` or ``CODE=WEIGHT`` as the wire's Model. Raises BadParameter where the weight is no number."""
    code, equals, weight = text.rpartition("=")
    if not equals:
        return {"ModelCode": text}
    try:
        return inference(code, LoraWeight=float(weight))
    except ValueError:
        raise typer.BadParameter(f'"{weight}" is not a weight; give CODE=WEIGHT, such as "Ink=0.8"') from None


def photographs(given: list[Path]) -> list[Path]:
    """The files, and of folders the pictures directly inside, by name, without earlier results."""

    def expand(path: Path) -> Iterator[Path]:
        if not path.is_dir():
            yield path
            return
        inside = [
            file
            for file in sorted(path.iterdir())
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and MARK not in file.suffixes
        ]
        if not inside:
            raise typer.BadParameter(f"the folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        yield from inside

    return [file for path in given for file in expand(path)]


def plan(raws: list[Path], styles: list[Path], output: Path | None, batch: int) -> list[Work]:
    """What is to be done, and into which files. Raises BadParameter where results would meet each other or a source."""
    pairs = [(raw, style) for raw in raws for style in styles]
    several = len(pairs) > 1
    as_folder = output is not None and (several or output.is_dir() or output.suffix == "")
    if output is not None and several and output.suffix:
        raise typer.BadParameter(f"{len(pairs)} pictures do not fit into {output}; give a folder with --output")
    works = []
    for raw, style in pairs:
        if output is not None and not as_folder:
            first = output.with_suffix(output.suffix)
            if first.suffix.lower() != ".png":
                raise typer.BadParameter(f"results are PNG files; name {output.stem}.png instead of {output.name}")
        else:
            folder = output if output is not None else raw.parent
            name = f"{raw.stem}.{style.stem}" if len(styles) > 1 else raw.stem
            first = folder / f"{name}{MARK}.png"
        numbered = tuple(first.with_name(f"{first.stem}-{n}{first.suffix}") for n in range(1, batch + 1))
        works.append(Work(raw, style, numbered if batch > 1 else (first,)))
    taken = {path.resolve() for path in (*raws, *styles)}
    for path in (path for work in works for path in work.results):
        if path.resolve() in taken:
            raise typer.BadParameter(
                f"{path} would be overwritten: two results or a source have that name; use --output"
            )
        taken.add(path.resolve())
    return works


def _attempt(work: Work, draw: Draw, text: str, as_json: bool) -> dict[str, Any]:
    """Do it, or say why not: of many photographs, one that is broken does not stop the others."""
    from restyle.wire.errors import RestyleError

    began = time.perf_counter()
    record: dict[str, Any] = {"Raw": str(work.raw), "Style": str(work.style)}
    try:
        with progress(text, shown=not as_json) as report:
            images = draw(work.raw, work.style, report)
        _write(images, work.results)
    except RestyleError as error:
        fail(error.message if str(work.raw) in error.message else f"{work.raw}: {error.message}")
        return record | {"Error": error.message, "ErrorCode": int(error.code), "Field": error.field}
    seconds = time.perf_counter() - began
    if not as_json:
        for path in work.results:
            typer.echo(f"{path}  {images[0].width}x{images[0].height}  {seconds:.1f} s")
        for notice in images[0].info.get("notices", ()):
            typer.echo(f"  {notice}")
    return record | {
        "Results": [str(path) for path in work.results],
        "SeedList": [image.info["seed"] for image in images if "seed" in image.info],
        "Width": images[0].width,
        "Height": images[0].height,
        "Seconds": round(seconds, 3),
        "Notices": list(images[0].info.get("notices", ())),
    }


def _write(images: "list[Image.Image]", paths: tuple[Path, ...]) -> None:
    from restyle.images.decode import from_image
    from restyle.images.encode import encode_png
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    for image, path in zip(images, paths, strict=True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                encode_png(from_image(image, field="result", keep_alpha=True), image.info.get("parameters"))
            )
        except OSError as error:
            raise RestyleError(
                Code.INTERNAL_ERROR, f"{path} cannot be written: {(error.strerror or str(error)).lower()}"
            ) from error


@contextmanager
def _here(options: dict[str, Any]) -> Iterator[Draw]:
    from restyle.library import draw_here

    yield lambda raw, style, report: draw_here(raw, style, cast("Options", options), report, own_process=True)


@contextmanager
def _through_service(url: str, public_key: str, private_key: str, options: dict[str, Any]) -> Iterator[Draw]:
    from restyle.client.sync import Client

    with Client(url, public_key, private_key) as client:
        yield lambda raw, style, report: client.convert(raw, style, on_progress=report, **options)
