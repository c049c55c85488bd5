"""Say what would be uploaded of a checkpoint; upload it with --push. Weights without figures in their card are refused.

python scripts/push_to_hub.py --model huidurep/base
python scripts/push_to_hub.py --model runs/mine/model --repo me/mine --push
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from huidurep_hf.hub.checkpoints import list_checkpoints
from huidurep_hf.hub.publishing import gather_repository, push_repository
from huidurep_hf.model.integrity_huidurep import hash_file


def main() -> None:
    """Gather, print, and upload if told to; exit code 1 for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint folder, or name of a checkpoint that ships")
    parser.add_argument("--repo", help="owner/name on the hub; that of the checkpoint that ships if left out")
    parser.add_argument("--push", action="store_true", help="upload; without it nothing leaves this machine")
    parser.add_argument("--public", action="store_true", help="a new repository is seen by everyone")
    parser.add_argument("--message", default="Upload a HuiduRep checkpoint", help="of the commit")
    parser.add_argument("--tag", help="name of this version, such as v1")
    options = parser.parse_args()
    shipped = list_checkpoints()
    repo_id = options.repo or (options.model if options.model in shipped else None)
    if repo_id is None:
        sys.exit("push_to_hub.py: say where to with --repo owner/name.")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            files = gather_repository(shipped.get(options.model, options.model), Path(scratch) / "repository")
            for path in files:
                print(f"{path.stat().st_size:>10}  {hash_file(path)[:16]}  {path.name}")
            print(f"{sum(path.stat().st_size for path in files):>10}  bytes in {len(files)} files for {repo_id}")
            if not options.push:
                print("Nothing was uploaded; --push does it.")
                return
            url = push_repository(
                files[0].parent, repo_id, private=not options.public, message=options.message, tag=options.tag
            )
        except (ValueError, OSError) as error:
            sys.exit(f"push_to_hub.py: {error}")
    print(f"Uploaded: {url}")


if __name__ == "__main__":
    main()
