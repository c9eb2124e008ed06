"""The sizes the method comes in, by name. Sizes are configuration; the code is the same for all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import BadInput

LATENT = "latent"  # the pose descriptor that the model itself computes


@dataclass(frozen=True)
class Configuration:
    """One size of the method. `channels_at(r)` is the paper's rule for the width at resolution r."""

    name: str
    image_size: int = 256
    identity_size: int = 512
    pose_size: int = 256
    pose_source: str = LATENT  # what describes poses; the name of another descriptor: learning/pose_sources
    base_channels: int = 64  # width at the full resolution
    max_channels: int = 512
    start_size: int = 4  # side of the learned constant
    residual_blocks: int = 2  # before the upsampling blocks
    spectral_norm: bool = True
    # The published AdaIN multiplies by the projected scale itself (0); a network trained from
    # scratch starts as a plain one when the projection is a deviation from 1.
    scale_offset: float = 0.0
    identity_backbone: str = "resnext50_32x4d"
    pose_backbone: str = "mobilenet_v2"
    encoder_size: int | None = None  # encoders see pictures resized to this side; None = as they come
    identity_widths: tuple[int, ...] = ()  # of a "plain" backbone, stage by stage
    pose_widths: tuple[int, ...] = ()
    # Numbers that a face reader beside the pose encoder's latent ones reads off the face, for the painter to look at.
    face_size: int = 0
    # The generator draws this side only, and a painter carries the person's own pixels into the drawing at image_size;
    # 0 = the generator draws the whole picture (as published).
    drawn_size: int = 0
    discriminator_channels: int = 64
    discriminator_blocks: int = 7

    def channels_at(self, resolution: int) -> int:
        """min(max_channels, base_channels * image_size / resolution), paper section 3.2 as generalised."""
        return min(self.max_channels, self.base_channels * self.image_size // resolution)

    @property
    def descriptor_size(self) -> int:
        """Numbers a pose descriptor has: the latent pose, then what the face reader reads."""
        return self.pose_size + self.face_size

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Output side of every upsampling block, ascending, ending with image_size."""
        sides, side = [], self.start_size
        while side < self.image_size:
            side *= 2
            sides.append(side)
        return tuple(sides)


CONFIGURATIONS = {
    "published": Configuration("published"),
    # Encoders of plain strided convolutions with group norm: on a CPU half the time of depthwise
    # ones for the same result; they look at 128 px whatever the generator renders, so that the
    # generator can grow during training without the encoders noticing.
    "compact": Configuration(
        "compact",
        identity_size=256,
        pose_size=64,
        base_channels=12,
        max_channels=192,
        spectral_norm=False,
        scale_offset=1.0,
        identity_backbone="plain",
        pose_backbone="plain",
        encoder_size=128,
        drawn_size=128,
        face_size=14,
        identity_widths=(32, 64, 128, 256, 256),
        pose_widths=(24, 32, 64, 96, 128),
        discriminator_channels=12,
        discriminator_blocks=6,
    ),
}


def configuration(name: str) -> Configuration:
    """The configuration of that name; raises `BadInput` for an unknown one."""
    try:
        return CONFIGURATIONS[name]
    except KeyError:
        known = ", ".join(CONFIGURATIONS)
        raise BadInput(f"Unknown network configuration '{name}'; choose one of: {known}.") from None


def driven_by(configuration: Configuration, name: str, size: int) -> Configuration:
    """The same configuration with a generator alone that a registered descriptor of `size` numbers drives: no pose encoder,
    and no painter, which looks at what only the pose encoder's face reader reads."""
    return replace(configuration, pose_source=name, pose_size=size, drawn_size=0, face_size=0)
