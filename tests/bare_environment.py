"""A virtual environment with everything that this one has except `huidurep_hf`."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


def make_bare_environment(folder: Path) -> Path:
    """Make it of links, in a second, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    target = Path(subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    for kind in ("purelib", "platlib"):
        for path in Path(sysconfig.get_paths()[kind]).iterdir():
            link = target / path.name
            if "huidurep" not in path.name and path.name != "__pycache__" and not link.exists():
                link.symlink_to(path)
    return python


def run_bare(python: Path, code: str, folder: Path, **environment) -> subprocess.CompletedProcess:
    """Run code there, in a folder, with a Hugging Face home in it and no path to this project."""
    hidden = ("PYTHONPATH", "HF_HOME", "HF_HUB_CACHE", "HF_MODULES_CACHE")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    kept |= {"HF_HOME": str(folder / "home"), **environment}
    return subprocess.run([str(python), "-c", code], env=kept, cwd=folder, capture_output=True, text=True, timeout=240)
