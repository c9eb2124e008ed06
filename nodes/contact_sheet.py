"""One picture that shows whether it worked."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Context, File, Input, Int, Node, Output


class ContactSheet(Node):
    id = "LPDContactSheet"
    name = "Contact sheet"
    category = "LPD/look"
    description = "Source, driver, generated head, matte, composite and what changed, moment by moment, on one sheet."
    search_aliases = ("compare", "overview", "proof sheet")
    inputs = (
        Input("composite", types.VIDEO, optional=True, tooltip="The finished clip"),
        Input("source", (types.VIDEO, types.IMAGE), optional=True, tooltip="The footage or portrait before"),
        Input("driver", (types.VIDEO, types.IMAGE), optional=True, tooltip="The driving clip"),
        Input("heads", types.HEADS, optional=True, tooltip="The generated heads"),
        Int("moments", default=8, minimum=1, maximum=40, tooltip="Columns"),
        File("file", default="", writes=True, extensions=(".png",), tooltip="Where to write a PNG; empty for nowhere"),
        Bool("overwrite", default=False, tooltip="Replace an existing file"),
        Input("matte", types.VIDEO, optional=True, tooltip="The composite's matte; else the heads' own masks"),
    )
    outputs = (Output("sheet", types.IMAGE),)
    output_node = True

    @classmethod
    def check(cls, file, **_):
        if file and not file.lower().endswith(".png"):
            return f"a contact sheet is a PNG; give a name that ends with .png instead of {file}"
        return None

    def run(self, context: Context, composite, source, driver, heads, moments, file, overwrite, matte):
        import torch

        from lpd_plugin.compositing.views.contact_sheet import contact_sheet, write_sheet

        from ._sources import as_clip

        clips = [None if c is None else as_clip(c) for c in (composite, source, driver, matte)]
        sheet = contact_sheet(*clips[:3], heads, moments, clips[3])
        context.show(lambda: sheet)
        if file:
            context.saved_file(write_sheet(sheet, file, overwrite))
        return (torch.from_numpy(sheet).float()[None] / 255,)
