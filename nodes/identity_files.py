"""Identities as files."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Context, File, Input, Node, Output


class SaveIdentity(Node):
    id = "LPDSaveIdentity"
    name = "Save identity"
    category = "LPD/identity"
    description = "Writes an identity, adapted or not, to one file that can be used again."
    inputs = (
        Input("identity", types.IDENTITY, tooltip="What to write"),
        File(
            "file", writes=True, extensions=(".safetensors",), example="lpd/person_%count%.lpd.safetensors",
            tooltip="NAME.lpd.safetensors; %count% is the next free number",
        ),
        Bool("overwrite", default=False, tooltip="Replace an existing file"),
    )  # fmt: skip
    outputs = (Output("identity", types.IDENTITY),)
    output_node = True

    def run(self, context: Context, identity, file, overwrite):
        from lpd_plugin.whole_files import checked_target

        path = checked_target(file, overwrite)
        identity.save(path)
        context.saved_file(path)
        return (identity,)


class LoadIdentity(Node):
    id = "LPDLoadIdentity"
    name = "Load identity"
    category = "LPD/identity"
    description = "An identity from a file that Save identity wrote."
    inputs = (File("file", extensions=(".safetensors",), tooltip="What Save identity wrote"),)
    outputs = (Output("identity", types.IDENTITY),)

    @classmethod
    def fingerprint(cls, file):
        from pathlib import Path

        try:
            state = Path(file).expanduser().stat()
        except (OSError, TypeError):
            return None
        return state.st_size, state.st_mtime_ns

    def run(self, context: Context, file):
        from pathlib import Path

        from lpd_plugin.reenactment.identity import Identity

        return (Identity.load(Path(file).expanduser()),)
