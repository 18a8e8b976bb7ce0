"""Records: batches of replicates in columns, as the ledger keeps them and as tables.

A record is an Arrow record batch without its schema, which the ledger states once: small, quick
to read, the same on every platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mnbayes.studies.study import KINDS

_ARROW = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "str": pa.string()}
#: Integers and truth values that may be missing need pandas' own types; a missing float is NaN.
_PANDAS = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


def _schema(columns: Mapping[str, str]) -> Any:
    fields = [("cell", pa.int32()), ("replicate", pa.int64()), ("failure", pa.string())]
    return pa.schema(fields + [(name, _ARROW[kind]) for name, kind in columns.items()])


def record(
    columns: Mapping[str, type],
    rows: Sequence[tuple[int, int, Mapping[str, Any], str | None]],
) -> bytes:
    """Replicates as bytes.

    Parameters
    ----------
    columns : mapping of str to type
        Of the study.
    rows : sequence of tuple
        Cell, replicate, values by column (none of a failed replicate), and the failure or None.
    """
    schema = _schema({name: KINDS[kind] for name, kind in columns.items()})
    series: list[list[Any]] = [
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[3] for row in rows],
        *([row[2].get(name) for row in rows] for name in columns),
    ]
    arrays = [pa.array(s, field.type) for s, field in zip(series, schema, strict=True)]
    return bytes(pa.RecordBatch.from_arrays(arrays, schema=schema).serialize())


def read_records(columns: Mapping[str, str], payloads: Sequence[bytes | memoryview]) -> Any:
    """An Arrow table of all records.

    Parameters
    ----------
    columns : mapping of str to str
        Kinds by name, as in a ledger's header.

    Raises
    ------
    ValueError
        If a payload is no record of these columns.
    """
    schema = _schema(columns)
    try:
        batches = [pa.ipc.read_record_batch(pa.py_buffer(each), schema) for each in payloads]
        table = pa.Table.from_batches(batches, schema)
        table.validate(full=True)  # offsets and texts as well: what is wrong could crash Arrow
    except (pa.ArrowException, OSError, EOFError) as error:
        raise ValueError(f"no record of these columns ({error})") from error
    return table


def check_places(table: Any, cells: int) -> None:
    """Refuse records of cells that a study does not have.

    Raises
    ------
    ValueError
    """
    if table["cell"].null_count or table["replicate"].null_count:
        raise ValueError("replicates without a number")
    cell, replicate = places(table)
    if ((cell < 0) | (cell >= cells) | (replicate < 0)).any():
        raise ValueError(f"replicates of another cell than 0 to {cells - 1}")


def joined(*tables: Any) -> Any:
    """Tables of records below one another."""
    return pa.concat_tables(tables)


def places(table: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cell and replicate of each row."""
    cell, replicate = (table[name].to_numpy() for name in ("cell", "replicate"))
    return cell.astype(np.int64), replicate


def as_frame(
    table: Any, cells: Sequence[Mapping[str, Any]], counts: Sequence[int] | None = None
) -> pd.DataFrame:
    """A table of replicates for people, in the order of cells and replicates.

    Parameters
    ----------
    table : pyarrow.Table
        From :func:`read_records`.
    cells : sequence of mapping
        Parameters of each cell.
    counts : sequence of int, optional
        Replicates of each cell that are wanted; all where None.
    """
    cell, replicate = places(table)
    order = np.lexsort((replicate, cell))
    if counts is not None:
        order = order[replicate[order] < np.asarray(counts, dtype=np.int64)[cell[order]]]
    chosen = table.take(pa.array(order)).drop_columns(["cell", "replicate"])
    values: pd.DataFrame = chosen.to_pandas(types_mapper=_PANDAS.get)
    named = pd.DataFrame(list(cells)).iloc[cell[order]].reset_index(drop=True)
    named.insert(0, "cell", cell[order])
    named["replicate"] = replicate[order]
    return pd.concat([named, values], axis=1)
