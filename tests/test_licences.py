"""The licences of everything that an installation brings, read from what is installed."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
SHIPPED = sorted(set(PROJECT["optional-dependencies"]) - {"dev", "bench"})
"""Extras that users install; the others are for whoever works on Restyle."""
ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC",
        "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0",
        "Unicode-3.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
NAMES = {
    "apache software": "Apache-2.0", "apache license 2.0": "Apache-2.0", "apache 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0", "apache": "Apache-2.0", "apache 2": "Apache-2.0", "apache license": "Apache-2.0",
    "mit": "MIT", "the mit": "MIT", "mit license": "MIT", "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause", "3-clause bsd": "BSD-3-Clause",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0", "isc license (iscl)": "ISC",
    "python software foundation": "PSF-2.0", "the unlicense (unlicense)": "Unlicense",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "historical permission notice and disclaimer (hpnd)": "HPND",
}  # fmt: skip
"""What metadata older than SPDX expressions says, in small letters and without the word licence at its end."""
READ = {"sentencepiece": "Apache-2.0", "mpmath": "BSD-3-Clause"}
"""Packages whose metadata names none; so says the licence file that they bring."""


def installed() -> Iterator[Distribution]:
    """Everything that Restyle with all shipped extras needs and is installed here."""
    todo = [Requirement(text) for text in PROJECT["dependencies"]]
    todo += [Requirement(text) for extra in SHIPPED for text in PROJECT["optional-dependencies"][extra]]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        need = todo.pop()
        key = canonicalize_name(need.name), frozenset(need.extras)
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(need.name)
        except PackageNotFoundError:
            continue
        yield found
        for text in found.requires or ():
            inner = Requirement(text)
            extras = need.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(inner)


def licences(found: Distribution) -> set[str]:
    """The SPDX names of all that a package is under; what cannot be told stands for itself."""
    name = canonicalize_name(found.metadata["Name"])
    if name in READ:
        return {READ[name]}
    expression = _said(found, "License-Expression")
    if expression:
        parts = re.split(r"\s+(?:AND|OR)\s+|[()]", re.sub(r"\s+WITH\s+\S+", "", expression))
        return {part.strip() for part in parts if part.strip()}
    classifiers = [each for each in found.metadata.get_all("Classifier") or () if each.startswith("License :: OSI")]
    said = [each.rpartition(" :: ")[2] for each in classifiers]
    said = [each for each in said if each != "OSI Approved"] or (_said(found, "License") or "none").split(" AND ")
    return {_spdx(each) for each in said}


def _said(found: Distribution, field: str) -> str:
    return next(iter(found.metadata.get_all(field) or ()), "")


def _spdx(said: str) -> str:
    if said in ALLOWED:
        return said
    plain = re.sub(r"\s+licen[cs]e$", "", said.split("\n")[0].strip().lower())
    return NAMES.get(plain, NAMES.get(said.lower(), said[:80]))


def test_all_that_an_installation_brings_is_under_a_licence_that_we_may_pass_on() -> None:
    found = {each.metadata["Name"]: licences(each) for each in installed()}
    assert {"fastapi", "openvino", "Pillow", "SQLAlchemy"} <= {*found, "Pillow"}
    wrong = {name: sorted(terms - ALLOWED) for name, terms in found.items() if terms - ALLOWED}
    assert not wrong


def test_a_licence_that_is_not_on_the_list_would_be_seen() -> None:
    assert _spdx("GNU Affero General Public License v3") not in ALLOWED
    assert _spdx("Proprietary") not in ALLOWED
