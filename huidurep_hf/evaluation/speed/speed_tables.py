"""All tables of the speed figures, printed or put into a page."""

from __future__ import annotations

from collections.abc import Sequence

from .aims import aims_table
from .embedding_tables import embedding_table, matrix_table
from .paper_estimate import PRICE_PER_CORE_HOUR, paper_table
from .row_groups import name_machines, of_compared_machines
from .sorting_tables import generated_table, memory_table, peers_table, stage_table

NAMED_PACKAGES = ("python", "huidurep-hf", "torch", "spikeinterface", "numpy", "numba", "scipy")


def speed_tables(content: dict, price_per_core_hour: float = PRICE_PER_CORE_HOUR) -> dict[str, str]:
    """Name of a table's place -> markdown.

    Args:
        content: as [`~huidurep_hf.evaluation.speed.works.measure_speed`] returns it.
        price_per_core_hour: for the estimate on paper.
    """
    rows = of_compared_machines(content["rows"])
    return {
        "aims": aims_table(rows),
        "peers": peers_table(rows),
        "generated": generated_table(rows),
        "stages": stage_table(rows),
        "memory": memory_table(rows),
        "embedding": "\n\n".join(dict.fromkeys([embedding_table(rows), matrix_table(rows)])),
        "paper": paper_table(rows, price_per_core_hour),
        "machines": describe_machines(rows, content["runs"], content.get("of_earlier_code", ())),
    }


def describe_machines(rows: list[dict], runs: list[dict], of_earlier_code: Sequence[str] = ()) -> str:
    """Letter, machine, versions, seeds and how busy it was, for each machine; and what the code of now has not made."""
    lines = []
    for machine, letter in name_machines(rows).items():
        own = [row for row in rows if row["machine"] == machine]
        versions = runs[own[-1]["run"]]["versions"]
        named = ", ".join(f"{name} {versions[name]}" for name in NAMED_PACKAGES if versions.get(name))
        seeds = sorted({row["recording_seed"] for row in own if "recording_seed" in row})
        peers = sorted({f"{row['sorter']} {row['version']}" for row in own if row.get("version")})
        busy = [row["load_average"] for row in own]
        lines.append(
            f"- {letter}: {machine}; {named}; {', '.join(peers) or 'no sorts'}; recording seeds"
            f" {', '.join(map(str, seeds)) or 'none'}; load average before the runs {min(busy):g} to {max(busy):g}"
        )
    if lines and of_earlier_code:
        lines.append(f"- Measured with earlier code: {', '.join(of_earlier_code)}")
    return "\n".join(lines) or "Not measured yet."
