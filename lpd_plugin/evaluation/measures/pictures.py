"""How alike two pictures are where the head is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from kornia.metrics import psnr as kornia_psnr
from kornia.metrics import ssim as kornia_ssim

WINDOW, SIGMA = 11, 1.5
LUMINANCE = 0.01**2
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents of Wang, Simoncelli and Bovik 2003
BEST_PSNR = 100.0  # of equal pictures, which would be infinite


def psnr(made: torch.Tensor, truth: torch.Tensor, region: torch.Tensor) -> float:
    """10 log10(1 / mean squared difference) in dB over the pixels of a region.

    made, truth: (3, S, S) in [0, 1]; region (S, S) bool, not empty. At most 100, for equal pictures.
    """
    return min(BEST_PSNR, float(kornia_psnr(made[:, region], truth[:, region], 1.0)))


def ssim(made: torch.Tensor, truth: torch.Tensor, region: torch.Tensor) -> float:
    """Mean over a region of the structural similarity of Wang et al. 2004 (window 11, sigma 1.5), which ranges to 1.

    Arguments as for `psnr`. The window of a pixel at the region's edge looks over it, at what lies beyond in both.
    """
    return _mean(kornia_ssim(made[None], truth[None], WINDOW, 1.0), region)


def multi_scale_ssim(made: torch.Tensor, truth: torch.Tensor, region: torch.Tensor) -> float:
    """MS-SSIM (Wang, Simoncelli and Bovik 2003): l_5^w5 * product over scales of cs_j^wj, each a mean over the region.

    Arguments as for `psnr`, S at least 96. l is the luminance term, cs = SSIM / l that of contrast and structure,
    negative ones count as 0; from one scale to the next pictures are averaged 2 x 2, and a pixel is of the region
    where half of it was.
    """
    made, truth, share, product = made[None], truth[None], region[None, None].float(), 1.0
    for index, exponent in enumerate(SCALES):
        here = share[0, 0] >= min(0.5, float(share.max()))
        similarity = kornia_ssim(made, truth, WINDOW, 1.0)
        if index < len(SCALES) - 1:
            similarity = similarity / _luminance(made, truth)
        product *= max(0.0, _mean(similarity, here)) ** exponent
        made, truth, share = (F.avg_pool2d(t, 2) for t in (made, truth, share))
    return product


def _luminance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """l = (2 mu_a mu_b + C1) / (mu_a^2 + mu_b^2 + C1), in the windows of SSIM."""
    a, b = (gaussian_blur2d(t, (WINDOW, WINDOW), (SIGMA, SIGMA)) for t in (a, b))
    return (2 * a * b + LUMINANCE) / (a.square() + b.square() + LUMINANCE)


def _mean(values: torch.Tensor, region: torch.Tensor) -> float:
    return float(values[0][:, region].mean())
