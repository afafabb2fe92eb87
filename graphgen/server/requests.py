"""The form of what clients send as JSON. The API's description, and an editor's types, are made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True)
Document = Annotated[dict[str, object], Field(description="A workflow, as its file holds it.")]
Values = Annotated[dict[str, Any], Field(description="Values of the workflow's parameters, by name.")]


Identity = Annotated[
    str,
    Field(
        max_length=200,
        description="What the workflow goes by: /api/plan compares it with the last run of the same identity, runs are "
        "listed by it, and a saved workflow's thumbnail is from its last one. "
        "A saved workflow goes by its name if nothing is said.",
    ),
]


class SweepAsked(BaseModel):
    """Run with each combination of values of some parameters."""

    model_config = _CONFIG
    axes: dict[str, list[JsonValue]] = Field(min_length=1, description="The values that each parameter takes.")
    how: Literal["product", "zip"] = "product"


class Submission(BaseModel):
    """A run that is asked for."""

    model_config = _CONFIG
    workflow: Document | Annotated[str, Field(description="The name of a saved workflow.")]
    parameters: Values = Field(default_factory=dict)
    targets: list[str] | None = Field(default=None, description="Nodes to run, with what they need; all if null.")
    force: list[str] | Literal["all"] = Field(default_factory=list, description="Nodes that run again in any case.")
    sweep: SweepAsked | None = None
    identity: Identity = ""
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher ones come first.")
    client: str = Field(default="", max_length=200, description="Whose run it is: clients take turns.")
    previews: bool = Field(default=True, description="Whether nodes show pictures while they work.")


class Checking(BaseModel):
    """A workflow that is to be checked."""

    model_config = _CONFIG
    workflow: Document | str
    parameters: Values = Field(default_factory=dict)
    facts: bool = Field(default=False, description="Tell what is known on each wire before anything runs, too.")


class Planning(BaseModel):
    """A run that somebody thinks of: what would it do?"""

    model_config = _CONFIG
    workflow: Document | str
    parameters: Values = Field(default_factory=dict)
    targets: list[str] | None = Field(default=None, description="Nodes to run, with what they need; all if null.")
    force: list[str] | Literal["all"] = Field(default_factory=list, description="Nodes that run again in any case.")
    identity: Identity = ""


class PinAsked(BaseModel):
    """A node that is to give stored values from now on, instead of running."""

    model_config = _CONFIG
    workflow: Document | Annotated[str, Field(description="The name of a saved workflow.")]
    node: str = Field(max_length=1000, description="Its name; of one inside a subgraph such as 'large/detailed'.")
    run: str | None = Field(
        default=None,
        max_length=100,
        description="Pin it to what it gave in this run; if null, to what is kept of it as the workflow stands.",
    )
    parameters: Values = Field(default_factory=dict)


class Moving(BaseModel):
    """A run that is to come earlier or later."""

    model_config = _CONFIG
    priority: int | None = Field(default=None, ge=-1000, le=1000)
    before: str | None = Field(default=None, description="The run before which it is to come.")


class Renaming(BaseModel):
    """A workflow that gets another name, or comes into another folder."""

    model_config = _CONFIG
    to: str = Field(description="The new name, with the folders it lies in before it: portraits/oil.")


class Labelling(BaseModel):
    """A version of a workflow that is called something."""

    model_config = _CONFIG
    label: str = Field(max_length=100, description="What it is called; empty takes the name away.")
