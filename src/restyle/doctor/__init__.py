"""Is this installation well? Each check says what it found and, where that is wrong, how to mend it.

Nothing is created or changed: a patient is not operated on while being examined.
"""

from collections.abc import Callable, Iterator

from restyle.doctor import data, machine, programs
from restyle.doctor.finding import Finding as Finding
from restyle.settings import Settings


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which faults hide each other."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        programs.python,
        programs.runtime,
        programs.variables,
        programs.catalogue,
        programs.engine,
        data.data_folder,
        data.key_file,
        data.database,
        data.storage,
        machine.disk,
        machine.memory,
        machine.port,
    )
    return [found for check in checks for found in check(settings)]
