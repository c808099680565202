"""What every section of a loop's file is."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Strict(BaseModel):
    """A section of the file: unknown fields are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def sections(cls) -> Iterator[type["Strict"]]:
        """Every kind of section that there is."""
        for section in cls.__subclasses__():
            yield section
            yield from section.sections()
