"""What an installation is made of: Python, the runtime, its settings, registered models, engines."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from restyle.conversion.draw import Drawer
from restyle.conversion.models import missing_libraries
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.rehearsal import rehearsed
from restyle.conversion.request import Conversion
from restyle.doctor.finding import Finding, finding
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Kind
from restyle.models.scan import size_of
from restyle.settings import Settings, unknown_variables
from restyle.wire.errors import RestyleError

PYTHON = (3, 11)


def python(settings: Settings) -> Iterator[Finding]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    wanted = ".".join(str(part) for part in PYTHON)
    yield finding("Python", sys.version_info >= PYTHON, found, f"install Python {wanted} or newer, and Restyle into it")


def runtime(settings: Settings) -> Iterator[Finding]:
    module = "openvino"
    if find_spec(module) is None:
        yield finding(module, False, "not installed", f"pip install {module}")
        return
    try:
        version = str(import_module("restyle.images.runtime").ov.__version__)
    except (ImportError, OSError, AttributeError) as error:
        yield finding(module, False, f"does not import: {error}", f"pip install --force-reinstall {module}")
    else:
        yield finding(module, True, version)


def variables(settings: Settings) -> Iterator[Finding]:
    """Variables that nobody reads: most are misspelt settings."""
    unknown = unknown_variables(os.environ)
    for name, like in unknown.items():
        mend = f"unset {name}" + (f", or write {like}" if like else "")
        yield finding(f"variable {name}", False, "is no setting, and has no effect", mend)
    if not unknown:
        yield finding("variables", True, "all known")


def catalogue(settings: Settings) -> Iterator[Finding]:
    """The registered models: their files, and what they need beside them."""
    try:
        catalogue = Catalogue.read(settings.data_dir)
    except RestyleError as error:
        yield finding("catalogue", False, error.message, "correct the file, or restore it from a backup")
        return
    architectures = {entry.architecture for entry in catalogue.of(Kind.MAIN)}
    for family in FAMILIES:
        if family.architectures & architectures:
            lacking = missing_libraries(family)
            found = f"{', '.join(lacking)} not installed" if lacking else "installed"
            yield finding(family.name, not lacking, found, family.install)
    for entry in catalogue.entries:
        yield _model(catalogue, entry)


def _model(catalogue: Catalogue, entry: Entry) -> Finding:
    check = f"model {entry.code}"
    mend = f'restore the file, or `restyle models remove "{entry.code}"` and add it again'
    if not entry.path.exists():
        return finding(check, False, f"{entry.path} is missing", mend)
    try:
        size = size_of(entry.path)
    except (RestyleError, OSError) as error:
        return finding(check, False, str(error), mend)
    if size != entry.size:
        return finding(check, False, f"{entry.path} has {size:,} bytes; {entry.size:,} were registered", mend)
    try:
        rehearsed(entry, catalogue)
    except RestyleError as error:
        return finding(check, False, error.message, mend)
    if entry.kind is Kind.IP_ADAPTER and catalogue.image_encoder(entry) is None:
        width = entry.facts["clip_dim"]
        return finding(
            check, False, f"no image encoder of width {width} is registered", "restyle models add its image encoder"
        )
    return finding(check, True, f"{entry.path}, {size:,} bytes")


def engine(settings: Settings) -> Iterator[Finding]:
    """Draw one small picture with every engine of the official models."""
    try:
        drawer = Drawer(settings, own_process=True)
    except (RestyleError, ImportError, AttributeError) as error:
        yield finding(
            "models", False, f"{settings.registry}: {error}", "unset RESTYLE_REGISTRY, or name module:function"
        )
        return
    raw = np.full((64, 64, 3), 128, np.uint8)
    official = [model for model in drawer.registry.mains.values() if model.is_official]
    for model in official:
        if absence := model.absence():
            yield finding(f"model {model.code}", True, absence)
    mend = "pip install --force-reinstall restyle"
    for name, code in {model.family.name: model.code for model in official if not model.absence()}.items():
        try:
            conversion = Conversion.read({"model": {"code": code}, "strength": 1.0, "seed": 0})
            planned = plan(conversion, drawer.registry, Pictures("raw", "style", (64, 64)))
            drawn = [image.shape for image, _ in drawer.drawing(planned, raw, (raw,)).images(lambda fraction: None)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            yield finding(f"engine {name}", False, f"{type(error).__name__}: {error}", mend)
        else:
            yield finding(f"engine {name}", drawn == [raw.shape], "draws", mend)
