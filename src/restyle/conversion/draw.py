"""From a plan and pixels to images and what they say of themselves, in whatever process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from restyle.conversion.metadata import parameters
from restyle.conversion.plan import Plan, PlannedFile
from restyle.conversion.registry import Registry
from restyle.engines import environment
from restyle.engines.base import Description, Engine, Family, Feature, File, Job, Machine, Report, Role, Style
from restyle.engines.memory import is_shortage, spoils_thread
from restyle.engines.processor import cores
from restyle.images.clear import filled, is_clear, with_opacity
from restyle.images.fit import ResizeMode, fit
from restyle.images.mask import masked, opening
from restyle.images.pixels import Pixels
from restyle.prompts.translator import Translation, Translator
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

SUB_MODELS = frozenset({Role.LORA, Role.EMBEDDING, Role.HYPERNETWORK})


def machine_of(settings: Settings, *, own_process: bool, processes: int = 1) -> Machine:
    """What the settings let an engine use here; ``own_process`` says that this process is Restyle's alone.

    ``processes`` draw beside each other and share the cores, so that none waits for a core that another holds.
    """
    return Machine(
        threads=settings.threads or max(1, cores() // processes),
        device=settings.diffusion_device,
        precision=settings.diffusion_precision,
        offload=settings.diffusion_offload,
        cache_bytes=settings.diffusion_cache_bytes,
        own_process=own_process,
    )


def resolve(reference: str) -> Callable[..., Any]:
    """The function that ``module:function`` names. Raises :class:`RestyleError` (5000) where there is none."""
    try:
        function: Callable[..., Any] = resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise RestyleError(Code.INTERNAL_ERROR, f"{reference} names no function (module:function): {error}") from error
    return function


def open_registry(settings: Settings) -> Registry:
    """The models there are: those of the function that ``settings.registry`` names, or those that come along."""
    if not settings.registry:
        return Registry(settings)
    registry: Registry = resolve(settings.registry)(settings)
    return registry


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plan about to be drawn. ``notices`` are what turned out only here, from the prompts in English;
    ``clear`` is the fitted raw image, uint8 (height, width, 4), whose opacity the images get.
    """

    plan: Plan
    engine: Engine
    job: Job
    description: Description
    notices: tuple[str, ...]
    clear: Pixels | None = None

    def images(self, report: Report) -> Iterator[tuple[Pixels, str]]:
        """One image per seed, each with the text that says how it was made: uint8 (height, width, 3), or with opacity
        (height, width, 4). Raises MemoryError, too, where an engine's library has words of its own for it.
        """
        try:
            yield from self._images(report)
        except RuntimeError as error:
            if is_shortage(error):
                raise MemoryError(str(error)) from error
            raise

    def _images(self, report: Report) -> Iterator[tuple[Pixels, str]]:
        size = (self.plan.height, self.plan.width, 3)
        for pixels, seed in zip(self.engine.convert(self.job, report), self.job.seeds, strict=True):
            if pixels.shape != size:
                raise RuntimeError(f"{self.plan.family} drew {pixels.shape} instead of {size}")
            if self.job.mask is not None:
                pixels = masked(pixels, self.job.raw, self.job.mask)
            if self.clear is not None:
                pixels = with_opacity(pixels, self.clear)
            yield pixels, parameters(self.plan, self.description, seed)


class Drawer:
    """The engines of one process, each loaded once, when first needed; ``processes`` such draw beside each other.

    In a process of Restyle's ``own`` it sets what the engines' libraries read from the environment as they load.
    """

    def __init__(self, settings: Settings, *, own_process: bool, processes: int = 1) -> None:
        if own_process:
            environment.prepare()
        self.registry = open_registry(settings)
        self._machine = machine_of(settings, own_process=own_process, processes=processes)
        self._loaded: dict[str, Engine] = {}
        self._translator = Translator(settings.data_dir, threads=settings.threads or 1)

    def drawing(
        self,
        plan: Plan,
        raw: Pixels,
        styles: Sequence[Pixels],
        *,
        control: Pixels | None = None,
        mask: Pixels | None = None,
    ) -> Drawing:
        """Fit ``raw`` to the result's size and describe the job. ``raw`` and each of ``styles`` are uint8 (H, W, 3);
        ``raw`` may be (H, W, 4), whose opacity the images then get. ``control`` and ``mask``, (H, W, 3), are those that
        the plan names, and are fitted as ``raw`` is.

        Raises RestyleError (4004) where the engine or a file is not on this machine, and what the engine raises.
        """
        family = self.registry.family(plan.family)
        engine = self.engine(family)
        positive, negative = self._prompts(plan, family)
        mode = ResizeMode(plan.resize_mode)
        fitted = fit(raw, plan.width, plan.height, mode)
        clear = fitted if is_clear(fitted) else None
        job = Job(
            raw=fitted if clear is None else filled(clear),
            styles=tuple(Style(pixels, planned.weight) for pixels, planned in zip(styles, plan.styles, strict=True)),
            strength=plan.strength,
            seeds=plan.seeds,
            preserve_color=plan.preserve_color,
            positive_prompts=positive.prompts,
            negative_prompts=negative.prompts,
            inference=plan.inference,
            files=tuple(self._found(file) for file in plan.files),
            control=None if control is None else fit(control, plan.width, plan.height, mode),
            mask=None if mask is None else opening(fit(mask, plan.width, plan.height, mode)),
        )
        description = engine.describe(job)
        notices = (*positive.notices, *negative.notices, *description.notices)
        return Drawing(plan, engine, job, description, notices, clear)

    def engine(self, family: Family) -> Engine:
        """The engine of that family, loaded if it is not yet: that may take seconds."""
        if family.load not in self._loaded:
            self._loaded[family.load] = resolve(family.load)(self._machine)
        return self._loaded[family.load]

    def warm(self) -> None:
        """Load the engines that come along with Restyle and need nothing else; others are loaded by whoever asks."""
        for model in self.registry.mains.values():
            if model.is_official and model.weights is None and not model.absence():
                self.engine(model.family)

    def sound_after(self, error: BaseException) -> bool:
        """Whether this process draws on after what an engine raised; else another must."""
        return not spoils_thread(error)

    def _found(self, file: PlannedFile) -> File:
        return File(
            role=file.role,
            path=self.registry.file(file.sha256),
            sha256=file.sha256,
            name=file.name,
            format=file.format,
            architecture=file.architecture,
            facts=file.facts,
            trigger_words=file.trigger_words,
            weight=file.weight,
            base=self._completing(file),
            recipe=file.recipe,
        )

    def _completing(self, file: PlannedFile) -> File | None:
        """The main model that completes a UNet alone."""
        if not (base := file.facts.get("base")):
            return None
        return File(Role.MAIN, self.registry.file(base["sha256"]), **base, architecture=file.architecture)

    def _prompts(self, plan: Plan, family: Family) -> tuple[Translation, Translation]:
        """Positive and negative prompts in the language the engine reads."""
        if not plan.translate_prompts or Feature.TEXT not in family.honours:
            return Translation(plan.positive_prompts), Translation(plan.negative_prompts)
        # An embedding is called by its trigger words or, without any, by its code; a LoRA may bring some of its own.
        protected = [
            word
            for file in plan.files
            if file.role in SUB_MODELS
            for word in (*file.trigger_words, *file.facts.get("embeddings", ()), file.name)
        ]
        return (
            self._translator.translate(plan.positive_prompts, protected),
            self._translator.translate(plan.negative_prompts, protected),
        )
