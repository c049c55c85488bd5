"""Follow units across sessions: displacement, comparison, probability, one number for each neuron."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..sorting.output.fingerprint_table import UnitFingerprints, mean_of_halves
from .comparison import Comparison, compare_sessions
from .correlograms import fit_correlogram_model
from .displacement import Displacement
from .linking import link_sessions
from .placement import find_displacements, place_sessions, placed_together
from .settings import TrackingSettings
from .similarity import FEATURES, common_shapes, see
from .tracked import TrackedUnits

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult

logger = logging.getLogger("huidurep_hf")


def track_units(
    sessions: Sequence[SortingResult | UnitFingerprints | str | Path],
    settings: TrackingSettings | None = None,
    *,
    names: Sequence[str] | None = None,
) -> TrackedUnits:
    """Find the units of several sessions of one probe that are the same neuron.

    Args:
        sessions: in the order of time: results of sorts, their folders, or fingerprints and their files.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
        names: of the sessions; those of folders, or their numbers, if left out.

    Returns:
        [`~huidurep_hf.tracking.tracked.TrackedUnits`].

    Raises:
        FileNotFoundError: a folder without fingerprints.
        ValueError: fewer than two sessions, sessions of probes that have no place in common, or fingerprints of several
            models or settings; or correlograms are to count, and there are too few units to learn how much.
    """
    settings = settings or TrackingSettings()
    if isinstance(sessions, (str, Path)) or len(sessions) < 2:
        count = 1 if isinstance(sessions, (str, Path)) else len(sessions)
        raise ValueError(f"Got {count} session(s); give two or more to track units across them.")
    names = [str(name) for name in names] if names is not None else names_of(sessions)
    if len(names) != len(sessions):
        raise ValueError(f"Got {len(names)} names for {len(sessions)} sessions; give one for each.")
    tables = _with_ids_of_one_kind([_fingerprints_of(session, name) for session, name in zip(sessions, names)])
    _check_alike(tables, names)
    overlap = _check_probes(tables, names, settings)
    num_sessions = len(tables)
    is_compared = overlap & (_apart(num_sessions) <= settings.max_sessions_apart)
    compared = [(a, b) for a in range(num_sessions) for b in range(a + 1, num_sessions) if is_compared[a, b]]
    left_out = num_sessions * (num_sessions - 1) // 2 - len(compared)
    if left_out:
        logger.warning("%d pairs of sessions are not compared: too far apart, or of other contacts", left_out)
    shapes = common_shapes(tables)
    seen = [see(table, shapes) for table in tables]
    found = find_displacements(tables, seen, compared, settings)
    offsets = place_sessions(found, num_sessions)
    logger.info("displacements: %s um", ", ".join(f"{offset:.0f}" for offset in offsets))

    within = _within(tables, shapes, settings)
    correlograms = None
    if settings.use_correlograms == "on":
        correlograms = fit_correlogram_model(within["correlogram"].to_numpy(), within["is_same"].to_numpy())
    is_placed = placed_together(found, num_sessions, settings)
    # A vote fails where hardly any neuron is in both sessions.
    if_unplaced = replace(settings, prior_share=settings.unplaced_share)
    parts = []
    for a, b in compared:
        own = settings if is_placed[a, b] else if_unplaced
        parts.append((a, b, compare_sessions(seen[a], seen[b], offsets[b] - offsets[a], own, correlograms)))
    pairs, rows = _pair_table(parts, tables)
    first_rows = np.cumsum([0] + [len(table) for table in tables])
    session_of = np.repeat(np.arange(num_sessions), [len(table) for table in tables])
    ends = np.column_stack(
        [first_rows[pairs["session_a"]] + rows[:, 0], first_rows[pairs["session_b"]] + rows[:, 1]]
    ).astype("int64")
    groups = link_sessions(session_of, ends, pairs["probability"].to_numpy(), is_compared, settings.min_probability)
    # Other sessions count for a pair, too: partners are units of one neuron, and nothing else.
    pairs["is_match"] = groups[ends[:, 0]] == groups[ends[:, 1]]
    described = [
        _describe(a, b, found[a, b], offsets, comparison.gain, own)
        for (a, b, comparison), own in zip(parts, _by_sessions(pairs, parts))
    ]
    table = _unit_table(tables, groups, ends, pairs["probability"].to_numpy(), offsets, is_compared)
    logger.info("tracked: %d units of %d sessions are %d neurons", len(table), num_sessions, len(np.unique(groups)))
    can_show = {session for pair, one in found.items() if np.isfinite(one.error_um) for session in pair}
    unplaced = [session for session in sorted(can_show) if not is_placed[0, session]]
    if unplaced:
        logger.warning(
            "No sure displacement of session(s) %s against %s: hardly any of their units are in others, or the probe"
            " moved by more than max_displacement_um=%g (--max-displacement-um).",
            ", ".join(names[session] for session in unplaced),
            names[0],
            settings.max_displacement_um,
        )
    return TrackedUnits(
        table=table,
        pairs=pairs,
        displacements=pd.DataFrame(described, columns=_DISPLACEMENT_COLUMNS),
        within=within,
        session_names=names,
        settings=settings.to_dict(),
        unplaced_sessions=unplaced,
    )


_DISPLACEMENT_COLUMNS = ["session_a", "session_b", "displacement_um", "error_um", "gain", "num_pairs", "num_matches"]


def names_of(sessions: Sequence) -> list[str]:
    """Names of sessions: of their folders or files, with those above where several share a name; or their numbers.

    `day1/sorted` and `day2/sorted` are called so, and not "sorted". Sessions that are no paths have numbers.
    """
    paths = [Path(one) if isinstance(one, (str, Path)) else None for one in sessions]

    def name_of(path: Path, depth: int) -> str:
        # A date with points is a whole name of a folder.
        last = path.name if path.is_dir() else path.stem
        return "/".join([*path.parts[:-1][-depth:], last] if depth else [last])

    most = max((len(path.parts) for path in paths if path is not None), default=1)
    for depth in range(most):
        names = [str(index) if path is None else name_of(path, depth) for index, path in enumerate(paths)]
        if len(set(names)) == len(names):
            return names
    return [str(index) for index in range(len(sessions))]


def _fingerprints_of(session: SortingResult | UnitFingerprints | str | Path, name: str) -> UnitFingerprints:
    if isinstance(session, UnitFingerprints):
        return session
    if isinstance(session, (str, Path)):
        return UnitFingerprints.load(session)
    if getattr(session, "fingerprints", None) is None:
        raise ValueError(
            f"Session {name} has no fingerprints: it is a result of an earlier version, or none; sort the recording"
            " again, or give unit_fingerprints(recording, sorting)."
        )
    return session.fingerprints


def _check_alike(tables: list[UnitFingerprints], names: list[str]) -> None:
    """Refuse fingerprints of several models or settings: their numbers cannot be compared."""
    for name, table in zip(names, tables):
        for key in ("template_rate_hz", "peak_sample", "lag_ms"):
            values = tables[0].description[key], table.description[key]
            if values[0] != values[1]:
                raise ValueError(
                    f"Fingerprints of sessions {names[0]} and {name} differ in {key} ({values[0]} and {values[1]});"
                    " make them with the same settings."
                )
        for key in ("embedding", "template", "correlogram"):
            shapes = [getattr(one, key).shape[1:3] for one in (tables[0], table)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"Fingerprints of sessions {names[0]} and {name} differ in the size of the {key} ({shapes[0][1]}"
                    f" and {shapes[1][1]}); make them with the same settings."
                )
    models = [table.description["model"] for table in tables]
    for name, model in zip(names, models):
        if model != models[0]:
            raise ValueError(
                f"Sessions {names[0]} and {name} were embedded by different models ({models[0]} and {model}), whose"
                " embeddings cannot be compared; sort them with one model."
            )


def _with_ids_of_one_kind(tables: list[UnitFingerprints]) -> list[UnitFingerprints]:
    """The same units, named by text in all sessions where they are in some: a column of a table is of one kind."""
    if len({table.unit_ids.dtype.kind in "USO" for table in tables}) == 1:
        return tables
    return [table.renumbered(table.unit_ids.astype(str)) for table in tables]


def _check_probes(tables: list[UnitFingerprints], names: list[str], settings: TrackingSettings) -> np.ndarray:
    """Pairs of sessions whose contacts may see the same neurons, `(num_sessions, num_sessions)` bool."""
    num_sessions = len(tables)
    overlap = np.eye(num_sessions, dtype=bool)
    reach = np.array([settings.max_distance_um, settings.max_displacement_um + settings.max_distance_um])
    boxes = []
    for table in tables:
        of_shank = {shank: table.contacts[table.contact_shanks == shank] for shank in np.unique(table.contact_shanks)}
        boxes.append({shank: (contacts.min(axis=0), contacts.max(axis=0)) for shank, contacts in of_shank.items()})
    for a in range(num_sessions):
        for b in range(a + 1, num_sessions):
            common = set(boxes[a]) & set(boxes[b])
            near = [
                np.all(boxes[a][shank][0] - reach <= boxes[b][shank][1])
                and np.all(boxes[b][shank][0] - reach <= boxes[a][shank][1])
                for shank in common
            ]
            # A session in which no channel was usable says nothing about its probe.
            overlap[a, b] = overlap[b, a] = any(near) or not boxes[a] or not boxes[b]
    for session in range(num_sessions):
        if overlap[session].sum() == 1:
            raise ValueError(
                f"The contacts of session {names[session]} are not near those of any other session; give sessions of"
                " one probe, with the same names of shanks (groups) and the same coordinates."
            )
    return overlap


def _apart(num_sessions: int) -> np.ndarray:
    return np.abs(np.arange(num_sessions)[:, None] - np.arange(num_sessions)[None, :])


def _by_sessions(pairs: pd.DataFrame, parts: list[tuple]) -> Iterator[pd.DataFrame]:
    """Rows of the table of pairs that each part gave."""
    stops = np.cumsum([len(comparison.pairs) for *_, comparison in parts])
    yield from (pairs[start:stop] for start, stop in zip([0, *stops[:-1]], stops))


def _describe(a: int, b: int, found: Displacement, offsets: np.ndarray, gain: float, pairs: pd.DataFrame) -> tuple:
    num_matches = int(pairs["is_match"].sum())
    return a, b, offsets[b] - offsets[a], found.error_um, gain, len(pairs), num_matches


def _pair_table(
    parts: list[tuple[int, int, Comparison]], tables: list[UnitFingerprints]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Pairs of all sessions, and the rows of their units in the sessions `(num_pairs, 2)`."""
    names = ["probability", "score", *FEATURES]
    columns = {
        "session_a": np.concatenate([np.full(len(own.pairs), a, "int16") for a, _, own in parts] or [[]]),
        "unit_a": np.concatenate([tables[a].unit_ids[own.pairs[:, 0]] for a, _, own in parts] or [[]]),
        "session_b": np.concatenate([np.full(len(own.pairs), b, "int16") for _, b, own in parts] or [[]]),
        "unit_b": np.concatenate([tables[b].unit_ids[own.pairs[:, 1]] for _, b, own in parts] or [[]]),
    }
    for name in names:
        columns[name] = np.concatenate([own.columns[name] for *_, own in parts] or [[]]).astype("float32")
    rows = np.concatenate([own.pairs for *_, own in parts] or [np.zeros((0, 2))])
    return pd.DataFrame(columns).astype({"session_a": "int16", "session_b": "int16"}), rows.astype("int64")


def _unit_table(
    tables: list[UnitFingerprints],
    groups: np.ndarray,
    ends: np.ndarray,
    probabilities: np.ndarray,
    offsets: np.ndarray,
    is_compared: np.ndarray,
) -> pd.DataFrame:
    sessions = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    places = np.concatenate([mean_of_halves(table.location, table.num_embedded) for table in tables])
    # A unit without embeddings has no place, and comes last.
    places = np.nan_to_num(places, nan=1e9)
    shanks = np.concatenate([table.shank for table in tables])
    depths = places[:, 1] - offsets[sessions]
    num_groups = groups.max(initial=-1) + 1
    counts = np.maximum(np.bincount(groups, minlength=num_groups), 1)
    mean_depth = np.bincount(groups, weights=depths, minlength=num_groups) / counts
    first_shank = np.array([shanks[np.flatnonzero(groups == group)[0]] for group in range(num_groups)], dtype=str)
    number = np.zeros(num_groups, dtype="int64")
    number[np.lexsort((mean_depth, first_shank))] = np.arange(num_groups)
    inside = groups[ends[:, 0]] == groups[ends[:, 1]]
    total, pairs = np.zeros(len(groups)), np.zeros(len(groups))
    for side in range(2):
        np.add.at(total, ends[inside, side], probabilities[inside])
    # Units of compared sessions that are too far apart to be a pair have a probability of 0.
    by_group = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups, minlength=num_groups))[:-1])
    for rows in by_group if num_groups else ():
        own = sessions[rows]
        pairs[rows] = is_compared[np.ix_(own, own)].sum(axis=1) - is_compared[own, own]
    return pd.DataFrame(
        {
            "session": sessions,
            "unit": np.concatenate([table.unit_ids for table in tables]),
            "global_unit": number[groups] if num_groups else groups,
            "probability": np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan),
            "displacement_um": offsets[sessions],
        }
    )


def _within(tables: list[UnitFingerprints], shapes: np.ndarray, settings: TrackingSettings) -> pd.DataFrame:
    """Scores of first halves against second halves of units of each session."""
    parts = []
    for session, table in enumerate(tables):
        both = table.chosen(table.num_averaged.min(axis=1) > 0)
        first, second = see(both, shapes, 0), see(both, shapes, 1)
        halves = compare_sessions(first, second, 0.0, settings)
        unit_a, unit_b = (both.unit_ids[side] for side in halves.pairs.T)
        own = {"session": np.full(len(halves.pairs), session, "int16"), "unit_a": unit_a, "unit_b": unit_b}
        own |= {name: halves.columns[name].astype("float32") for name in ("score", "correlogram")}
        parts.append(pd.DataFrame({**own, "is_same": halves.pairs[:, 0] == halves.pairs[:, 1]}))
    return pd.concat(parts, ignore_index=True)
