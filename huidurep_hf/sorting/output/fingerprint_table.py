"""What is kept of the units of a session, so that they can be found again in another one."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from ...output_path import check_writable

FINGERPRINTS_FILE = "fingerprints.parquet"
_METADATA_KEY = b"huidurep_fingerprints"
# Columns of single numbers, and those whose small type is enough in the file.
_SCALARS = ("unit_ids", "shank", "rate_hz")
_HALF_PRECISION = ("template", "template_error", "embedding_covariance", "correlogram")


@dataclass(frozen=True)
class UnitFingerprints:
    """Units of one session: what each looks like to the encoder and on the probe, in each half of its spikes.

    The halves of a unit are the first and the last half of its spikes. How much they differ is the yardstick for how
    much a unit differs between sessions. In arrays `(num_units, 2, ...)` the second axis is the half; values of a half
    without spikes are NaN.

    Attributes:
        unit_ids: `(num_units,)` as in the sorting.
        shank: `(num_units,)` str, the recording's name of the group of channels.
        num_spikes: `(num_units, 2)` spikes of the session.
        rate_hz: `(num_units,)`.
        num_embedded: `(num_units, 2)` spikes of which embeddings are averaged.
        embedding: `(num_units, 2, embedding_size)` mean.
        embedding_covariance: `(num_units, embedding_size, embedding_size)` of single spikes.
        location: `(num_units, 2, 2)` median of where the encoder places the neuron, µm.
        location_spread: `(num_units, 2)` SD of single spikes across and along the probe, µm.
        num_averaged: `(num_units, 2)` spikes of which the template is the mean.
        template: `(num_units, 2, num_samples, num_channels)` SDs of the noise, on the channels nearest to the unit.
        template_error: `(num_units, 2, num_channels)` standard error of the template's samples, SDs of the noise.
        positions: `(num_units, num_channels, 2)` of these channels, µm.
        noise_levels: `(num_units, num_channels)` in the unit of the traces; 0 for padding.
        correlogram: `(num_units, 2, num_lags)` spikes at each lag after a spike, of so many spikes as were counted;
            bins of `lag_ms`.
        contacts: `(num_contacts, 2)` of the whole recording, µm.
        contact_shanks: `(num_contacts,)` str.
        description: `template_rate_hz`, `peak_sample` of the templates, `lag_ms`, `duration_s`, `unit` of the traces
            ("uV" or "raw") and `model`, what embedded the spikes.
    """

    unit_ids: np.ndarray
    shank: np.ndarray
    num_spikes: np.ndarray
    rate_hz: np.ndarray
    num_embedded: np.ndarray
    embedding: np.ndarray
    embedding_covariance: np.ndarray
    location: np.ndarray
    location_spread: np.ndarray
    num_averaged: np.ndarray
    template: np.ndarray
    template_error: np.ndarray
    positions: np.ndarray
    noise_levels: np.ndarray
    correlogram: np.ndarray
    contacts: np.ndarray
    contact_shanks: np.ndarray
    description: dict

    def __len__(self) -> int:
        return len(self.unit_ids)

    def chosen(self, units: np.ndarray) -> UnitFingerprints:
        """Some of the units, by index or by `(num_units,)` bool."""
        return replace(self, **{name: getattr(self, name)[units] for name in _UNIT_ARRAYS})

    def renumbered(self, unit_ids: np.ndarray) -> UnitFingerprints:
        """The same units under other names `(num_units,)`."""
        return replace(self, unit_ids=np.asarray(unit_ids))

    @staticmethod
    def concatenate(tables: list[UnitFingerprints]) -> UnitFingerprints:
        """Units of several tables of one recording, one after the other."""
        return replace(
            tables[0], **{name: np.concatenate([getattr(table, name) for table in tables]) for name in _UNIT_ARRAYS}
        )

    def save(self, path: str | Path) -> Path:
        """Write one Parquet file, a row a unit; it appears when it is complete.

        Raises:
            OSError: the file cannot be made.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(path)
        check_writable(path)
        columns, shapes = {}, {}
        for name in _UNIT_ARRAYS:
            values = getattr(self, name)
            if name in _SCALARS:
                columns[name] = pa.array(values.tolist())
                continue
            shapes[name] = [list(values.shape[1:]), str(values.dtype)]
            values = values.astype("float16") if name in _HALF_PRECISION else values
            size = int(np.prod(values.shape[1:]))
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), size)
        kept = {
            "shapes": shapes,
            "contacts": self.contacts.tolist(),
            "contact_shanks": self.contact_shanks.tolist(),
            "description": self.description,
        }
        table = pa.table(columns).replace_schema_metadata({_METADATA_KEY: json.dumps(kept).encode()})
        partial = path.with_name(path.name + ".partial")
        try:
            pq.write_table(table, partial, compression="zstd")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: str | Path) -> UnitFingerprints:
        """Read what [`save`] wrote.

        Args:
            path: of the file, or of the folder of a result that holds it.

        Raises:
            FileNotFoundError: no such file.
            ValueError: another file, or one of a version whose columns are others.
        OSError: a damaged file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(path)
        if path.is_dir():
            if not (path / FINGERPRINTS_FILE).is_file():
                raise FileNotFoundError(
                    f"{path} has no {FINGERPRINTS_FILE}: no result, or one of an earlier version; sort the recording"
                    " again, or give the file that unit_fingerprints(recording, sorting).save(FILE) writes."
                )
            path = path / FINGERPRINTS_FILE
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; give the folder of a result, or a file of fingerprints.")
        try:
            table = pq.read_table(path)
            kept = json.loads(table.schema.metadata[_METADATA_KEY])
        except (pa.ArrowInvalid, KeyError, TypeError):
            raise ValueError(f"{path} is no file of fingerprints; give one that huidurep has written.") from None
        except OSError as error:
            raise OSError(
                f"{path} is damaged ({error}); sort the recording again, or take a copy of the file."
            ) from None
        missing = [name for name in _UNIT_ARRAYS if name not in table.column_names]
        if missing:
            raise ValueError(
                f"{path} has no column {missing[0]!r}: another version has written it; sort the recording again."
            )
        arrays = {}
        for name in _UNIT_ARRAYS:
            column = table[name].combine_chunks()
            if name in _SCALARS:
                arrays[name] = np.array(column.to_pylist(), dtype=_empty_type(name) if len(table) == 0 else None)
                continue
            shape, dtype = kept["shapes"][name]
            arrays[name] = column.values.to_numpy(zero_copy_only=False).astype(dtype).reshape(len(table), *shape)
        return cls(
            **arrays,
            contacts=np.array(kept["contacts"], dtype="float64").reshape(-1, 2),
            contact_shanks=np.array(kept["contact_shanks"], dtype=str),
            description=kept["description"],
        )


_UNIT_ARRAYS = tuple(
    one.name for one in fields(UnitFingerprints) if one.name not in ("contacts", "contact_shanks", "description")
)


def _empty_type(name: str) -> type:
    return {"unit_ids": np.int64, "shank": str, "rate_hz": float}[name]


def mean_of_halves(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of both halves by their numbers of spikes, `(num_units, ...)`; NaN without spikes.

    Args:
        values: `(num_units, 2, ...)`, NaN where a half has no spikes.
        counts: `(num_units, 2)`.
    """
    weights = counts.reshape(counts.shape + (1,) * (values.ndim - 2)).astype("float64")
    total = weights.sum(axis=1)
    return np.where(total > 0, np.nansum(weights * values, axis=1) / np.maximum(total, 1), np.nan)
