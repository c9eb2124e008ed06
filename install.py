"""Run once by installers of ComfyUI packs, after requirements.txt: OpenCV, where there is none.

It comes as several distributions that overwrite each other, and other packs may have chosen one; any of them will do.
"""

import importlib.util
import subprocess
import sys

if importlib.util.find_spec("cv2") is None:
    print("LPD: installing opencv-python-headless, since there is no OpenCV here")
    subprocess.run([sys.executable, "-m", "pip", "install", "opencv-python-headless"], check=True)
else:
    print("LPD: OpenCV is here already and stays as it is")
