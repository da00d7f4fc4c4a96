"""A prompt with a better and a worse answer, as a person chose them: a row that a data set can be made of."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT = 64 * 1024
MAX_TURNS = 64

Text = Annotated[str, Field(max_length=MAX_TEXT)]


class Turn(BaseModel):
    """One message of the conversation before the answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: Text


class Preference(BaseModel):
    """`owner` is the person who voted; `at` is in Unix seconds."""

    id: str
    owner: str
    at: float
    prompt: list[Turn]
    preferred: str
    rejected: str
    preferred_model: str
    rejected_model: str

    def row(self) -> dict[str, Any]:
        """The row in OpenAI's format for preferences, which an upload reads."""
        return {
            "input": {"messages": [turn.model_dump() for turn in self.prompt]},
            "preferred_output": [{"role": "assistant", "content": self.preferred}],
            "non_preferred_output": [{"role": "assistant", "content": self.rejected}],
        }
