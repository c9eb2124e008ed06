"""How well held-out people follow others, and stay themselves, by judges from outside: what `lpd evaluate --quick` says.

    python benchmarks/reenactment.py HEADS --judges FOLDER -o REPORT

HEADS is a heads folder with split val; FOLDER holds MobileFaceNet.onnx and face_landmarker.task (docs/evaluation.md). The
committed table is reenactment.md.
"""

from __future__ import annotations

import sys

from lpd_plugin.cli.main import main

if __name__ == "__main__":
    main(["evaluate", "--quick", *sys.argv[1:]])
