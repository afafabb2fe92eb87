"""One object that joins the stages: workflow -> graph -> plan -> scheduler. Everyone else uses this and nothing below.

    with Engine() as engine:
        report = engine.run("workflows/text_to_image.json", {"prompt": "a blue heart"})
        report.outputs["picture"]

`graphgen.run` and `graphgen.run_async` are the short ways for one run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import TypeAlias

from graphgen.cache import Cache, StoredValue
from graphgen.commons import Commons
from graphgen.config import Config
from graphgen.control import Control
from graphgen.crew import Crew, choose_devices, make_lanes
from graphgen.effects import check_folder, write_files
from graphgen.errors import Cancelled, Problem, RunFailed, WorkflowError
from graphgen.estimates import Costs, Estimate, ranks
from graphgen.events import Event
from graphgen.explain import Explanation, explain, read_record, recorded_at, rename_record, write_record
from graphgen.filedigests import FileDigests
from graphgen.files import Files
from graphgen.forcing import Force
from graphgen.graph import Graph, build_body, build_graph
from graphgen.heap import growing
from graphgen.jsontypes import JSON
from graphgen.lanes import Lanes
from graphgen.ledger import Ledger
from graphgen.outputs import Outputs
from graphgen.parameters import apply_parameters
from graphgen.partial import CachedPartials
from graphgen.plan import Plan, find_missing_inside, make_plan
from graphgen.plugins import find_plugins
from graphgen.provenance import TEXT_KEY, VIEW_KEY, Archive, Chronicle, read_view
from graphgen.registry import Registry, build_registry
from graphgen.report import Report, finished, report_of, started
from graphgen.scheduler import Execution
from graphgen.widgets import RootName
from graphgen.workflow import FormError, Workflow, from_json, parse, read_workflow

Source: TypeAlias = str | Path | Workflow | Mapping[str, JSON]
"""A workflow, a file that holds one (JSON, or a picture that graphgen made), or its parsed JSON."""


class Engine:
    """The registry, cache, lanes and weights of one process. Close it, or use it in a `with` block.

    `lasting` tells that it will carry out many runs, as a server does: nodes then run in worker processes, unless the
    configuration says otherwise. These find plugins by themselves, so `registry` must be of installed ones.
    """

    def __init__(
        self,
        config: Config | None = None,
        registry: Registry | None = None,
        *,
        use_cache: bool = True,
        lasting: bool = False,
    ) -> None:
        self.config = config or Config.load()
        self.registry = registry or build_registry(find_plugins(self.config.disabled_plugins))
        self.use_cache = use_cache
        self.lasting = lasting
        directory = self.config.roots.cache if use_cache else None
        self.cache = Cache(self.registry.codec, directory, self.config.memory_bytes, self.config.disk_bytes)
        self.devices = choose_devices(self.config, self.registry)
        self.device = self.devices[0]
        self._shipped = {(item.root, item.name): item.path for item in self.registry.shipped}
        self._lanes: Lanes | None = None
        self._lock = Lock()
        self._pace: dict[str, float] = {}
        self._commons = Commons()
        ledger = Ledger(directory)
        self._archive = Archive(ledger, FileDigests(ledger), self.registry.environment, self._name_of)
        self._costs = Costs(ledger)
        self._loaded: set[str] = set()
        """Weights that runs of this engine have loaded, by identity."""
        self._allowed: set[str] = set()

    # --- the stages -------------------------------------------------------------------------------------------------

    @growing()
    def read(self, source: Source) -> Workflow:
        """Return the workflow that `source` is or holds.

        Raises:
            WorkflowError: there is none, or its form is wrong; then also with what is wrong with the rest of it.
        """
        if isinstance(source, Workflow):
            return source
        try:
            return from_json(source) if isinstance(source, Mapping) else self._read_file(Path(source))
        except FormError as error:
            raise self.complete(error) from error

    def _read_file(self, path: Path) -> Workflow:
        if path.suffix.lower() not in self.registry.formats:
            return read_workflow(path)
        texts = self.texts_in(path)
        if TEXT_KEY not in texts:
            cure = "name a file that graphgen made, or a workflow"
            raise WorkflowError([Problem("no_workflow", str(path), "no workflow is in this file", cure=cure)])
        return parse(texts[TEXT_KEY]).model_copy(update={"view": read_view(texts.get(VIEW_KEY, "{}"))})

    def texts_in(self, path: Path) -> Mapping[str, str]:
        """Return the texts that a file carries, none where its format carries none.

        Raises:
            WorkflowError: it cannot be read.
        """
        format_ = self.registry.formats.get(path.suffix.lower())
        try:
            return format_.read(path.read_bytes()) if format_ and format_.read else {}
        except OSError as error:
            message, cure = error.strerror or str(error), "name an existing file"
            raise WorkflowError([Problem("unreadable", str(path), message, cure=cure)]) from error
        except ValueError as error:
            cure = "take an undamaged copy of it"
            raise WorkflowError([Problem("unreadable", str(path), str(error), cure=cure)]) from error

    @growing()
    def check(self, source: Source, parameters: Mapping[str, JSON] | None = None) -> Graph:
        """Check a workflow, its parameters set.

        Raises:
            WorkflowError: with all that is wrong.
        """
        workflow = apply_parameters(self.read(source), parameters or {})
        return build_graph(workflow, self.registry, self.path_of)

    def complete(self, error: FormError) -> WorkflowError:
        """Add to what is wrong with a workflow's form what is wrong with the rest of it."""
        try:
            if error.rest:
                build_graph(error.rest, self.registry, self.path_of)
        except WorkflowError as more:  # that it gives nothing may be for what was set aside
            return WorkflowError([*error.problems, *(item for item in more.problems if item.code != "no_target")])
        return error

    @growing()
    def plan(self, graph: Graph, targets: Sequence[str] | None = None, force: Force = ()) -> Plan:
        """Decide what has to run for the targets (the graph's own by default); forced nodes run again in any case.

        Raises:
            WorkflowError: a target or a forced node does not exist, a forced one is not needed, or a file that a node
                reads is not there.
        """
        return make_plan(graph, self.cache if self.use_cache else None, self.device, self.path_of, targets, force)

    def find_missing_files(self, graph: Graph) -> list[Problem]:
        """Report the files that are not there, of nodes inside zones too, which a plan leaves to each turn."""
        try:
            make_plan(graph, None, self.device, self.path_of)
        except WorkflowError as error:
            return [*error.problems, *find_missing_inside(graph, self.device, self.path_of)]
        return find_missing_inside(graph, self.device, self.path_of)

    def explain(self, plan: Plan, identity: str | None) -> list[Explanation]:
        """Say what a plan will do to each node and why, compared with the last run under the same identity, if any."""
        last = read_record(self.config.roots.cache, identity) if identity else {}
        return explain(plan, last, self.cache if self.use_cache else None)

    def last_run(self, identity: str | None) -> datetime | None:
        """Return when the run ended that `explain` compares with; None where none is recorded."""
        return recorded_at(self.config.roots.cache, identity) if self.use_cache and identity else None

    def estimate(self, plan: Plan) -> Estimate:
        """Say what a plan will take, from what its kinds of nodes took in earlier runs."""
        return self._costs.estimate(plan, self._loaded, self.config.threads)

    def rename(self, identity: str | None, to: str | None) -> None:
        """Compare later plans under another identity with the last run under this one."""
        if identity and to:
            rename_record(self.config.roots.cache, identity, to)

    def execute(
        self,
        plan: Plan,
        *,
        identity: str | None = None,
        parameters: Mapping[str, JSON] | None = None,
        listen: Callable[[Event], None] | None = None,
        control: Control | None = None,
        previews: bool = True,
        take: Callable[[str, Files, Chronicle], tuple[str, ...]] | None = None,
        priority: int = 0,
    ) -> Report:
        """Carry a plan out. A node that fails is in the report; nothing is raised for it.

        Args:
            plan: What to do.
            identity: Names the workflow for `explain`, such as its path; None leaves no record.
            parameters: The parameters' values, to be put into the files made.
            listen: Receives the events, in this thread.
            control: Cancels the run from another thread.
            previews: Whether `listen` wants the pictures that nodes show while they work.
            take: Receives the files that a node gives in place of the outputs folder, with what is written down of the
                run so far; returns their names.
            priority: Where several runs want the same threads, processes or devices, those of a higher one come first;
                runs of the same priority take turns.

        Raises:
            PathError: the plan makes files, and the outputs folder cannot be written to.
        """
        if take is None and any(plan.graph.nodes[name].writes_files for name in plan.recipes):
            check_folder(self.config.roots.outputs)
        run, began = token_hex(8), perf_counter()
        estimate = self.estimate(plan)
        if listen:
            listen(started(run, plan, estimate))

        def effect(node: str, stored: StoredValue) -> tuple[str, ...]:
            files = stored.load()
            assert isinstance(files, Files)  # noqa: S101 - @node refuses effect nodes that return anything else
            if take is not None:
                return take(node, files, chronicle)
            folder, formats = self.config.roots.outputs, self.registry.formats
            return write_files(files, folder, formats, chronicle.provenance(node))

        execution = Execution(
            plan,
            self.lanes,
            self.cache,
            self.path_of,
            effect,
            look_up=self.use_cache,
            listen=listen,
            control=control,
            previews=previews,
            pace=self._pace,
            used=self._archive.digests.begin,
            expand=lambda subgraph: build_body(subgraph, plan.graph.workflow, self.registry, self.path_of),
            ranks=ranks(plan, estimate.nodes),
            commons=self._commons,
            priority=priority,
        )
        chronicle = Chronicle(plan, execution.outcome, parameters or {}, self._archive)
        outcome = execution.run()
        chronicle.keep()
        self._costs.learn(plan, outcome)
        self._loaded.update(identity for cost in outcome.costs.values() for identity in cost.weights)
        self.cache.flush()
        if identity and self.use_cache:
            with suppress(OSError):  # the cache has warned of a folder it cannot write; `explain` does without
                unfinished = [*outcome.undone, *(failure.node for failure in outcome.failures)]
                write_record(self.config.roots.cache, identity, plan, unfinished, outcome.keyless(plan))
        report = report_of(run, plan, outcome, perf_counter() - began, partial(chronicle.record, plan.targets))
        if listen:
            listen(finished(report))
        return report

    def run(
        self,
        source: Source,
        parameters: Mapping[str, JSON] | None = None,
        *,
        targets: Sequence[str] | None = None,
        force: Force = (),
        listen: Callable[[Event], None] | None = None,
        control: Control | None = None,
    ) -> Report:
        """Check, plan and carry out a workflow.

        Raises:
            WorkflowError: it cannot run as written.
        """
        plan = self.plan(self.check(source, parameters), targets, force)
        identity = str(Path(source).resolve()) if isinstance(source, str | Path) else None
        return self.execute(plan, identity=identity, parameters=parameters, listen=listen, control=control)

    # --- what the stages work with ----------------------------------------------------------------------------------

    @property
    def lanes(self) -> Lanes:
        """The lanes, made when the first plan is carried out."""
        with self._lock:  # two runs may begin at once
            self._lanes = self._lanes or self._make_lanes()
            return self._lanes

    def allow_paths(self, paths: Collection[str]) -> None:
        """Let nodes read these absolute paths, which a person typed at the terminal, outside the roots."""
        self._allowed.update(paths)

    def path_of(self, root: RootName, name: str) -> Path:
        """Return where a name lies inside a root, or inside what a plugin ships there.

        Raises:
            PathError: the name leaves the root, or nothing is there.
        """
        return self.config.roots.resolve(root, name, self._shipped, allow_absolute=name in self._allowed)

    def close(self) -> None:
        """Stop the lanes and write what the cache still holds back."""
        if self._lanes is not None:
            self._lanes.close()
            self._lanes = None
        self.cache.close()
        self._archive.digests.close()
        self._archive.ledger.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_lanes(self) -> Lanes:
        partials = CachedPartials(self.cache) if self.use_cache else None
        crew = Crew(self.config, self.registry, self.devices, self.path_of, self.cache, self._allowed, partials)
        return make_lanes(crew, lasting=self.lasting)

    def _name_of(self, path: Path) -> str:
        """Name a model file by where it lies in the models root or in what a plugin ships, or by its folder."""
        bases = [self.config.roots.models, *(item.path.parent for item in self.registry.shipped)]
        inside = [path.relative_to(base) for base in bases if path.is_relative_to(base)]
        return min(inside, key=lambda found: len(found.parts), default=Path(*path.parts[-2:])).as_posix()


def run(source: Source, /, **parameters: JSON) -> Outputs:
    """Run a workflow and return its outputs by name.

    Raises:
        WorkflowError: it cannot run as written; carries every problem.
        RunFailed: nodes failed; carries them.
        Cancelled: the run was stopped before it reached its outputs.
    """
    with Engine() as engine:
        report = engine.run(source, parameters)
    return _outputs(report)


async def run_async(source: Source, /, **parameters: JSON) -> Outputs:
    """Run a workflow without blocking the event loop; cancelling the task cancels the run.

    Raises:
        WorkflowError: it cannot run as written; carries every problem.
        RunFailed: nodes failed; carries them.
        Cancelled: the run was stopped before it reached its outputs.
    """
    import asyncio  # who calls this has it already, and nobody else should wait for it

    control = Control()

    def work() -> Report:
        with Engine() as engine:
            return engine.run(source, parameters, control=control)

    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return _outputs(await asyncio.shield(task))
    except asyncio.CancelledError:
        control.cancel()
        await asyncio.wait([task])
        raise


def _outputs(report: Report) -> Outputs:
    if report.failures:
        raise RunFailed(report.failures)
    if report.status == "cancelled":
        raise Cancelled("the run was cancelled")
    return report.outputs
