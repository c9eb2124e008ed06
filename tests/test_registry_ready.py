"""What a registry of node packs reads of this one can be read, and nothing that it installs replaces a host's own builds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import cv2

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
THE_HOSTS_OWN = {"torch", "torchvision", "torchaudio", "numpy", "opencv-python", "opencv-python-headless", "opencv-contrib-python"}


def names_and_bounds(lines):
    parts = (re.match(r"([A-Za-z0-9._-]+)(.*)", line.strip()) for line in lines if line.strip() and not line.startswith("#"))
    return {part[1]: part[2].strip() for part in parts}


def test_name_version_licence_and_systems_are_as_a_registry_wants_them():
    project, comfy = PROJECT["project"], PROJECT["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9._-]{0,99}", project["name"]) and "comfyui" not in project["name"].lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert set(project["license"]) == {"file"} and (ROOT / project["license"]["file"]).is_file()
    assert all(one in {"Operating System :: OS Independent"} or one.startswith("Environment :: GPU :: ") for one in project["classifiers"])
    assert comfy["PublisherId"] and comfy["DisplayName"] and re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    assert "web" not in comfy  # WEB_DIRECTORY says it already


def test_icon_and_banner_are_pictures_of_the_sizes_that_are_shown():
    comfy = PROJECT["tool"]["comfy"]
    icon = (ROOT / comfy["Icon"]).read_text()
    width, height = (int(re.search(rf'<svg[^>]* {side}="(\d+)"', icon)[1]) for side in ("width", "height"))
    assert width == height <= 400
    height, width, _ = cv2.imread(str(ROOT / comfy["Banner"])).shape
    assert abs(width / height - 21 / 9) < 0.01


def test_what_a_host_installs_is_what_the_project_needs_less_what_the_host_has():
    needed = names_and_bounds(PROJECT["project"]["dependencies"])
    installed = names_and_bounds((ROOT / "requirements.txt").read_text().splitlines())
    assert installed.items() <= needed.items() and not THE_HOSTS_OWN & set(installed)
    assert all(not needed[name] for name in THE_HOSTS_OWN & set(needed))  # no bound that would replace a build
    assert set(needed) - set(installed) <= THE_HOSTS_OWN | {"click", "rich", "websockets"}  # of the command line only
