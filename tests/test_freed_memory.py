"""What was freed goes back to the system."""

import subprocess
import sys

import pytest

PIECES = """
import numpy as np
from lpd_plugin.freed_memory import give_back_freed
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
pieces = [np.ones(60_000, np.uint8) for _ in range(2000)]  # 120 MB, each too small for a mapping of its own
kept = pieces[::100]  # keeps the heap from shrinking from its end
del pieces
before = resident()
give_back_freed()
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how much a process holds is read from /proc")
def test_freed_pieces_are_given_back_although_some_between_them_are_kept():
    done = subprocess.run([sys.executable, "-c", PIECES], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 60e6
