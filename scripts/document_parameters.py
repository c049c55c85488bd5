"""Write docs/parameters.md from the sorter's settings, one table a stage.

python scripts/document_parameters.py
python scripts/document_parameters.py --check
"""

from __future__ import annotations

import argparse
import re
from dataclasses import Field, fields
from pathlib import Path

from huidurep_hf.evaluation.records.tables import markdown_table
from huidurep_hf.settings import Settings
from huidurep_hf.sorting.parameters import STAGES, SortingParameters

DOCUMENT = Path(__file__).parents[1] / "docs" / "parameters.md"
EXPERT = " \\*"
INTRODUCTION = """# Parameters of the sorter

This page is generated from the settings in the code: `python scripts/document_parameters.py`. Stages and settings stand
in the order in which the sorter uses them; [how_it_works.md](how_it_works.md) describes the stages.

Settings without a mark are flags of the command line: `detect_threshold` is `--detect-threshold`. Settings marked with
\\* are for experts: their defaults were chosen once, on development recordings, and they have no flag of their own. Any
setting can be set by its name:

```bash
huidurep sort RECORDING OUT --detect-threshold 5 --set min_gain=22
```

```python
sorter.sort(recording, detect_threshold=5, min_gain=22)
```
"""


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the page; exit code 1 if it is to be compared and differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is not current")
    parser.add_argument("--output", type=Path, default=DOCUMENT, metavar="FILE", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    page = document_settings()
    if not options.check:
        options.output.write_text(page, encoding="utf-8")
        return 0
    if options.output.is_file() and options.output.read_text(encoding="utf-8") == page:
        return 0
    print(f"{options.output} is not what the settings give; run scripts/document_parameters.py.")
    return 1


def document_settings() -> str:
    """The whole page: the introduction, then a section a stage."""
    listed = [one.name for one in SortingParameters.list_settings()]
    sections = [_section(settings) for settings in STAGES.values()]
    documented = [one.name for settings in STAGES.values() for one in fields(settings)]
    if listed != documented:
        raise ValueError(f"The stages have the settings {documented}, and the parameters have {listed}.")
    return "\n".join([INTRODUCTION, *sections])


def _section(settings: type[Settings]) -> str:
    """Heading, first line of the class's description, and the table of its settings."""
    table = markdown_table(
        ["name", "default", "unit", "range or choices", "meaning"],
        [
            [
                f"`{one.name}`{EXPERT if one.metadata['expert'] else ''}",
                _value(one.default),
                one.metadata["unit"],
                _limits(one),
                one.metadata["description"].replace("|", "\\|"),
            ]
            for one in fields(settings)
        ],
        num_text_columns=5,
    )
    heading = re.sub("(?<!^)[A-Z]", lambda letter: f" {letter[0].lower()}", settings.__name__.removesuffix("Settings"))
    return f"## {heading}\n\n{settings.__doc__.splitlines()[0]}\n\n{table}\n"


def _limits(one: Field) -> str:
    low, high, choices = (one.metadata[name] for name in ("low", "high", "choices"))
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if low is None and high is None:
        return ""
    if high is None:
        return f"at least {_value(low)}"
    return f"at most {_value(high)}" if low is None else f"{_value(low)} to {_value(high)}"


def _value(value: int | float | str | None) -> str:
    """A number without needless digits, a string as code."""
    if value is None:
        return "automatic"
    if isinstance(value, str):
        return f"`{value}`"
    return str(value) if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    raise SystemExit(main())
