"""Print a table of several models' figures, on the recordings that all of them were evaluated on.

cd model_cards
python ../scripts/compare.py huidurep/base=base/evaluation.json huidurep/paper=paper/evaluation.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from huidurep_hf.evaluation.records.tables import comparison_table


def main() -> None:
    """Read the files and print the table; exit code 1 for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", metavar="NAME=JSON", help="name for a line, file of scripts/evaluate.py")
    options = parser.parse_args()
    try:
        files = dict(item.split("=", 1) for item in options.figures)
        print(comparison_table({name: json.loads(Path(path).read_text()) for name, path in files.items()}))
    except (ValueError, OSError) as error:
        sys.exit(f"compare.py: {error}")


if __name__ == "__main__":
    main()
