"""The picture of the scaling page: memory while a recording is sorted, and where the time goes."""

from __future__ import annotations

from pathlib import Path

from ..sorters.sorting_process import OUR_SORTER
from .row_groups import GIB_IN_MIB, added_mib, counted_rows, group_rows, name_machines
from .speed_cases import GENERATED_WORK

PLOT = "scaling.png"
# Of the machines, one after the other.
LINE_STYLES = ("-", "--", ":")


def draw_scaling(rows: list[dict], folder: Path) -> Path | None:
    """Draw our sorts of generated recordings; None if there are none.

    Memory beyond what was there before the sort. Left, over its course, a line for each run, thicker for longer
    recordings; right, its peak over the length of the recording, a line for each machine.
    """
    from matplotlib.figure import Figure

    letters = name_machines(rows)
    done = [{**row, "letter": letters[row["machine"]]} for row in counted_rows(rows, GENERATED_WORK, OUR_SORTER)]
    if not done:
        return None
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    course, over_length = figure.subplots(1, 2, sharey=True)
    places = {channels: place for place, channels in enumerate(sorted({row["num_channels"] for row in done}))}
    for (channels, letter), own in sorted(group_rows(done, "num_channels", "letter").items()):
        color, points = f"C{places[channels]}", []
        for (seconds,), group in sorted(group_rows(own, "duration_s").items()):
            for row in group:
                share = [100 * time / row["seconds"] for time, _, _ in row["curve"]]
                before = row["start_memory_mib"]
                own_gib = [max(memory - before, 0.0) / GIB_IN_MIB for _, memory, _ in row["curve"]]
                course.plot(share, own_gib, color=color, alpha=0.6, linewidth=0.8 if seconds < 3600 else 2.0)
                points.append((seconds / 60, added_mib(row) / GIB_IN_MIB))
        style = LINE_STYLES[(ord(letter) - ord("A")) % len(LINE_STYLES)]
        label = f"{channels} channels, machine {letter}"
        over_length.plot(*zip(*points), f"o{style}", color=color, label=label)
    course.set(
        xlabel="time into the sort (%); bold: an hour or more",
        ylabel="memory of the sort without mapped files (GiB)",
        ylim=(0, None),
    )
    over_length.set(xlabel="length of the recording (min)", xscale="log")
    minutes = sorted({row["duration_s"] / 60 for row in done})
    over_length.set_xticks(minutes, [f"{one:g}" for one in minutes])
    over_length.set_xticks([], minor=True)
    over_length.legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / PLOT)
    return folder / PLOT
