"""The commands beside `run`: help, check, nodes, plugins, cache, doctor; and what none of them may import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import Terminal, a_sum, built_in, workflow

from graphgen.cli import COMMANDS

HEAVY = ("torch", "numpy", "PIL", "networkx", "rich", "aiohttp", "transformers", "diffusers")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture
def complete(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, ("toy", "broken"), complete=True)


def imported(terminal: Terminal, *arguments: str) -> list[str]:
    """Return which heavy packages a call imports."""
    code = (
        "import sys; from graphgen.cli import main; code = main(sys.argv[1:]); "
        f"print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=terminal.folder,
        env=terminal.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.split()


# --- the program ----------------------------------------------------------------------------------------------------


def test_help_names_each_command(terminal: Terminal) -> None:
    answer = terminal.call("--help")
    assert answer.code == 0
    assert all(f"  {name} " in answer.out for name in COMMANDS)
    assert terminal.call().code == 2
    for name in COMMANDS:
        told = terminal.call(name, "--help")
        assert told.code == 0
        assert told.out.startswith(f"usage: graphgen {name} ")


def test_the_version_is_told(terminal: Terminal) -> None:
    answer = terminal.call("--version")
    assert answer.code == 0
    assert answer.out.startswith("graphgen ")


def test_an_unknown_command_is_told_with_the_cure(terminal: Terminal) -> None:
    answer = terminal.call("runn")
    assert (answer.code, answer.out) == (2, "")
    assert "did you mean 'run'?" in answer.err


def test_wrong_configuration_is_told_with_the_cure(terminal: Terminal) -> None:
    answer = terminal.call("cache", "info", GRAPHGEN_DISK_BYTES="plenty")
    assert (answer.code, answer.out) == (2, "")
    assert "GRAPHGEN_DISK_BYTES" in answer.err
    assert "Traceback" not in answer.err


def test_nothing_heavy_is_imported_to_look_or_to_run_what_is_cached(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    file = terminal.save(a_sum())
    assert terminal.call("run", file).code == 0
    for call in (("nodes",), ("nodes", "sampling.sample"), ("check", file), ("run", file), ("run", file, "--explain")):
        assert imported(terminal, *call) == []


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_says_ok_and_runs_nothing(terminal: Terminal) -> None:
    answer = terminal.call("check", terminal.save(a_sum()))
    assert answer.code == 0
    assert answer.out == "ok: 5 nodes, 4 parameters, 1 output (total), files from note\n"
    assert not (terminal.folder / "outputs").exists()
    assert not (terminal.folder / "cache").exists()


def test_check_tells_all_problems_a_line_each(terminal: Terminal) -> None:
    nodes = {
        "a": {"type": "toy.slow", "settings": {"steps": 0, "speed": 3}},
        "b": {"type": "toy.ad"},
        "c": {"type": "toy.wait", "inputs": {"value": "a.flota"}},
    }
    file = terminal.save(workflow(nodes, outputs={"c": {"from": "c.float"}}))
    answer = terminal.call("check", file)
    assert (answer.code, answer.out) == (2, "")
    lines = answer.err.splitlines()
    assert lines[0] == "workflow.json: 4 problems"
    assert len(lines) == 5
    assert all(any(line.startswith(f"  {place}: ") for line in lines) for place in ("a.steps", "a.speed", "b"))
    assert "did you mean 'toy.add'?" in answer.err
    machine = terminal.call("check", file, "--json")
    assert machine.code == 2
    assert not machine.lines[0]["ok"]
    assert {problem["place"] for problem in machine.lines[0]["problems"]} >= {"a.steps", "a.speed", "b"}
    assert terminal.call("check", terminal.save(a_sum()), "--json").lines == [{"ok": True, "nodes": 5, "problems": []}]


def test_check_shows_what_is_known_on_each_wire(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    nodes = {
        "grey": {"type": "images.solid", "settings": {"width": 32, "height": 16, "batch": 2}},
        "seen": {"type": "masks.from_image", "inputs": {"image": "grey.image"}},
        "share": {"type": "values.number", "settings": {"value": 0.5}},
    }
    outputs = {"seen": {"from": "seen.mask"}, "share": {"from": "share.float"}}
    file = terminal.save(workflow(nodes, outputs=outputs))
    assert terminal.call("check", file, "--facts").out.splitlines()[:3] == [
        "grey.image   image  2x3x16x32",
        "share.float  float  0.5",
        "seen.mask    mask   2x16x32",
    ]
    (told,) = terminal.call("check", file, "--facts", "--json").lines
    facts = {"width": 32, "height": 16, "batch": 2}
    assert told["facts"]["seen.mask"] == {"type": "mask", "axes": ["batch", "height", "width"], "facts": facts}


def test_check_tells_notes(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    nodes = {
        "model": {"type": "models.load", "settings": {"path": "emoji"}},
        "prompt": {
            "type": "text.encode",
            "settings": {"text": "apple " * 75 + "pear", "chunks": 1},
            "inputs": {"encoder": "model.text_encoder"},
        },
    }
    file = terminal.save(workflow(nodes, outputs={"prompt": {"from": "prompt.conditioning"}}))
    message = "the prompt is too long; not read: 'pear'"
    assert terminal.call("check", file).out.splitlines()[0] == f"note: prompt: {message}"
    assert terminal.call("check", file, "--json").lines[0]["notes"] == [{"place": "prompt", "message": message}]
    assert imported(terminal, "check", file) == []


def test_check_tells_what_is_wrong_with_the_form_and_with_the_rest(terminal: Terminal) -> None:
    nodes = {
        "a": {"type": "toy.number", "setings": {"value": 2}},
        "b": {"type": "toy.slow", "inputs": {"value": "a.float"}, "settings": {"steps": 0}},
    }
    text = json.dumps(workflow(nodes, outputs={"b": {"from": "b.flaot"}, "a": {"from": "a.float"}}))
    answer = terminal.call("check", "-", stdin=text)
    assert answer.code == 2
    lines = [line.strip().partition(": ")[0] for line in answer.err.splitlines()[1:]]
    assert sorted(lines) == ["b.steps", "nodes.a.setings", "outputs.b"]
    (terminal.folder / "w.json").write_text(text)
    assert terminal.call("run", "w.json").err.count("\n") == 4


def test_check_sees_files_that_are_not_there(terminal: Terminal) -> None:
    nodes = {"text": {"type": "toy.read", "settings": {"path": "missing.txt"}}}
    answer = terminal.call("check", terminal.save(workflow(nodes, outputs={"text": {"from": "text.str"}})))
    assert answer.code == 2
    assert "missing.txt" in answer.err


# --- nodes ----------------------------------------------------------------------------------------------------------


def test_nodes_are_listed_by_pack(complete: Terminal) -> None:
    assert "Changing it computes nothing again." in complete.call("nodes", "sampling.sample").out
    answer = complete.call("nodes")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines.index("images") < lines.index("sampling") < lines.index("toy")
    assert any(line.startswith("  toy.add ") and line.endswith("Add numbers.") for line in lines)
    assert "the plugin 'broken' is broken: ImportError: libmissing.so" in answer.err


def test_a_pack_is_listed_alone(terminal: Terminal) -> None:
    answer = terminal.call("nodes", "toy")
    assert answer.out.startswith("toy\n  toy.add ")
    assert set(terminal.call("nodes", "toy", "--json").lines[0]["nodes"]) >= {"toy.add", "toy.write"}


def test_a_nodes_page_tells_inputs_settings_limits_defaults_outputs(terminal: Terminal) -> None:
    answer = terminal.call("nodes", "toy.slow")
    assert answer.code == 0
    assert "Take its time, step by step." in answer.out
    rows = {line.split()[0]: " ".join(line.split()) for line in answer.out.splitlines() if line.startswith("  ")}
    assert rows["value"] == "value float, optional"
    assert rows["steps"] == "steps int = 4 1 … 10000 How many steps it takes."
    assert rows["seed"] == "seed int = 0 0 … 2^53-1"
    assert rows["float"] == "float float"
    assert '"slow": {"type": "toy.slow", "version": 1}' in answer.out
    heavy = terminal.call("nodes", "toy.heavy").out
    assert "version 2, runs on the GPU where there is one" in heavy
    assert "square or double" in heavy
    assert "must be set" in terminal.call("nodes", "toy.read").out
    assert "float, any number" in terminal.call("nodes", "toy.add").out
    assert "writes files" in terminal.call("nodes", "toy.write").out
    assert terminal.call("nodes", "toy.slow", "--json").lines[0]["id"] == "toy.slow"


def test_nodes_are_found_by_what_other_programs_call_them(complete: Terminal) -> None:
    answer = complete.call("nodes", "ksampler")
    assert "  sampling.sample " in answer.out
    assert "autoencoder.decode" not in answer.out
    assert complete.call("nodes", "sampling.sample", "--json").lines[0]["aliases"] == ["KSampler", "Denoise latents"]


def test_a_page_tells_what_is_given_item_by_item(complete: Terminal) -> None:
    page = complete.call("nodes", "images.load_folder").out
    assert "version 1, gives its list item by item" in page
    (shown,) = complete.call("nodes", "images.load_folder", "--json").lines
    assert (shown["yields"], shown["outputs"][0]["type"]) == ("items", "list[image]")


def test_the_example_on_a_page_is_a_node_as_workflows_have_it(terminal: Terminal) -> None:
    page = terminal.call("nodes", "toy.wait").out
    example = json.loads("{" + page.rpartition("In a workflow\n")[2].strip() + "}")
    nodes = {"a_node": {"type": "toy.number"}, **example}
    assert terminal.call("check", terminal.save(workflow(nodes, outputs={"x": {"from": "wait.float"}}))).code == 0


def test_an_unknown_node_is_told_with_the_cure(complete: Terminal) -> None:
    answer = complete.call("nodes", "toy.ad")
    assert (answer.code, answer.out) == (2, "")
    assert "did you mean 'toy.add'?" in answer.err
    assert "did you mean 'toy'?" in complete.call("nodes", "toyy").err
    assert "did you mean 'samplers.euler'?" in complete.call("nodes", "eulr").err
    assert "did you mean 'samplers.euler'?" in complete.call("nodes", "sampling.euler").err
    assert "did you mean 'images.save'?" in complete.call("nodes", "images.sav").err
    assert "the plugin 'broken' is broken" in complete.call("nodes", "broken.node").err


def test_nodes_are_found_by_a_word(complete: Terminal) -> None:
    answer = complete.call("nodes", "euler")
    assert answer.code == 0
    assert "did you mean 'samplers.euler'?" in answer.out
    named = {line.split()[0] for line in answer.out.splitlines() if line.startswith("  ")}
    assert {"samplers.euler", "samplers.euler_ancestral"} <= named
    assert "toy.add" not in named
    assert "images.load" in complete.call("nodes", "Load PNG", "--json").lines[0]["nodes"]


def test_a_subgraph_that_a_plugin_ships_is_listed_and_shown_like_a_node(complete: Terminal) -> None:
    listed = " ".join(complete.call("nodes", "text").out.split())
    assert "text.prompts Read a prompt and a negative prompt" in listed
    page = complete.call("nodes", "text.prompts").out
    assert page.startswith("text.prompts  version 1, runs on the GPU where there is one, a subgraph\n")
    rows = {line.split()[0]: " ".join(line.split()) for line in page.splitlines() if line.startswith("  ")}
    assert rows["encoder"] == "encoder text_encoder The model's text encoder."
    assert rows["text"] == 'text str = "" What the picture should show.'
    assert rows["positive"] == "positive conditioning"
    assert '"inputs": {"encoder": "a_node.text_encoder"}' in page
    (catalogue,) = complete.call("nodes", "--json").lines
    (alone,) = complete.call("nodes", "text.prompts", "--json").lines
    assert catalogue["nodes"]["text.prompts"] == alone
    assert [item["name"] for item in alone["outputs"]] == ["positive", "negative"]
    assert alone["settings"]["properties"]["negative"]["description"] == "What it should keep away from."
    assert "did you mean 'text.prompts'?" in complete.call("nodes", "text.promts").err


# --- plugins --------------------------------------------------------------------------------------------------------


def test_plugins_tells_what_is_loaded_and_why_something_is_broken(complete: Terminal) -> None:
    answer = complete.call("plugins")
    assert answer.code == 1
    rows = {line.split()[0]: line.split() for line in answer.out.splitlines() if line.startswith("  ")}
    assert rows["toy"] == ["toy", "toy", "1.0", "12", "nodes"]
    assert set(built_in()) <= set(rows)
    assert "✗ broken (broken) is broken: ImportError: libmissing.so: cannot open shared object file" in answer.out
    assert "Traceback" not in answer.out
    assert "Traceback" in complete.call("plugins", "--verbose").out
    told = complete.call("plugins", "--json")
    machine = told.lines[0]
    assert told.code == 1
    assert [plugin["name"] for plugin in machine["broken"]] == ["broken"]
    assert "toy" in {plugin["name"] for plugin in machine["plugins"]}


def test_disabled_plugins_are_named(terminal: Terminal) -> None:
    answer = terminal.call("plugins", GRAPHGEN_DISABLED_PLUGINS="toy,images")
    assert answer.code == 0
    assert "disabled: toy, images" in answer.out
    assert "  toy " not in answer.out


# --- cache ----------------------------------------------------------------------------------------------------------


def test_the_cache_is_shown_and_cleared(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    assert terminal.call("cache", "info", "--json").lines[0]["results"] == 0
    terminal.call("run", file)
    info = terminal.call("cache", "info", "--json").lines[0]
    assert info["results"] > 0
    assert info["bytes"] > 0
    assert info["directory"] == str(terminal.folder / "cache")
    shown = terminal.call("cache", "info")
    assert shown.code == 0
    assert str(terminal.folder / "cache") in shown.out
    cleared = terminal.call("cache", "clear")
    assert cleared.code == 0
    assert cleared.out.startswith(f"cleared: {info['results']} result")
    assert terminal.call("cache", "info", "--json").lines[0]["results"] == 0
    assert terminal.call("run", file, "--json").events("run_finished")[0]["ran"] == 5


def test_cache_wants_to_know_what_to_do(terminal: Terminal) -> None:
    assert terminal.call("cache").code == 2
    assert "choose from" in terminal.call("cache", "drop").err


# --- doctor ---------------------------------------------------------------------------------------------------------


def test_doctor_looks_at_everything(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    answer = terminal.call("doctor", "--json")
    (told,) = answer.lines
    assert answer.code == (0 if told["ok"] else 1)
    found = {(item["section"], item["subject"]): item for item in told["findings"]}
    for section, subject in (
        ("graphgen", "python"),
        ("libraries", "torch"),
        ("devices", "torch"),
        ("plugins", "loaded"),
    ):
        assert (section, subject) in found
    for root in ("models", "inputs", "outputs", "cache", "data"):
        assert str(tmp_path / root) in found["folders", root]["found"]
    assert "can be written" in found["cache", "disk cache"]["found"]
    wrong = [item["subject"] for item in told["findings"] if item["cure"]]
    assert set(wrong) <= {"device", *("outputs", "cache", "data")}, "only what this machine may really lack"


def test_doctor_goes_on_with_settings_that_are_wrong(terminal: Terminal) -> None:
    file = terminal.folder / "graphgen.toml"
    file.write_text('threads = 0\ndevise = "cpu"\nmemory_bytes = "7 MiB"\n')
    assert terminal.call("cache", "info").code == 2
    answer = terminal.call("doctor", "--json", GRAPHGEN_DEVICE="The GPU")
    assert answer.code == 1
    (told,) = answer.lines
    wrong = [item for item in told["findings"] if item["subject"] == "settings" and item["cure"]]
    cures = "\n".join(item["cure"] for item in wrong)
    assert len(wrong) == 3
    assert f"{file}: threads: give a whole number from 1 to 256" in cures
    assert "did you mean 'device'?" in cures
    assert "GRAPHGEN_DEVICE: give auto, cpu" in cures
    assert {"folders", "cache", "plugins"} <= {item["section"] for item in told["findings"]}


def test_doctor_goes_on_without_a_file_that_cannot_be_read(terminal: Terminal) -> None:
    (terminal.folder / "graphgen.toml").write_text("threads = ")
    answer = terminal.call("doctor")
    assert (answer.code, answer.err) == (1, "")
    assert "cannot be read" in answer.out
    assert "mend it, or move it away" in answer.out.partition("to mend")[2]
    assert "plugins" in answer.out


def test_doctor_says_how_to_mend_what_is_wrong(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, ("toy", "broken"))
    (tmp_path / "outputs").write_text("a file where a folder should be")
    answer = terminal.call("doctor")
    assert answer.code == 1
    assert "✗  broken" in answer.out
    assert "is a file" in answer.out
    mend = answer.out.partition("to mend")[2]
    assert "GRAPHGEN_OUTPUTS_DIR" in mend
    assert "`graphgen plugins --verbose`" in mend


def test_check_names_the_files_that_mapped_nodes_read(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    inside = {
        "inputs": {"value": {"type": "float"}},
        "outputs": {"text": {"from": "text.str"}, "sum": {"from": "sum.float"}},
        "nodes": {
            "text": {"type": "toy.read", "settings": {"path": "gone.txt"}},
            "sum": {"type": "toy.add", "inputs": {"numbers": ["inputs.value"]}},
        },
    }
    nodes = {
        "many": {"type": "flow.numbers", "settings": {"count": 3}},
        "each": {"type": "subgraph.reads", "map": {"over": ["value"]}, "inputs": {"value": "many.numbers"}},
        "text": {"type": "toy.read", "settings": {"path": "lost.txt"}},
    }
    outputs = {"each": {"from": "each.text"}, "text": {"from": "text.str"}}
    answer = terminal.call("check", terminal.save(workflow(nodes, outputs=outputs, subgraphs={"reads": inside})))
    assert answer.code == 2
    assert re.findall(r"^  (\S+): ", answer.err, re.M) == ["text.path", "each/text.path"]
    assert "gone.txt" in answer.err
