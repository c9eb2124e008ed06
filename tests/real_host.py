"""A real ComfyUI for tests: LPD_COMFYUI names its folder, LPD_COMFYUI_PYTHON its interpreter (by default this one).

Without LPD_COMFYUI such tests skip. The host runs on the CPU, with this checkout as its only plugin, in folders of the test's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RealHost:
    """A host that runs while it is used in `with`; `base` holds its input, output and temp folders."""

    def __init__(self, base: Path, folder_name: str = "any name.1"):
        if not (folder := os.environ.get("LPD_COMFYUI")):
            pytest.skip("LPD_COMFYUI names no ComfyUI folder")
        self.folder, self.base = folder, base
        self.address = f"http://127.0.0.1:{free_port()}"
        for name in ("custom_nodes", "input", "output"):
            (base / name).mkdir(parents=True)
        (base / "custom_nodes" / folder_name).symlink_to(ROOT)

    def __enter__(self) -> RealHost:
        python = os.environ.get("LPD_COMFYUI_PYTHON", sys.executable)
        command = [python, "main.py", "--cpu", "--port", self.address.rpartition(":")[2], "--base-directory", str(self.base)]
        command += ["--database-url", "sqlite:///:memory:", "--disable-auto-launch"]
        with open(self.base / "log", "w") as log:
            environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LPD_CACHE": str(self.base / "cache")}
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            self.known = self._first_answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(60)

    @property
    def log(self) -> str:
        return (self.base / "log").read_text()

    def get(self, path: str):
        with urllib.request.urlopen(self.address + path, timeout=60) as answer:
            return json.load(answer)

    def _first_answer(self) -> dict:
        """Every node's description, asked for until the host is up."""
        for _ in range(1200):  # a busy machine takes minutes
            try:
                return self.get("/object_info")
            except OSError:
                assert self.process.poll() is None, self.log[-2000:]
                time.sleep(0.5)
        raise AssertionError(f"the host did not answer:\n{self.log[-2000:]}")
