"""What the nodes that lay heads over footage share: their edge inputs and the matte network."""

from __future__ import annotations

from lpd_plugin.graph.node import Bool, Choice, Float, Text

EDGE_INPUTS = (
    Choice("region", ("head", "person"), default="head", tooltip="Down to the neck, or with the shoulders in the crop"),
    Float("erode", default=0.0, minimum=-50.0, maximum=50.0, step=0.5, tooltip="Pixels off the edge; negative adds"),
    Float("choke", default=0.2, minimum=0.0, maximum=0.9, step=0.05, tooltip="The alpha that becomes 0: thins veils and soft edges"),
    Float("feather", default=3.0, minimum=0.0, maximum=100.0, step=0.5, tooltip="Least width of the soft edge, pixels"),
    Float("gamma", default=1.0, minimum=0.2, maximum=5.0, step=0.05, tooltip="Above 1 thins half-transparent edges"),
    Float("steady", default=1.0, minimum=0.0, maximum=1.0, step=0.05, tooltip="Calms the matte over the frames around, without lag"),
)
PLACEMENT_INPUTS = (
    Choice(
        "placement", ("follow", "hold", "driver"), default="follow",
        tooltip="With the footage's head, held at rest, or with the driver's own motion on top",
    ),
    Bool("fit", default=True, tooltip="Match the head's size and place to the original head's"),
    Float("scale", default=1.0, minimum=0.25, maximum=4.0, step=0.01, tooltip="Size of the head"),
    Float("offset_x", default=0.0, minimum=-1.0, maximum=1.0, step=0.005, tooltip="To the right, in sides of the crop square"),
    Float("offset_y", default=0.0, minimum=-1.0, maximum=1.0, step=0.005, tooltip="Downwards, in sides of the crop square"),
)
LOOK_INPUTS = (
    Float("colour_match", default=1.0, minimum=0.0, maximum=1.0, step=0.05, tooltip="Bring the face's colours to the footage's"),
    Float("sharpness", default=1.0, minimum=0.0, maximum=1.0, step=0.05, tooltip="Bring edges to the footage's sharpness"),
    Float("grain", default=1.0, minimum=0.0, maximum=1.0, step=0.05, tooltip="Share of the footage's grain on what is new"),
    Float("detail", default=0.0, minimum=0.0, maximum=1.0, step=0.05, tooltip="The footage's own fine detail, where it fits; slower"),
)
FADE_INPUTS = (
    Float("amount", default=1.0, minimum=0.0, maximum=1.0, step=0.01, tooltip="How much of the composite is seen"),
    Text("start", default="", tooltip="Where the composite begins, seconds or h:mm:ss; before it the footage stays"),
    Text("end_point", default="", tooltip="Where it ends, seconds or h:mm:ss; after it the footage stays"),
    Float("fade_in", default=0.0, minimum=0.0, maximum=60.0, step=0.1, tooltip="Seconds in which it comes"),
    Float("fade_out", default=0.0, minimum=0.0, maximum=60.0, step=0.1, tooltip="Seconds in which it goes"),
)
END_INPUT = Choice("end", ("trim", "hold", "loop", "ping-pong"), default="trim", tooltip="What follows the performance's end")


def edge_options(values):
    """EdgeOptions of the values of EDGE_INPUTS by name."""
    from lpd_plugin.compositing.matte.edge import EdgeOptions

    return EdgeOptions(**{name: values[name] for name in ("region", "erode", "choke", "feather", "gamma")})


def head_options(values, seed):
    """HeadOptions of the values of EDGE, PLACEMENT and LOOK_INPUTS by name."""
    from lpd_plugin.compositing.head.dressing import HeadOptions
    from lpd_plugin.compositing.head.placement import PlacementOptions
    from lpd_plugin.compositing.head.texture import TextureOptions

    placement = PlacementOptions(values["placement"], values["scale"], values["offset_x"], values["offset_y"])
    texture = TextureOptions(values["sharpness"], values["grain"], seed, values["detail"])
    wanted = texture.sharpness or texture.grain or texture.detail
    return HeadOptions(
        values["steady"], fit=values["fit"], placement=placement, colour=values["colour_match"],
        texture=texture if wanted else None,
    )  # fmt: skip


def fade_options(values):
    """FadeOptions of the values of FADE_INPUTS by name."""
    from lpd_plugin.compositing.fades import FadeOptions
    from lpd_plugin.video.timing import as_seconds

    words = {"start": "the composite's start", "end_point": "the composite's end"}
    points = [as_seconds(values[name], said) if values[name] else None for name, said in words.items()]
    points = [None if point is None else float(point) for point in points]
    return FadeOptions(values["amount"], *points, values["fade_in"], values["fade_out"])


def wrong_fades(values):
    """What is wrong with the values of FADE_INPUTS, one sentence, or None."""
    from lpd_plugin.errors import BadInput

    names = [one.name for one in FADE_INPUTS]
    if any(values.get(name) is None for name in names):
        return None  # a link brings it
    try:
        fade_options(values)
    except BadInput as error:
        return str(error)
    return None


def head_matte(device):
    """The matte network as compositing calls it: float32 arrays or tensors (N, 3, 256, 256) -> (N, 1, 256, 256)."""
    import numpy as np
    import torch

    from lpd_plugin.weights.files import load_matte
    from lpd_plugin.weights.residency import at_work

    network = load_matte(device=device)

    def matte(crops):
        at_work(network)
        with torch.inference_mode():
            out = network(torch.as_tensor(np.asarray(crops), dtype=torch.float32, device=device)).cpu()
        return out.numpy()

    return matte
