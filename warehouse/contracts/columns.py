"""The parts of a table's declaration: names and types come in, schemas and breaches go out."""

from dataclasses import dataclass, field

import polars as pl

from warehouse.errors import ContractError

DType = type[pl.DataType]


@dataclass(frozen=True, slots=True)
class Column:
    """One published column; ``references`` names the key that it refers to."""

    name: str
    dtype: DType
    about: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    references: str = ""

    def breach(self) -> pl.Expr:
        """Return true where a non-null value lies outside ``low`` to ``high`` or is not finite."""
        value = pl.col(self.name)
        outside = pl.lit(False)
        if self.low is not None:
            outside = outside | (value < self.low)
        if self.high is not None:
            outside = outside | (value > self.high)
        if self.dtype == pl.Float64:
            outside = outside | value.is_nan() | value.is_infinite()
        return outside.fill_null(False)

    @property
    def bounds(self) -> str:
        """The allowed values in words: ``0 to 1``, ``at least 1`` or nothing."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return "" if self.high is None else f"at most {self.high:g}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table, the key that identifies its rows and how SQLite should lay it out.

    Args:
        rowid: false stores the rows in the key itself, which pays off for short rows.
        indexes: further columns, or groups of columns, by which readers look up rows.
        unique: groups of columns other than the key that never repeat.
    """

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    source: str = ""
    rowid: bool = True
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: tuple[tuple[str, ...], ...] = field(default=())

    @property
    def schema(self) -> dict[str, DType]:
        """Column name to Polars dtype, in published order."""
        return {column.name: column.dtype for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        """Return the column called ``name``."""
        return next(column for column in self.columns if column.name == name)

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` unchanged, or raise with every breach at once.

        Raises:
            ContractError: wrong columns, dtypes, nulls, ranges or a repeated key.
        """
        breaches = self._shape_breaches(frame) or self._value_breaches(frame)
        if breaches:
            raise ContractError(f"{self.name}: " + "; ".join(breaches))
        return frame

    def _shape_breaches(self, frame: pl.DataFrame) -> list[str]:
        if [*frame.schema.items()] == [*pl.Schema(self.schema).items()]:
            return []
        return [f"expected {self.schema}, got {dict(frame.schema)}"]

    def _value_breaches(self, frame: pl.DataFrame) -> list[str]:
        counts = frame.select(
            *(pl.col(c.name).null_count().alias(f"{c.name} nulls") for c in self.columns),
            *(c.breach().sum().alias(f"{c.name} outside") for c in self.columns),
        ).row(0, named=True)
        breaches = []
        for column in self.columns:
            nulls, outside = counts[f"{column.name} nulls"], counts[f"{column.name} outside"]
            if nulls and not column.nullable:
                breaches.append(f"{column.name} has {nulls} nulls")
            if outside:
                breaches.append(f"{column.name} has {outside} values that are not {column.bounds}")
        for key in (self.key, *self.unique):
            repeated = frame.height - frame.select(key).n_unique()
            if repeated:
                breaches.append(f"key {key} repeats in {repeated} rows")
        return breaches


def share(name: str, about: str) -> Column:
    """Declare one of the audio features that run from 0 to 1."""
    return Column(name, pl.Float64, about, "0 to 1", nullable=True, low=0, high=1)


def place(name: str, about: str) -> Column:
    """Declare a coordinate on the map of the catalogue."""
    return Column(name, pl.Float64, about, "0 to 1", low=0, high=1)


SONG_ID = "The catalogue's own id, a Spotify track id if it has one; the same in every build."


@dataclass(frozen=True, slots=True)
class View:
    """One published view; its SQL lies in ``warehouse/sql/views/<name>.sql``."""

    name: str
    about: str
    columns: tuple[Column, ...]
