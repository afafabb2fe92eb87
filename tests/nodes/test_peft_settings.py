"""What PEFT and diffusers write down beside a LoRA's tensors is followed as peft follows it, or refused."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import Log
from nodes.test_lora import attention, digest, drawing, drawn, lora, made, models, put, refused, registry
from nodes.test_lora_files import model, quiet, residency, texts
from tiny import make_pipeline
from torch import Tensor, nn

from graphgen.engine import Engine
from graphgen.events import NodeLog
from graphgen.residency import Residency
from graphgen_nodes import Denoiser, TextEncoder
from graphgen_nodes.checkpoints import CheckpointError
from graphgen_nodes.checkpoints.identity import joint_identity
from graphgen_nodes.lora.files import open_lora
from graphgen_nodes.lora.patch import LoRA
from graphgen_nodes.lora.settings import lora_files
from nodes import lora_kit as kit

__all__ = ["made", "models", "registry", "residency"]  # fixtures

TO_Q, TO_K = ("mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "to_k")
CONFIGS: dict[str, dict[str, Any]] = {
    "alpha": {"lora_alpha": 5},
    "rslora": {"lora_alpha": 5, "use_rslora": True},
    "patterns": {"lora_alpha": 5, "rank_pattern": {"to_q": 2}, "alpha_pattern": {f"^{TO_Q}": 7, r"up_.*\.to_k": 1}},
    "rslora, patterns": {"lora_alpha": 5, "use_rslora": True, "rank_pattern": {TO_K: 4}, "alpha_pattern": {TO_Q: 2}},
    "dora": {"lora_alpha": 5, "use_dora": True, "alpha_pattern": {"to_q": 2}},
}


def trained(module: nn.Module, config: Any, folder: Path) -> dict[str, Tensor]:
    """Save a network's random adapter as peft does; return the weights peft makes with what it reads back."""
    import peft

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        wrapped = peft.get_peft_model(module, config)
        generator = torch.Generator().manual_seed(0)
        for name, value in wrapped.named_parameters():
            if any(word in name for word in ("lora_A", "lora_B", "hada_", "lokr_")):
                value.data.copy_(torch.randn(value.shape, generator=generator) / 4)
        wrapped.save_pretrained(str(folder))
        merged = peft.PeftModel.from_pretrained(wrapped.unload(), str(folder)).merge_and_unload()
    return {name: value.detach() for name, value in merged.named_parameters()}


def patched(residency: Residency, handle: Denoiser | TextEncoder, path: Path, part: str) -> Mapping[str, Tensor]:
    """Return the weights that a file changes, as we make them."""
    patch = LoRA(joint_identity(lora_files(path)), str(path))
    with (
        residency.lease(handle, quiet) as plain,
        residency.lease(replace(handle, patches=(patch,)), quiet) as network,
    ):
        before = dict(plain.networks[part].named_parameters())  # type: ignore[attr-defined]
        after = dict(network.networks[part].named_parameters())  # type: ignore[attr-defined]
        return {name: value for name, value in after.items() if value is not before[name]}


def assert_equal(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], before: nn.Module) -> None:
    """Check that just those weights are new that are new in the reference, and as they are there."""
    old = dict(before.named_parameters())
    assert found.keys() == {name for name, value in expected.items() if not torch.equal(value, old[name])}
    assert found
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)
        assert (value - old[name]).abs().max() > 1e-3


@pytest.mark.parametrize("name", CONFIGS)
def test_a_folder_of_peft_equals_peft(name: str, residency: Residency, tmp_path: Path) -> None:
    import peft

    config = peft.LoraConfig(r=3, target_modules=["to_q", "to_k", "conv1"], **CONFIGS[name])
    expected = trained(make_pipeline("sd1", seed=0).unet, config, tmp_path)
    found = patched(residency, model("sd1"), tmp_path / "adapter_model.safetensors", "unet")
    assert_equal(found, expected, make_pipeline("sd1", seed=0).unet)


@pytest.mark.parametrize("whole", [False, True])
def test_lokr_and_loha_of_peft_equal_peft(whole: bool, residency: Residency, tmp_path: Path) -> None:
    """PEFT writes no alpha into the file, and scales products of whole matrices as well."""
    import peft

    common: dict[str, Any] = {"r": 64 if whole else 2, "alpha": 7, "target_modules": ["to_q", "to_k"]}
    kinds = {"lokr": peft.LoKrConfig(**common, alpha_pattern={"to_q": 3}, rank_pattern={"to_k": 80 if whole else 3})}
    if not whole:
        kinds["loha"] = peft.LoHaConfig(**common, alpha_pattern={"to_q": 3}, rank_pattern={"to_k": 3})
    for kind, config in kinds.items():
        expected = trained(make_pipeline("sd1", seed=0).unet, config, tmp_path / kind)
        file = tmp_path / kind / "adapter_model.safetensors"
        assert any("lokr_w2_a" in layer.tensors for layer in open_lora(file).layers.values()) is (
            kind == "lokr" and not whole
        )
        assert_equal(patched(residency, model("sd1"), file, "unet"), expected, make_pipeline("sd1", seed=0).unet)


def test_a_text_encoder_s_folder_of_peft_equals_peft(residency: Residency, tmp_path: Path) -> None:
    import peft

    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "fc1"], alpha_pattern={"fc1": 2})
    expected = trained(make_pipeline("sd1", seed=0).text_encoder, config, tmp_path)
    found = patched(residency, texts("sd1"), tmp_path / "adapter_model.safetensors", "text_encoder")
    assert_equal(found, expected, make_pipeline("sd1", seed=0).text_encoder)


@pytest.mark.parametrize("name", ["rslora, patterns", "dora"])
@pytest.mark.parametrize("saved", ["network", "pipeline"])
def test_the_metadata_that_diffusers_writes_equals_peft(
    saved: str, name: str, residency: Residency, tmp_path: Path
) -> None:
    """A network by itself is saved without a part's name before its settings, a pipeline with it."""
    import peft
    from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    pipeline = make_pipeline("sd1", seed=0)
    pipeline.unet.add_adapter(peft.LoraConfig(r=3, target_modules=["to_q", "to_k"], **CONFIGS[name]))
    generator = torch.Generator().manual_seed(0)
    for key, value in pipeline.unet.named_parameters():
        if "lora_A" in key or "lora_B" in key:
            value.data.copy_(torch.randn(value.shape, generator=generator) / 4)
    if saved == "network":
        pipeline.unet.save_lora_adapter(str(tmp_path))
    else:
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipeline.unet))
        told = pipeline.unet.peft_config["default"].to_dict()
        pipeline.save_lora_weights(str(tmp_path), unet_lora_layers=layers, unet_lora_adapter_metadata=told)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        pipeline.unet.fuse_lora()
    expected = {
        key.replace(".base_layer", ""): value.detach()
        for key, value in pipeline.unet.named_parameters()
        if "lora_" not in key
    }
    found = patched(residency, model("sd1"), tmp_path / "pytorch_lora_weights.safetensors", "unet")
    assert_equal(found, expected, make_pipeline("sd1", seed=0).unet)


# --- in a workflow ----------------------------------------------------------------------------------------------------


def folder(made: Engine, name: str, **told: Any) -> Path:
    """Put a folder of PEFT's into the models root; with settings, its adapter_config.json."""
    path = made.config.roots.models / name
    path.mkdir()
    kit.save(path / "adapter_model.safetensors", kit.peft(kit.pairs(attention("sd1"), 1), "base_model.model."))
    if told:
        configure(path, **told)
    return path


def configure(path: Path, **told: Any) -> None:
    (path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": kit.RANK, **told}))


def test_settings_are_part_of_what_a_lora_is(made: Engine) -> None:
    """Draw by a folder or the file in it; what its settings say is drawn again when they change."""
    path = folder(made, "ink", lora_alpha=2 * kit.RANK)
    plain = put(made, "plain.safetensors", kit.peft(kit.pairs(attention("sd1"), 1), "unet."))
    twice = digest(drawn(made, lora(plain, strength=2.0)))
    assert digest(drawn(made, lora("ink"))) == twice
    assert digest(drawn(made, lora("ink/adapter_model.safetensors"))) == twice
    configure(path, lora_alpha=kit.RANK)
    assert digest(drawn(made, lora("ink"))) == digest(drawn(made, lora(plain)))


def test_what_is_assumed_without_settings_is_said(made: Engine) -> None:
    folder(made, "bare")
    for path, count in (
        ("bare", 1),
        (put(made, "own.safetensors", kit.peft(kit.pairs(attention("sd1"), 1), "unet.")), 0),
    ):
        log = Log()
        made.run(drawing(lora(path)), listen=log)
        said = [event.message for event in log.events if isinstance(event, NodeLog) and event.node == "lora0"]
        assert len(said) == count
        assert all("has no adapter_config.json beside it" in text and "taken to be the rank" in text for text in said)
        note = made.check(drawing(lora(path))).nodes["lora0"].facts["denoiser"].get("note")
        assert note == (said[0] if said else None)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"peft_type": "VERA"}, "is for 'VERA', and only LOHA, LOKR, LORA can be used"),
        ({"init_lora_weights": "pissa_niter_4"}, "path_initial_model_for_weight_conversion"),
        ({"use_dora": True}, "has no lora_magnitude_vector"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused_when_checked(
    told: dict[str, Any], message: str, made: Engine, tmp_path: Path
) -> None:
    folder(made, f"odd{tmp_path.name}", **told)
    said = refused(made, lora(f"odd{tmp_path.name}"))
    assert "lora0.path" in said
    assert message in said


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"lora_alpha": "5"}, "lora_alpha is '5', which is no number"),
        ({"lora_alpha": 5, "alpha_pattern": {"to_(q": 2}}, r"has the pattern 'to_\(q', which cannot be read"),
    ],
)
def test_settings_that_cannot_be_read(told: dict[str, Any], message: str, residency: Residency, tmp_path: Path) -> None:
    file = kit.save(tmp_path / "adapter_model.safetensors", kit.peft(kit.pairs(attention("sd1"), 1), ""))
    configure(tmp_path, **told)
    with pytest.raises(CheckpointError, match=message):
        patched(residency, model("sd1"), file, "unet")


def test_a_folder_that_is_none_of_peft_s_is_refused(made: Engine) -> None:
    (made.config.roots.models / "empty").mkdir()
    assert "is a folder without adapter_model.safetensors" in refused(made, lora("empty"))


@pytest.mark.parametrize("text", ["[1]", "{"])
def test_metadata_that_is_no_json_object_is_refused(text: str, tmp_path: Path) -> None:
    pairs = kit.peft(kit.pairs(attention("sd1"), 1), "unet.")
    file = kit.save(tmp_path / "a.safetensors", pairs, metadata={"lora_adapter_metadata": text})
    with pytest.raises(CheckpointError, match="its metadata"):
        open_lora(file)
