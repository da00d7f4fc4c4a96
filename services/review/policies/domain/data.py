"""The base of everything that people write as JSON."""

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Refuses unknown fields, NaN and infinities."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
