import os
import subprocess
import sys
from time import process_time

from benchmarks.usage import less, used

SPENT = 0.1


def test_what_a_process_and_its_children_compute_is_counted_by_part() -> None:
    before = used({os.getpid(): "here"})
    began = process_time()
    while process_time() - began < SPENT:
        pass
    loop = f"from time import process_time as t\nwhile t() < {SPENT}: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", loop], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        spent = less(used({os.getpid(): "here"}), before)
        alone = used({child.pid: "child"})
        child.communicate(b"\n")
    assert spent["here"] >= 2 * SPENT * 0.8
    assert alone["child"] >= SPENT * 0.8
