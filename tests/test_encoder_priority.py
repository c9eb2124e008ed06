"""Encoding leaves the machine's other work alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# In a process of its own: what an encoder did to this one would stay.
WRITE = """
import os, sys
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.writer import write_clip
seen = set()
class Watched:
    def __init__(self, clip): self.clip = clip
    def __getattr__(self, name): return getattr(self.clip, name)
    def frames(self, *a, **k):
        for frame in self.clip.frames(*a, **k):
            seen.update(os.sched_getscheduler(int(t)) for t in os.listdir("/proc/self/task"))
            yield frame
write_clip(Watched(open_clip(sys.argv[1])), sys.argv[2], "av1")
print(*sorted(seen))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler") or not os.path.isdir("/proc/self/task"), reason="no such priorities here")
def test_no_thread_is_a_real_time_one_while_av1_is_encoded(carphone, tmp_path):
    command = [sys.executable, "-c", WRITE, str(carphone), str(tmp_path / "out.mp4")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(os.SCHED_OTHER)]
