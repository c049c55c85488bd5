"""UnitMatch (van Beest et al., Nature Methods 22, 2025), the Python package UnitMatchPy, at its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..mean_waveforms import half_waveforms
from ..method_interface import tracked_from_matrices

if TYPE_CHECKING:
    from ..method_interface import Session, Tracked

PACKAGE = "unitmatchpy"

SAMPLES_BEFORE, SAMPLES_AFTER = 40, 42
"""Its own extraction of waveforms has 82 samples with the trough at the 40th, which its defaults rest on."""


def track(sessions: list[Session], folder: Path, model: str) -> Tracked:
    """The steps of its example: properties of waveforms, scores, drift correction, naive Bayes, unique numbers.

    Two units match if their probability is above 0.5 whichever half of each is compared; the probability is the mean
    of both. The global number is that of its `intermediate` rule.
    """
    import UnitMatchPy.assign_unique_id as unique
    import UnitMatchPy.bayes_functions as bayes
    import UnitMatchPy.overlord as overlord
    import UnitMatchPy.utils as utils
    from UnitMatchPy.default_params import get_default_param

    unit_ids = [list(session.sorting.unit_ids) for session in sessions]
    waveforms = np.concatenate([half_waveforms(session, SAMPLES_BEFORE, SAMPLES_AFTER) for session in sessions])
    # Three coordinates, the first the same for all, as its own reader makes them.
    positions = [
        np.insert(session.recording.get_channel_locations(), 0, np.ones(session.recording.get_num_channels()), axis=1)
        for session in sessions
    ]
    counts = np.array([len(ids) for ids in unit_ids])
    parameters = utils.get_probe_geometry(positions[0][:, 1:], get_default_param())
    parameters["n_units"], session_id, session_switch, parameters["n_sessions"] = utils.get_session_data(counts)
    parameters["n_channels"] = waveforms.shape[2]
    parameters["n_units_per_session"] = counts
    within_session = utils.get_within_session(session_id, parameters)
    units = {
        "session_switch": session_switch,
        "session_id": session_id,
        "original_ids": np.concatenate(unit_ids)[:, None],
    }
    properties = overlord.extract_parameters(waveforms, positions, units, parameters)
    total_score, candidates, scores, predictors = overlord.extract_metric_scores(
        properties, session_switch, within_session, parameters, niter=2
    )
    expected = parameters["n_expected_matches"] / parameters["n_units"] ** 2
    labels = candidates.astype(int)
    kinds = np.unique(labels)
    kernels = bayes.get_parameter_kernels(scores, labels, kinds, parameters, add_one=1)
    probability = bayes.apply_naive_bayes(kernels, np.array([1 - expected, expected]), predictors, parameters, kinds)
    matrix = probability[:, 1].reshape(parameters["n_units"], parameters["n_units"])
    _, intermediate, _, _ = unique.assign_unique_id(matrix, parameters, units)
    both = matrix > parameters["match_threshold"]
    mean = (matrix + matrix.T) / 2
    # Many probabilities are 0 or 1 exactly; its total score, between 0 and 1, puts those in order.
    order = mean + 1e-6 * (total_score + total_score.T) / 2
    return tracked_from_matrices(unit_ids, order, both & both.T, intermediate, mean)
