"""Code in a fresh process whose hub is a server of ours and whose Hugging Face home is a folder of the test."""

import json
import os
import subprocess
import sys


def run_with_hub(url, home, code, python=sys.executable, **environment):
    """Run it and return what its last line of output says, as JSON.

    Args:
        url: of the hub; nobody need be listening.
        home: folder of cache and modules.
        code: Python, which prints JSON in the end.
        python: interpreter, this one if left out.
        environment: variables beside those that are set here.
    """
    hidden = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_CACHE")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    kept |= {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1"}
    kept |= {"NO_PROXY": "*", "no_proxy": "*", "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    home.mkdir(exist_ok=True, parents=True)
    done = subprocess.run(
        [str(python), "-c", code], env=kept, cwd=home, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
