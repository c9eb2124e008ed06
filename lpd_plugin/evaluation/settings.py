"""How much is looked at."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = 3  # of what is measured: a change of a measure, of the choice of frames or of how they are read is a new one


@dataclass(frozen=True)
class Settings:
    """pictures: frames given of each person; tested: frames reconstructed; run: consecutive frames looked at for flicker;
    drivers: others who drive each person, at most; frames: of each driver; described: frames of each person whose
    descriptors are compared. The defaults are the paper's numbers where it has them (29 others, 32 frames each)."""

    pictures: int = 32
    tested: int = 32
    run: int = 32
    drivers: int = 29
    frames: int = 32
    described: int = 128

    @classmethod
    def quick(cls, pictures: int = 32) -> "Settings":
        """Enough to see where a change led, in minutes."""
        return cls(pictures, tested=16, run=8, drivers=3, frames=8, described=64)
