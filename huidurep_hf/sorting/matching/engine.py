"""Template matching, block by block: every spike of known units, also where two overlap."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from ...progress import ProgressBar
from ...recording.blocks import Block, read_with_margin, rows_in_block, split_into_blocks
from ...recording.preprocessing.preparation import PreparedRecording
from ...workers import Workers
from ..parameters import SortingParameters
from ..spikes import Spikes, in_order
from ..templates.unit_templates import UnitTemplates
from .decimation import decimation_step, reach_of_filters
from .pursuit import BIN, judge, pursue, subtract_known
from .template_bank import TemplateBank, build_bank

# Banks of so many states of the drift are kept at a time; blocks are matched state by state.
MAX_BANKS = 4


@dataclass(frozen=True)
class Span:
    """A part of a block in which the tissue was in one state.

    Attributes:
        block: segment and samples of the part.
        state: index of the state.
    """

    block: Block
    state: int


class Matcher:
    """Matches templates with whitened traces.

    Args:
        recorded: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], not corrected for
            motion.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        unit_of_template: `(num_templates,)` templates of one unit count together in the probability of a spike; each
            is a unit of its own if left out.
        bursting: templates of which weakened spikes are looked for as well.
    """

    def __init__(
        self,
        recorded: PreparedRecording,
        templates: UnitTemplates,
        parameters: SortingParameters,
        *,
        unit_of_template: np.ndarray | None = None,
        bursting: np.ndarray | None = None,
    ):
        self.recorded, self.templates, self.parameters = recorded, templates, parameters
        self.unit_of_template = np.arange(len(templates)) if unit_of_template is None else unit_of_template
        self.bursting = np.zeros(0, dtype="int64") if bursting is None else bursting
        self._banks: OrderedDict[int, tuple[np.ndarray, TemplateBank]] = OrderedDict()
        self._lock = threading.Lock()

    def match(
        self,
        blocks: list[Block] | None = None,
        workers: Workers | None = None,
        name: str = "match",
        progress: bool = False,
        add: Callable[[Spikes, Span], Spikes] | None = None,
    ) -> Spikes:
        """Find the spikes in some blocks, or in the whole recording.

        Args:
            blocks: where to look; everywhere if left out.
            workers: who share them.
            name: of the pass.
            progress: show a progress bar.
            add: gives the spikes of a span with more columns, while its traces are at hand.

        Returns:
            [`~huidurep_hf.sorting.spikes.Spikes`] in order, with `segment_index`, `sample_index`, `unit_index` (the
            template), `channel_index` (its peak channel at rest), `gain` (noise variances), `probability` and
            `is_weakened`.
        """
        blocks = split_into_blocks(self.recorded.recording) if blocks is None else blocks
        spans = self.split_by_state(blocks)
        spans = sorted(spans, key=lambda span: span.state)
        found = (workers or Workers()).run(name, partial(self._columns_of_span, add=add), spans)
        found = ProgressBar(found, total=len(spans), desc=name, unit="s", disable=not progress)
        # Without spans there are columns, too.
        nothing = self._no_spikes() if add is None else add(self._no_spikes(), Span(Block(0, 0, 0), 0))
        return in_order(Spikes.concatenate(chain([nothing], (Spikes(**columns) for columns in found))).columns)

    def _columns_of_span(self, span: Span, add: Callable[[Spikes, Span], Spikes] | None) -> dict[str, np.ndarray]:
        spikes = self.match_span(span)
        return (spikes if add is None else add(spikes, span)).columns

    def __getstate__(self) -> dict:
        # Another process makes its own banks.
        return {name: value for name, value in vars(self).items() if name not in ("_banks", "_lock")}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self._banks, self._lock = OrderedDict(), threading.Lock()

    def split_by_state(self, blocks: list[Block]) -> list[Span]:
        """Cut blocks where the tissue goes from one state into another."""
        states = self.templates.states
        spans = []
        for block in blocks:
            starts = states.starts[block.segment]
            inside = starts[(starts > block.start) & (starts < block.stop)]
            edges = [block.start, *inside.tolist(), block.stop]
            for start, stop in zip(edges[:-1], edges[1:]):
                state = int(states.at(np.array([block.segment]), np.array([start]))[0])
                spans.append(Span(Block(block.segment, start, stop), state))
        return spans

    def match_span(self, span: Span) -> Spikes:
        """Find the spikes of one span; those found in its margins belong to its neighbours."""
        members, bank = self._bank(span.state)
        if len(members) == 0:
            return self._no_spikes()
        settings, rate = self.parameters.matching, self.recorded.recording.get_sampling_frequency()
        bursts = self.parameters.bursts
        gains, first = self._gains(span.block, bank)
        refractory = max(round(settings.dead_time_ms * 1e-3 * rate), 1)
        row_arrays = bank.source, bank.factor, bank.near, bank.slot, bank.overlaps
        weights = self._weights(span.block.segment, first, gains.shape[1], members, span.state)
        num_templates = len(bank.norms)
        with_weakened = bank.with_weakened(gains) if len(bank.source) > num_templates else None
        # Rows of weakened spikes come last: without them the arrays are those of the templates alone.
        alone = tuple(each[:num_templates] for each in row_arrays[:-1])
        near = np.where(alone[2] < num_templates, alone[2], -1)
        near, slot = _without_gaps(near, alone[3])
        alone = alone[0], alone[1], near, slot, bank.overlaps
        times, rows, shifts, found = pursue(gains, *alone, weights, np.float32(settings.min_gain), refractory)
        probabilities = self._judge(gains, bank, alone, weights, members, times, rows, shifts)
        spikes = self._table(span, first + times, members[rows], found, probabilities, False)
        if with_weakened is None:
            return _inside(spikes, span.block)
        least = np.float32(bursts.min_gain_in_burst)
        again = pursue(with_weakened, *row_arrays, weights[bank.source], least, refractory)
        is_weak = again[1] >= num_templates
        weak_rows = bank.source[again[1][is_weak]]
        # They are judged against noise alone.
        excess = again[3][is_weak] - bursts.min_gain_in_burst
        likely = 1 / (1 + np.exp(-0.5 * self.parameters.probability.likelihood_weight * excess))
        weakened = self._table(span, first + again[0][is_weak], members[weak_rows], again[3][is_weak], likely, True)
        max_gap = round(bursts.min_gap_to_others_ms * 1e-3 * rate)
        apart = _is_apart(weakened["sample_index"], weak_rows, spikes["sample_index"], rows, near, max_gap)
        return _inside(Spikes.concatenate([spikes, weakened[apart]]), span.block)

    def judge_known(self, spikes: Spikes, workers: Workers | None = None) -> np.ndarray:
        """Probability of spikes that were found by other means, `(num_spikes,)` float32.

        Args:
            spikes: in order, with `unit_index` (the template).
            workers: who share the blocks.
        """

        spans = self.split_by_state(split_into_blocks(self.recorded.recording))

        def judge_span(span: Span) -> tuple[np.ndarray, np.ndarray]:
            block = span.block
            members, bank = self._bank(span.state)
            rows = rows_in_block(spikes["segment_index"], spikes["sample_index"], block, self._margin)
            own = np.arange(rows.start, rows.stop)
            row_of = np.full(len(self.templates), -1)
            row_of[members] = np.arange(len(members))
            own = own[row_of[spikes["unit_index"][own]] >= 0]
            if len(own) == 0:
                return own, np.zeros(0, dtype="float32")
            gains, first = self._gains(block, bank)
            times, rows = spikes["sample_index"][own] - first, row_of[spikes["unit_index"][own]]
            is_inside = (times >= 0) & (times < gains.shape[1])
            own, times, rows = own[is_inside], times[is_inside], rows[is_inside]
            arrays = bank.source, bank.factor, bank.near, bank.slot, bank.overlaps
            shifts = subtract_known(gains, *arrays, times, rows)
            weights = self._weights(block.segment, first, gains.shape[1], members, span.state)
            probabilities = self._judge(gains, bank, arrays, weights, members, times, rows, shifts)
            samples = spikes["sample_index"][own]
            is_own = (samples >= block.start) & (samples < block.stop)
            return own[is_own], probabilities[is_own]

        probabilities = np.zeros(len(spikes), dtype="float32")
        for own, judged in (workers or Workers()).map(judge_span, spans):
            probabilities[own] = judged
        return probabilities

    @property
    def _margin(self) -> int:
        rate = self.recorded.recording.get_sampling_frequency()
        return round(self.parameters.matching.matching_margin_ms * 1e-3 * rate)

    def _gains(self, block: Block, bank: TemplateBank) -> tuple[np.ndarray, int]:
        """Gains at each spike time around a block, and the time in its segment that the first is of."""
        margin = self._margin + bank.step - 1 + reach_of_filters(bank.step)
        traces, start = read_with_margin(self.recorded.recording, block, margin)
        # Beyond the ends of the segment there is nothing.
        missing = margin - (block.start - start), margin - (start + len(traces) - block.stop)
        if any(missing):
            traces = np.pad(traces, (missing, (0, 0)))
        # The samples that stand for others are the same ones, wherever a block begins.
        first = block.start - margin
        skipped = -first % bank.step
        gains = np.ascontiguousarray(bank.objective(traces[skipped:]))
        return gains, first + skipped + self.templates.num_before

    def _bank(self, state: int) -> tuple[np.ndarray, TemplateBank]:
        """Templates that are in sight in a state, and their bank."""
        with self._lock:
            if state not in self._banks:
                waveforms = self.templates.waveforms_of(state)
                settings = self.parameters.matching
                members = np.flatnonzero(np.linalg.norm(waveforms, axis=(1, 2)) > settings.min_norm)
                weakened = np.flatnonzero(np.isin(members, self.bursting))
                rate = self.recorded.recording.get_sampling_frequency()
                highest_hz = self.parameters.preprocessing.highest_freq_hz(rate)
                step = decimation_step(rate, highest_hz, settings.min_samples_per_period)
                bank = build_bank(waveforms[members], settings, weakened, self.parameters.bursts.weakened, step)
                self._banks[state] = members, bank
                while len(self._banks) > MAX_BANKS:
                    self._banks.popitem(last=False)
            self._banks.move_to_end(state)
            return self._banks[state]

    def _weights(self, segment: int, first: int, num_times: int, members: np.ndarray, state: int) -> np.ndarray:
        """Usual variance of the noise over that of the time, along each template: `(num_members, num_bins)` float32."""
        noise, num_bins = self.recorded.noise_over_time, -(-num_times // BIN)
        if noise is None or noise.is_steady:
            return np.ones((len(members), num_bins), dtype="float32")
        variances = np.square(noise.at(segment, np.maximum(first + BIN * np.arange(num_bins), 0)))
        energies = np.square(self.templates.waveforms_of(state)[members]).sum(axis=1)
        shares = energies / np.maximum(energies.sum(axis=1, keepdims=True), 1e-12)
        return (1 / (shares @ variances.T)).astype("float32")

    def _judge(
        self,
        gains: np.ndarray,
        bank: TemplateBank,
        arrays: tuple[np.ndarray, ...],
        weights: np.ndarray,
        members: np.ndarray,
        times: np.ndarray,
        rows: np.ndarray,
        shifts: np.ndarray,
    ) -> np.ndarray:
        settings, rate = self.parameters.probability, self.recorded.recording.get_sampling_frequency()
        source, _, near, slot, overlaps = arrays
        return judge(
            gains,
            source,
            near,
            slot,
            overlaps,
            bank.norms,
            weights,
            self.unit_of_template[members],
            times,
            rows,
            shifts,
            max(round(settings.reach_ms * 1e-3 * rate), 1),
            settings.scale_low,
            settings.scale_high,
            self.parameters.matching.min_gain,
            settings.likelihood_weight,
        )

    def _table(
        self,
        span: Span,
        samples: np.ndarray,
        units: np.ndarray,
        gains: np.ndarray,
        probabilities: np.ndarray,
        is_weakened: bool,
    ) -> Spikes:
        return Spikes(
            segment_index=np.full(len(samples), span.block.segment, dtype="int32"),
            sample_index=samples.astype("int64"),
            channel_index=self.templates.channels[units].astype("int32"),
            unit_index=units.astype("int32"),
            gain=gains.astype("float32"),
            probability=probabilities.astype("float32"),
            is_weakened=np.full(len(samples), is_weakened),
        )

    def _no_spikes(self) -> Spikes:
        nothing = np.zeros(0, dtype="int64")
        return self._table(Span(Block(0, 0, 0), 0), nothing, nothing, nothing, nothing, False)


def _inside(spikes: Spikes, block: Block) -> Spikes:
    return spikes[(spikes["sample_index"] >= block.start) & (spikes["sample_index"] < block.stop)]


def _without_gaps(near: np.ndarray, slot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the padding of each row to its end."""
    order = np.argsort(near < 0, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(slot, order, axis=1)


def _is_apart(
    samples: np.ndarray,
    rows: np.ndarray,
    other_samples: np.ndarray,
    other_rows: np.ndarray,
    near: np.ndarray,
    max_gap: int,
) -> np.ndarray:
    """Find the spikes that have none of the others within a number of samples, of any row that shares channels."""
    order = np.argsort(other_samples, kind="stable")
    times, others = other_samples[order], other_rows[order]
    starts = np.searchsorted(times, samples - max_gap, side="left")
    stops = np.searchsorted(times, samples + max_gap, side="right")
    return np.array(
        [not np.isin(others[start:stop], near[row]).any() for row, start, stop in zip(rows, starts, stops)], dtype=bool
    )
