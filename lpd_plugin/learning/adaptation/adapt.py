"""Few-shot adaptation: one person's own generator or painter, from a few of its frames (paper section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ...networks.discriminator import Discriminator
from ...networks.face_recogniser import FaceRecogniser
from ...networks.matte import HeadMatte
from ...networks.model import ReenactmentModel
from ...progress import Progress
from .config import AdaptationConfig
from .curve import Curve, measured_steps
from .generator import GeneratorAdaptation
from .painter import PainterAdaptation


PAINTER_LIMIT = 58  # steps at most: further ones hardly gain likeness, and heads in strangers' poses drift (benchmarks/adaptation.md)


@dataclass(frozen=True)
class Adapted:
    """embedding (identity_size,) float32; changed: parameters by their names in the model, half precision; steps taken;
    curve: what was measured, empty where the steps were given; altered: judged by altered views of the frames."""

    embedding: torch.Tensor
    changed: dict[str, torch.Tensor]
    steps: int
    curve: Curve = field(default_factory=Curve)
    altered: bool = False


def adapt(
    model: ReenactmentModel, matte: HeadMatte, crops: np.ndarray, embedding: torch.Tensor,
    config: AdaptationConfig = AdaptationConfig(), progress: Progress | None = None,
    discriminator: Discriminator | None = None, likeness: FaceRecogniser | None = None,
) -> Adapted:  # fmt: skip
    """Free what draws the person, freeze the encoders, fit the person's frames.

    What draws is the generator with the identity embedding or, where the weights have one, the painter. crops
    (K, S, S, 3) uint8 RGB, K >= 1; embedding (identity_size,). Foreign poses come from the weights' own bank of
    descriptors: on those, the adapted head's re-encoded pose has to stay what drove it, and its mask what it was
    before; likeness, where given, says whom they show. With a discriminator, its table of videos becomes one row, the person's, and it goes on training
    (generators only). Works inside a host's inference mode. Deterministic for a seed on one machine.
    """
    progress = progress or Progress()
    if config.steps == 0:
        return Adapted(embedding.clone(), {}, 0)
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(config.seed)
        run = adaptation_run(model, matte, crops, embedding, config, discriminator, likeness)
        return _fixed(run, progress) if config.steps is not None else _searched(run, progress)


def adaptation_run(
    model: ReenactmentModel, matte: HeadMatte, crops: np.ndarray, embedding: torch.Tensor, config: AdaptationConfig,
    discriminator: Discriminator | None = None, likeness: FaceRecogniser | None = None,
) -> GeneratorAdaptation | PainterAdaptation:  # fmt: skip
    """An adaptation under way: has `step`, `measure` and `kept`. To be used outside inference mode, with gradients."""
    if model.painter is not None:
        config = replace(config, limit=min(config.limit, PAINTER_LIMIT))
        return PainterAdaptation(model, matte, crops, embedding, config, likeness)
    return GeneratorAdaptation(model, matte, crops, embedding, config, discriminator)


def _fixed(run: GeneratorAdaptation | PainterAdaptation, progress: Progress) -> Adapted:
    with progress.task("adapting to the person", run.config.steps) as task:
        while run.taken < run.config.steps:
            run.step()
            task.advance()
    return Adapted(*run.kept(), run.taken)


def _searched(run: GeneratorAdaptation | PainterAdaptation, progress: Progress) -> Adapted:
    """Go on until likeness gains no more or pose is lost; give back the best measured."""
    steps, curve = measured_steps(run.config.limit), Curve()
    best = None
    with progress.task("adapting to the person", run.config.limit) as task:
        for until in steps:
            while run.taken < until:
                run.step()
                task.advance()
            curve = Curve((*curve.measurements, run.measure()))
            progress.preview(curve.picture())
            if best is None or curve.best == len(curve.measurements) - 1:
                best = run.kept()
            if curve.settled:
                break
    return Adapted(*best, curve.chosen.step, curve, run.altered)
