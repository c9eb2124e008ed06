"""Reading the authors' checkpoints: pickles, by an allow-list. Nothing in a file can run."""

from __future__ import annotations

import argparse
import pathlib
import pickle
import struct
import tarfile
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..errors import BadInput

PARTS = ("embedder", "generator", "discriminator")
OWN_IDENTITY = "identity_embedding"  # what a fine-tuned generator holds beside its weights
PATHS = {"PosixPath": pathlib.PurePosixPath, "WindowsPath": pathlib.PureWindowsPath}
PATHS |= {cls.__name__: cls for cls in PATHS.values()}
DTYPES = {name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)}


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """A checkpoint as the authors' training code writes it, tensors under the released names.

    averages: running averages of "embedder" and "generator", where kept; args: the training's options, as plain
    Python values (paths as pathlib's pure paths).
    """

    embedder: dict[str, torch.Tensor]
    generator: dict[str, torch.Tensor]
    discriminator: dict[str, torch.Tensor]
    averages: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    args: dict = field(default_factory=dict)


def read_released(path: pathlib.Path) -> ReleasedCheckpoint:
    """Read a checkpoint of either torch format. Large files are mapped, not loaded.

    Raises `BadInput` for a missing or damaged file, one that asks for anything outside the allow-list, or one
    that is no checkpoint of this method.
    """
    content = read_pickle(path)
    if not isinstance(content, dict) or not {"embedder", "generator"} <= set(content):
        raise BadInput(f"{path} is no checkpoint of the released code: it lacks 'embedder' and 'generator'.")
    averages = content.get("running_averages") or {}
    states = {part: content.get(part) or {} for part in PARTS} | {
        f"running_averages.{part}": averages.get(part) or {} for part in PARTS[:2]
    }
    for name, state in states.items():
        if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
            raise BadInput(f"{path} is no checkpoint of the released code: '{name}' is not tensors by name.")
    kept = {part: dict(states[f"running_averages.{part}"]) for part in PARTS[:2] if states[f"running_averages.{part}"]}
    args = content.get("args")
    args = {k: v for k, v in vars(args).items() if isinstance(k, str)} if isinstance(args, argparse.Namespace) else {}
    return ReleasedCheckpoint(*(dict(states[part]) for part in PARTS), kept, args)


def read_pickle(path: pathlib.Path, what: str = "checkpoint of the released code"):
    """The content of a .pth of either torch format, by the allow-list; large files are mapped, not loaded.

    `what` says what it should be. Raises `BadInput` for a missing or damaged file, or one that asks for anything else.
    """
    if not path.is_file():
        raise BadInput(f"There is no checkpoint at {path}; give the path of the released .pth file.")
    zipped = zipfile.is_zipfile(path)
    if not zipped and tarfile.is_tarfile(path) or zipped and _is_script(path):
        raise BadInput(f"{path} is no {what} but a torch archive of another kind.")
    try:
        # torch's own `weights_only` cannot read the release: it is written with pickle's highest protocol.
        return torch.load(path, map_location="cpu", pickle_module=_allow_listed(), weights_only=False, mmap=zipped)
    except _Refused as refused:
        raise BadInput(
            f"{path} was not read: it asks for '{refused}', which no {what} needs; "
            "get the file from a source you trust."
        ) from None
    except Exception as error:  # whatever a damaged pickle leads to
        said = (str(error).splitlines() or [""])[0][:100].rstrip(".")
        raise BadInput(f"{path} is damaged or no torch checkpoint ({type(error).__name__}: {said}); fetch it again.") from None


def _is_script(path: pathlib.Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


class _Refused(pickle.UnpicklingError):
    """A pickle asked for something outside the allow-list; its text is the name."""


def _allow_listed() -> types.SimpleNamespace:
    """What `torch.load` takes for the pickle module. Everything a pickle may touch is made anew for this one file,
    so that nothing a pickle sets on it can outlive it."""
    allowed = _stand_ins()

    # The Python implementation, since only its single operations can be narrowed.
    class Unpickler(pickle._Unpickler):
        dispatch = dict(pickle._Unpickler.dispatch)

        def find_class(self, module: str, name: str):
            if module == "torch" and name in DTYPES:
                return getattr(torch, name)
            if f"{module}.{name}" not in allowed:
                raise _Refused(f"{module}.{name}")
            return allowed[f"{module}.{name}"]

        def load_build(self):
            """Set an object's state: of the few kinds of ours, never of a class or function."""
            if not isinstance(self.stack[-2], (OrderedDict, argparse.Namespace, NumberType)):
                raise _Refused(f"the state of a {type(self.stack[-2]).__name__}")
            super().load_build()

        def load_binpersid(self):
            """Tensor data by name; torch's old format also knows whole modules with their source here."""
            if not isinstance(self.stack[-1], tuple) or self.stack[-1][0] not in ("storage", b"storage"):
                raise _Refused("other data than a tensor's")
            super().load_binpersid()

        dispatch[pickle.BUILD[0]] = load_build
        dispatch[pickle.BINPERSID[0]] = load_binpersid
        dispatch.pop(pickle.PERSID[0])

    def load(file, **options):
        return Unpickler(file, **options).load()

    return types.SimpleNamespace(Unpickler=Unpickler, load=load, __name__="allow-listed pickle")


def _stand_ins() -> dict[str, Callable]:
    """The allow-list, by the names in pickles. torch itself recognises its storages' names before this is asked."""

    def made_by(function):
        return lambda *arguments: function(*arguments)

    stand_ins: dict[str, Callable] = {
        "collections.OrderedDict": type("OrderedDict", (OrderedDict,), {}),
        "argparse.Namespace": type("Namespace", (argparse.Namespace,), {}),
        "builtins.set": made_by(set), "__builtin__.set": made_by(set), "_codecs.encode": _as_bytes,
        "torch.Size": made_by(torch.Size), "torch.device": made_by(torch.device),
        "torch._utils._rebuild_tensor_v2": made_by(torch._utils._rebuild_tensor_v2),
        "torch._utils._rebuild_tensor": made_by(torch._utils._rebuild_tensor),
        "torch._utils._rebuild_parameter": lambda data, *_: data,
    }  # fmt: skip
    for module in ("pathlib", "pathlib._local"):
        stand_ins |= {f"{module}.{name}": made_by(cls) for name, cls in PATHS.items()}
    stand_ins["numpy.dtype"] = made_by(NumberType)
    return stand_ins | {f"numpy.{core}.multiarray.scalar": made_by(_number) for core in ("core", "_core")}


def _as_bytes(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):  # how pickle writes bytes in its old protocols
        raise _Refused(f"_codecs.encode to {encoding}")
    return text.encode("latin1")


class NumberType:
    """What a pickled numpy scalar says of its type."""

    CODES = {"f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "b1": "?"}

    def __init__(self, code, *_):
        if code not in self.CODES:
            raise _Refused(f"numpy.dtype {code}")
        self.code, self.order = self.CODES[code], "<"

    def __setstate__(self, state):
        self.order = ">" if state[1] == ">" else "<"


def _number(kind: NumberType, data: bytes) -> float | int | bool:
    """A pickled numpy scalar as a Python number."""
    return struct.unpack(kind.order + kind.code, data)[0]
