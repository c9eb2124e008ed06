"""What was freed is used again, or goes back to the system, as a process wants it."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how much a process holds is read from /proc")

PIECES = """
import numpy as np
from lpd_plugin.allocator import give_back_freed
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
pieces = [np.ones(60_000, np.uint8) for _ in range(2000)]  # 120 MB, each too small for a mapping of its own
kept = pieces[::100]  # keeps the heap from shrinking from its end
del pieces
before = resident()
give_back_freed()
print(before - resident())
"""
LAYERS = """
import ctypes, resource, sys, threading
import numpy as np
from lpd_plugin.allocator import give_back_freed, keep_freed
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: pages of one size, so that they can be counted
if sys.argv[1] == "kept":
    keep_freed()
def taken():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(40):
        np.ones(50 << 20, np.uint8)
    seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
seen = []
taken()
thread = threading.Thread(target=taken)
thread.start()
thread.join()
give_back_freed()
print(*seen, int(open("/proc/self/statm").read().split()[1]) * 4096)
"""


def numbers_of(code: str, *arguments: str) -> list[int]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=plain)
    return [int(one) for one in done.stdout.split()]


def test_freed_pieces_are_given_back_although_some_between_them_are_kept():
    assert numbers_of(PIECES)[0] > 60e6


def test_large_pieces_that_come_and_go_are_the_same_pages_in_every_thread_and_can_still_be_given_back():
    (usual, usual_in_a_thread, _), (kept, in_a_thread, left) = numbers_of(LAYERS, "usual"), numbers_of(LAYERS, "kept")
    assert 8 * kept < usual and 8 * in_a_thread < usual_in_a_thread
    assert left < 50 << 20
