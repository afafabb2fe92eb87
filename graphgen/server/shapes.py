"""The form of what clients get as JSON. The API's description, and an editor's types, are made of these."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from graphgen.explain import Kind
from graphgen.plan import State
from graphgen.server.needs import NeedKind
from graphgen.server.records import Status


class ProblemView(TypedDict):
    """One thing that is wrong: where, what is there, what is allowed, and the cure.

    `parts` are what the message says beside that, by name, for who says it in another language.
    """

    code: str
    place: str
    message: str
    value: NotRequired[object]
    allowed: NotRequired[str]
    cure: NotRequired[str]
    parts: NotRequired[dict[str, object]]


class ProblemDocument(TypedDict):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    problems: NotRequired[list[ProblemView]]
    moved_to: NotRequired[Annotated[str, Field(description="What a workflow of the name asked for is called now.")]]


class Note(TypedDict):
    """What a node says about itself."""

    place: str
    message: str


class ParameterView(TypedDict):
    """A parameter of a workflow: its value as it stands, and the JSON Schema of what it may be."""

    name: str
    description: str
    value: object
    type: str
    schema: dict[str, object]


class Checked(TypedDict):
    """What a check found."""

    ok: bool
    nodes: int | None
    problems: list[ProblemView]
    notes: NotRequired[list[Note]]
    parameters: NotRequired[list[ParameterView]]
    facts: NotRequired[dict[str, object] | None]


class ReasonView(TypedDict):
    """Why a node would run: of what kind, in words, and the setting or node it is about, null where it is neither.

    `parts` are what the words say beside that, by name, for who says it in another language.
    """

    kind: Kind
    words: str
    about: str | None
    parts: dict[str, object]


class PlannedNode(TypedDict):
    """What would happen to a node, why, and about how many seconds it would take, null where that is not known.

    `digests` name what is kept of it, by output: /api/values has it, and its pictures.
    """

    node: str
    state: State
    because: list[ReasonView]
    seconds: float | None
    digests: dict[str, str]


class Planned(TypedDict):
    """What a run would do. `nodes` are those that the targets need, in order; `left_out` says why others cannot run.

    `seconds` counts what runs but for the `unknown` nodes; `compared` is when the run ended that it is compared with.
    Where there are `problems`, it could not run, and what is told is of all nodes that are in order.
    """

    nodes: list[PlannedNode]
    left_out: dict[str, str]
    to_run: int
    cached: int
    seconds: float
    unknown: list[str]
    peak_bytes: int | None
    compared: float | None
    problems: list[ProblemView]


class Pinned(TypedDict):
    """What makes a node a pinned one: at `place` in the document, its `mode` becomes "pin", and `pinned` this.

    `summaries` say in a few words what the values are.
    """

    node: str
    place: list[str]
    pinned: dict[str, str]
    summaries: dict[str, str]


class ValueView(TypedDict):
    """A value that is kept: its socket type, itself in a few words, its bytes, and how many pictures it has."""

    digest: str
    type: str
    summary: str
    size: int
    pictures: int


class ValuesOfRun(TypedDict):
    """The digests of what the nodes of a run gave, by node and output."""

    values: dict[str, dict[str, str]]


class OutputView(TypedDict):
    """An output of a workflow: its value in a few words, and the digest that identifies it."""

    summary: str
    digest: str


class FileView(TypedDict):
    """A file that a run wrote, or found in place."""

    name: str
    node: str
    digest: str
    media_type: str
    size: int
    url: str
    thumbnail: str | None


class FailureView(TypedDict):
    """A node that failed; an empty `node` means the run as a whole."""

    node: str
    type: str
    message: str
    inputs: NotRequired[str]


class VariationView(TypedDict):
    """What one combination of a sweep's values gave."""

    variation: int
    parameters: dict[str, object]
    status: Status
    outputs: dict[str, OutputView]
    blocked: dict[str, str]
    failures: list[FailureView]
    files: list[FileView]


class RunView(TypedDict):
    """A run: what was asked for, how it stands, and what it gave. Times are in seconds since 1970."""

    id: str
    number: int
    status: Status
    name: str
    saved: str | None
    identity: str
    priority: int
    client: str
    attempts: int
    created: float
    started: float | None
    ended: float | None
    parameters: dict[str, object]
    targets: list[str] | None
    sweep: dict[str, object] | None
    seconds: float | None
    ran: int
    cached: int
    skipped: int
    outputs: dict[str, OutputView]
    blocked: dict[str, str]
    files: list[FileView]
    failures: list[FailureView]
    problems: list[ProblemView]
    variations: list[VariationView]


class RunsPage(TypedDict):
    """Some runs, the latest first; `next` is the `before` of the page after it, null on the last."""

    runs: list[RunView]
    next: int | None


class QueueView(TypedDict):
    """The runs at work, and those that wait, in the order in which they will come."""

    running: list[str]
    waiting: list[str]


class EventsPage(TypedDict):
    """Events that are written down, each with its `id`, `run`, `time`, and the `event`'s name and parts."""

    events: list[dict[str, object]]


class Health(TypedDict):
    """That the server is there."""

    status: Literal["ok"]


class MissingView(TypedDict):
    """Something that a workflow names and that is not on this machine: a file, as its setting has it, or a node."""

    kind: NeedKind
    name: str


class WorkflowView(TypedDict):
    """A saved workflow: its name, and what it says of itself. `etag` identifies this version.

    `thumbnail` shows what its latest run gave, or what an example usually gives. `runs_here` tells whether all models,
    pictures and kinds of nodes that it names are on this machine, `missing` which are not; whether it is in order is
    told by /api/check alone. A `damaged` file holds no nodes, or no JSON at all.
    """

    name: str
    title: str
    description: str
    own: bool
    changed: float
    etag: str
    thumbnail: str | None
    outputs: list[str]
    parameters: list[str]
    damaged: bool
    runs_here: bool
    missing: list[MissingView]


class BundleView(TypedDict):
    """The workflow of a bundle, which reads the pictures that came with it, and what is not on this machine."""

    workflow: dict[str, object]
    missing: list[MissingView]


class WorkflowsList(TypedDict):
    """The saved workflows."""

    workflows: list[WorkflowView]


class DeletedView(TypedDict):
    """A workflow that was deleted: what it was called, and the latest version that is kept of it."""

    name: str
    title: str
    version: int
    saved: float


class DeletedList(TypedDict):
    """The deleted workflows that can be restored."""

    workflows: list[DeletedView]


class VersionView(TypedDict):
    """A version of a workflow: what somebody called it, empty if nothing, and whether it was run.

    Those that were saved by themselves (`automatic`) become fewer with time, unless they were run or have a name.
    """

    version: int
    saved: float
    etag: str
    label: str
    automatic: bool
    ran: bool


class VersionsList(TypedDict):
    """The versions of a workflow, the latest first."""

    versions: list[VersionView]


class Saved(TypedDict):
    """What identifies the version that was saved."""

    name: str
    etag: str


class UploadView(TypedDict):
    """A file that was taken in; `name` is what a node's setting is given to read it from the inputs."""

    name: str
    digest: str
    media_type: str
    size: int
    url: str
    thumbnail: str | None


class InputView(TypedDict):
    """A file of the inputs root, or one that comes along; `name` is what a setting is given.

    `version` changes when the file does; it is in the addresses, so that what they give can be kept.
    """

    name: str
    size: int
    changed: float
    media_type: str
    shipped: bool
    version: str
    url: str
    thumbnail: str | None


class InputsPage(TypedDict):
    """Some files, and all folders; `total` counts the files asked for, `next` is the next page's offset, if any."""

    files: list[InputView]
    folders: list[str]
    total: int
    next: int | None


class Carried(TypedDict):
    """The workflow that a file carries, and the values that its parameters had."""

    workflow: dict[str, object]
    parameters: dict[str, object]


class ModelView(TypedDict):
    """A model, from the models root or one that comes along.

    `about` is what plugins tell of it: its `parts`, which are compared with those that a `file` widget names, and its
    `family`. Where it is empty, `problem` says why nothing is known.
    """

    name: str
    size: int
    shipped: bool
    about: dict[str, object]
    problem: str | None


class ModelsList(TypedDict):
    """What lies in the models root."""

    models: list[ModelView]


class System(TypedDict):
    """What the server is, and how it is."""

    graphgen: str
    python: str
    uptime: float
    device: dict[str, str]
    plugins: list[str]
    broken: list[dict[str, str]]
    cache: dict[str, int]
    free: dict[str, int | None]
    runs: dict[str, int]
    watchers: int
