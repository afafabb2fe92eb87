"""The configuration: which source wins, what is refused and how, and that no name leaves its root."""

from __future__ import annotations

import os
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgen.config import Config, Roots
from graphgen.errors import ConfigError, PathError
from graphgen.widgets import RootName

ROOTS = [field.name for field in fields(Roots)]


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Five folders, a sibling whose name begins like one of them, and a secret beside them."""
    for name in ROOTS:
        (tmp_path / "home" / name / "sub").mkdir(parents=True)
        (tmp_path / "home" / name / "sub" / "file.png").write_text(name)
    (tmp_path / "home" / "models-private").mkdir()
    (tmp_path / "home" / "models-private" / "secret").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    return Roots(**{name: tmp_path / "home" / name for name in ROOTS})


# --- sources --------------------------------------------------------------------------------------------------------


def test_the_defaults_need_no_file_and_make_no_folder(tmp_path: Path) -> None:
    config = Config.load(folder=tmp_path, environment={})
    assert config.file is None
    assert config.roots.outputs == tmp_path / "outputs"
    assert config.roots.models.name == "models"
    assert all(getattr(config.roots, name).is_absolute() for name in ROOTS)
    assert (config.device, config.precision, config.device_bytes) == ("auto", "auto", None)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FrozenInstanceError):
        config.device = "cpu"  # type: ignore[misc]


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    (tmp_path / "graphgen.toml").write_text(
        'models = "weights"\ncache = "c"\noutputs = "pictures"\nmemory_bytes = "2 GiB"\nthreads = 2\ndevice = "cuda"\n'
    )
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    environment = {"GRAPHGEN_CACHE_DIR": "from-env", "GRAPHGEN_OUTPUTS_DIR": "/abs/env", "GRAPHGEN_DEVICE": "cuda:1"}
    config = Config.load({"outputs": Path("flag"), "device": None, "threads": 3}, folder=inner, environment=environment)
    assert config.file == tmp_path / "graphgen.toml"
    assert config.roots.models == tmp_path / "weights", "a path in the file starts where the file lies"
    assert config.roots.cache == inner / "from-env"
    assert config.roots.outputs == inner / "flag"
    assert (config.device, config.threads, config.memory_bytes) == ("cuda:1", 3, 2 << 30)
    assert type(config.memory_bytes) is int


def test_the_nearest_file_upward_is_read_alone(tmp_path: Path) -> None:
    (tmp_path / "graphgen.toml").write_text("threads = 2\ndisk_bytes = 0")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "graphgen.toml").write_text("threads = 5")
    config = Config.load(folder=inner, environment={})
    assert (config.threads, config.disk_bytes) == (5, 20 << 30)


def test_every_setting_has_a_variable(tmp_path: Path) -> None:
    environment = {
        **{f"GRAPHGEN_{name.upper()}_DIR": f"/roots/{name}" for name in ROOTS},
        "GRAPHGEN_MEMORY_BYTES": "1000",
        "GRAPHGEN_DISK_BYTES": "1.5 GB",
        "GRAPHGEN_DEVICE_BYTES": "8GiB",
        "GRAPHGEN_DEVICE": "cpu",
        "GRAPHGEN_PRECISION": "bfloat16",
        "GRAPHGEN_DEVICES": "cpu:0, cpu:1",
        "GRAPHGEN_THREADS": "7",
        "GRAPHGEN_WORKERS": "process",
        "GRAPHGEN_CPU_WORKERS": "3",
        "GRAPHGEN_TIME_LIMIT": "1.5",
        "GRAPHGEN_WORKER_BYTES": "4 GiB",
        "GRAPHGEN_DISABLED_PLUGINS": "acme, other",
        "GRAPHGEN_SKIP_WEB": "1",
    }
    config = Config.load(folder=tmp_path, environment=environment)
    assert config == Config(
        Roots(**{name: Path("/roots") / name for name in ROOTS}),
        memory_bytes=1000,
        disk_bytes=1_500_000_000,
        device_bytes=8 << 30,
        device="cpu",
        precision="bfloat16",
        devices=("cpu:0", "cpu:1"),
        threads=7,
        workers="process",
        cpu_workers=3,
        time_limit=1.5,
        worker_bytes=4 << 30,
        disabled_plugins=("acme", "other"),
    )


def test_one_device_wins_over_several_that_a_weaker_source_names(tmp_path: Path) -> None:
    (tmp_path / "graphgen.toml").write_text('devices = ["cuda:0", "cuda:1"]\ndevice = "cuda"')
    config = Config.load(folder=tmp_path, environment={})
    assert config.devices == ("cuda:0", "cuda:1"), "in one place, the list says more"
    config = Config.load(folder=tmp_path, environment={"GRAPHGEN_DEVICE": "cpu"})
    assert (config.device, config.devices) == ("cpu", ())
    config = Config.load({"devices": ("cpu:0",)}, folder=tmp_path, environment={"GRAPHGEN_DEVICE": "cpu"})
    assert config.devices == ("cpu:0",)


@pytest.mark.parametrize("names", ["cuda:0, cpu:0", "cuda:0, cuda:0", "cuda", "Cuda:1"])
def test_devices_are_different_ones_of_one_kind(tmp_path: Path, names: str) -> None:
    with pytest.raises(ConfigError, match=r"GRAPHGEN_DEVICES.*different devices of one kind, such as"):
        Config.load(folder=tmp_path, environment={"GRAPHGEN_DEVICES": names})


def test_a_table_is_refused_with_the_place_where_its_names_belong(tmp_path: Path) -> None:
    (tmp_path / "graphgen.toml").write_text('[roots]\nmodels = "m"\nelse = 1\n[other]\n')
    with pytest.raises(ConfigError) as found:
        Config.load(folder=tmp_path, environment={})
    roots, other = map(str, found.value.problems)
    assert "roots: there are no tables here; allowed: models," in roots
    assert roots.endswith("write models at the top of the file, without a [roots] above")
    assert other.endswith("write the settings at the top of the file, without a [other] above")


def test_processes_are_for_engines_that_last_and_for_limits(tmp_path: Path) -> None:
    def chosen(*, lasting: bool, **overrides: object) -> bool:
        return Config.load(overrides, folder=tmp_path, environment={}).in_processes(lasting=lasting)

    posix = os.name == "posix"
    assert not chosen(lasting=False)
    assert chosen(lasting=True) == posix
    assert not chosen(lasting=True, workers="thread")
    assert chosen(lasting=False, time_limit=5) == posix
    assert not posix or chosen(lasting=False, workers="process")


def test_a_limit_that_threads_cannot_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        Config.load({"workers": "thread", "time_limit": 5}, folder=tmp_path, environment={})
    words = "time_limit: cannot be kept with workers = thread; remove it, or set workers to process or auto"
    assert str(raised.value) == words
    config, problems = Config.examine({"workers": "thread", "time_limit": 5}, folder=tmp_path, environment={})
    assert config.time_limit is None
    assert [problem.place for problem in problems] == ["time_limit"]


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert Config.load(folder=tmp_path, environment={"GRAPHGEN_DEVICE": ""}).device == "auto"


def test_home_is_understood(tmp_path: Path) -> None:
    config = Config.load(folder=tmp_path, environment={"GRAPHGEN_MODELS_DIR": "~/models"})
    assert config.roots.models == Path.home() / "models"


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('devise = "cpu"', ["graphgen.toml: devise: there is no such setting", "did you mean 'device'?"]),
        ("threads = 0", ["graphgen.toml: threads: 0 is not allowed", "from 1 to 256"]),
        ('device = "GPU 1"', ["graphgen.toml: device: 'GPU 1' is not allowed", "cuda:1"]),
        ('precision = "fp16"', ["precision: 'fp16' is not allowed", "float16"]),
        ('memory_bytes = "much"', ["memory_bytes: 'much' is not allowed", "'4 GiB'"]),
        ("memory_bytes = -1", ["memory_bytes: -1 is not allowed"]),
        ("models = 3", ["models: 3 is not allowed", "a folder"]),
        ("threads = 0\nfoo = 1", ["threads: 0", "foo: there is no such setting", "remove it"]),
        ("threads = ", ["graphgen.toml: cannot be read", "mend it"]),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_cure(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "graphgen.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        Config.load(folder=tmp_path, environment={})
    assert str(tmp_path) in str(caught.value)
    assert all(part in str(caught.value) for part in expected)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graphgen.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(folder=tmp_path, environment={})


def test_a_wrong_variable_or_flag_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^GRAPHGEN_THREADS: 'many' is not allowed"):
        Config.load(folder=tmp_path, environment={"GRAPHGEN_THREADS": "many"})
    with pytest.raises(ConfigError, match=r"^--memory-bytes: 'much' is not allowed"):
        Config.load({"memory_bytes": "much"}, folder=tmp_path, environment={})


# --- names inside a root --------------------------------------------------------------------------------------------


def test_a_name_is_found_inside_its_root(roots: Roots) -> None:
    for name in ("sub/file.png", "./sub//file.png", "sub/./file.png"):
        assert roots.resolve("models", name) == roots.models / "sub" / "file.png"
    assert roots.resolve("inputs", "sub") == roots.inputs / "sub"
    assert roots.resolve("outputs", "new/한글.png") == roots.outputs / "new" / "한글.png", "an output need not be there"


FORBIDDEN = [
    "",
    "..",
    "../secret",
    "../models-private/secret",
    "sub/../../secret",
    "sub/../sub/file.png",
    "../../secret",
    "/etc/passwd",
    "//server/share/file",
    "\\\\server\\share\\file",
    "..\\secret",
    "sub\\file.png",
    "C:",
    "C:secret",
    "C:/secret",
    "c:\\secret",
    "sub/file.png\0",
    "\0",
    "x" * 5000,
    "\ud800",
]


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("root", ["models", "outputs"])
def test_a_name_that_could_lead_out_is_refused(roots: Roots, root: RootName, name: str) -> None:
    with pytest.raises(PathError, match=rf"allowed: names inside the {root} folder.*GRAPHGEN_{root.upper()}_DIR"):
        roots.resolve(root, name)


@pytest.mark.parametrize("name", ["%2e%2e/secret", "..%2fsecret", "~/secret", "$HOME", "..."])
def test_nothing_is_decoded_or_expanded(roots: Roots, name: str) -> None:
    with pytest.raises(PathError, match="there is no"):
        roots.resolve("models", name)
    assert roots.resolve("outputs", name) == roots.outputs / name


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize(
    ("target", "rest"),
    [("../../secret", ""), ("../..", "/secret"), ("../models-private", "/secret"), ("/etc", "/passwd"), ("loop", "")],
)
@pytest.mark.parametrize("root", ["models", "outputs"])
def test_a_link_that_leads_out_is_refused(roots: Roots, root: RootName, target: str, rest: str) -> None:
    base: Path = getattr(roots, root)
    (base / "loop").symlink_to(base / "loop")
    (base / "link").symlink_to(target)
    with pytest.raises(PathError):
        roots.resolve(root, "link" + rest)


def test_a_refusal_does_not_tell_what_is_outside(roots: Roots) -> None:
    (roots.models / "there").symlink_to("../../secret")
    (roots.models / "gone.").symlink_to("../../nothing")
    told = []
    for name in ("there", "gone."):
        with pytest.raises(PathError) as caught:
            roots.resolve("models", name)
        told.append(str(caught.value).replace(repr(name), "…"))
    assert told[0] == told[1]
    assert str(roots.models.parent) not in told[0]


def test_links_that_stay_inside_and_roots_that_are_links_are_fine(roots: Roots, tmp_path: Path) -> None:
    (roots.models / "alias").symlink_to("sub")
    assert roots.resolve("models", "alias/file.png") == roots.models / "sub" / "file.png"
    (tmp_path / "elsewhere").symlink_to(roots.models)
    linked = Roots(tmp_path / "elsewhere", roots.inputs, roots.outputs, roots.cache, roots.data)
    assert linked.resolve("models", "sub/file.png") == roots.models / "sub" / "file.png"


@given(
    st.lists(st.sampled_from(["..", ".", "", "sub", "file.png", "models-private", "\\", "C:", "\0", "a b"]), max_size=6)
)
def test_no_mixture_of_parts_leads_out(parts: list[str]) -> None:
    home = Path(os.sep, "home", "models")
    roots = Roots(home, home, home, home, home)
    try:
        found = roots.resolve("outputs", "/".join(parts))
    except PathError:
        return
    assert found.is_relative_to(home)


def test_a_missing_name_is_answered_with_what_is_there(roots: Roots) -> None:
    with pytest.raises(PathError, match=r"^there is no 'sup' in models; allowed: emoji, sub; did you mean 'sub'\?$"):
        roots.resolve("models", "sup", {("models", "emoji"): roots.models, ("inputs", "not this"): roots.models})
    empty = Roots(*(roots.models / "none" for _ in ROOTS))
    with pytest.raises(PathError, match=r"the folder is empty; put it into .*none, or set GRAPHGEN_MODELS_DIR"):
        empty.resolve("models", "x")


def test_a_root_that_is_none_is_refused(roots: Roots) -> None:
    with pytest.raises(PathError, match=r"'weights' is no root; allowed: models, inputs"):
        roots.resolve("weights", "x")  # type: ignore[arg-type]


# --- what plugins ship ----------------------------------------------------------------------------------------------


def test_what_a_plugin_ships_is_found_under_its_name(roots: Roots, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    (pack / "unet").mkdir(parents=True)
    (pack / "unet" / "config.json").write_text("{}")
    (pack / "one.png").write_text("")
    (pack / "out").symlink_to("../secret")
    shipped: dict[tuple[RootName, str], Path] = {
        ("models", "emoji"): pack,
        ("models", "sub"): pack,
        ("inputs", "faces/one.png"): pack / "one.png",
    }
    assert roots.resolve("models", "emoji", shipped) == pack
    assert roots.resolve("models", "emoji/unet/config.json", shipped) == pack / "unet" / "config.json"
    assert roots.resolve("inputs", "faces/one.png", shipped) == pack / "one.png"
    assert roots.resolve("models", "sub/file.png", shipped) == roots.models / "sub" / "file.png", "one's own goes first"
    assert roots.resolve("models", "sub/unet", shipped) == pack / "unet"
    for name in ("emoji/../secret", "emoji/out"):
        with pytest.raises(PathError):
            roots.resolve("models", name, shipped)
    for name in ("emoji/absent", "faces"):
        with pytest.raises(PathError, match="there is no"):
            roots.resolve("models", name, shipped)


# --- what a person types --------------------------------------------------------------------------------------------


def test_an_absolute_path_is_allowed_only_where_a_person_typed_it(roots: Roots, tmp_path: Path) -> None:
    typed = str(tmp_path / "secret")
    assert roots.resolve("models", typed, allow_absolute=True) == tmp_path / "secret"
    assert roots.resolve("models", "sub/file.png", allow_absolute=True) == roots.models / "sub" / "file.png"
    with pytest.raises(PathError):
        roots.resolve("models", typed)
    with pytest.raises(PathError, match="there is no"):
        roots.resolve("models", str(tmp_path / "absent"), allow_absolute=True)
    for name in ("../secret", typed + "\0"):
        with pytest.raises(PathError):
            roots.resolve("models", name, allow_absolute=True)


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="go to one that exists"):
        Config.load(environment={})
