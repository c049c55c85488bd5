"""The Parquet files of a spike dataset."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP = 256
"""Rows that a streaming reader decodes at once, about 1.4 MB."""


def write_shard(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables one after the other into a Parquet file, as `Dataset.to_parquet` writes it.

    The schema carries the features, and content-defined chunks let the hub store only what changed. That method itself
    shows progress bars which a worker cannot turn off without touching global state.

    Args:
        path: file to write; without tables it has columns and no rows.
        tables: rows; all but the last table a multiple of `ROWS_PER_GROUP`, or some groups are smaller.
        schema: of the tables.
    """
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, use_content_defined_chunking=True, write_page_index=True) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
