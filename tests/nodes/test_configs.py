"""Check the shipped configs: each builds its class, with the published number of parameters."""

import inspect
import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

import graphgen_nodes

CONFIGS = Path(graphgen_nodes.__path__[0]) / "assets" / "configs"

UNET_1, UNET_2 = 859_520_964, 865_910_724
VAE_4, VAE_16 = 83_653_863, 83_819_683
CLIP_L, CLIP_L_PROJECTED = 123_060_480, 123_650_304
CLIP_H, CLIP_G = 340_387_840, 694_659_840
T5_XXL = 4_762_310_656
UNET_XL, UNET_REFINER = 2_567_463_684, 2_259_526_660
FLUX_ENCODERS = {"text_encoder": CLIP_L, "text_encoder_2": T5_XXL, "vae": VAE_16}
SD3_ENCODERS = {"text_encoder": CLIP_L_PROJECTED, "text_encoder_2": CLIP_G, "text_encoder_3": T5_XXL, "vae": VAE_16}

# Published counts of trained parameters. The refiner's is what its file of 6,075,981,930 bytes has room for beside the
# other two networks. SD3's three transformers are counted in Stability's own reference network (mmditx.py of
# Stability-AI/sd3.5), without its fixed position table.
PARAMETERS = {
    "sd1": {"unet": UNET_1, "vae": VAE_4, "text_encoder": CLIP_L},
    "sd2": {"unet": UNET_2, "vae": VAE_4, "text_encoder": CLIP_H},
    "sd2_v": {"unet": UNET_2, "vae": VAE_4, "text_encoder": CLIP_H},
    "sdxl": {"unet": UNET_XL, "vae": VAE_4, "text_encoder": CLIP_L, "text_encoder_2": CLIP_G},
    "sdxl_refiner": {"unet": UNET_REFINER, "vae": VAE_4, "text_encoder_2": CLIP_G},
    "sd3_medium": {"transformer": 2_028_328_000, **SD3_ENCODERS},
    "sd35_medium": {"transformer": 2_243_171_520, **SD3_ENCODERS},
    "sd35_large": {"transformer": 8_056_627_520, **SD3_ENCODERS},
    "flux_dev": {"transformer": 11_901_408_320, **FLUX_ENCODERS},
    "flux_schnell": {"transformer": 11_891_178_560, **FLUX_ENCODERS},
}


def read(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def build(family: str, component: str) -> torch.nn.Module:
    """Build a component without memory for its weights, as model_index.json names its class."""
    library, name = read(CONFIGS / family / "model_index.json")[component]
    config = read(CONFIGS / family / component / "config.json")
    with torch.device("meta"):
        if library == "transformers":
            cls = getattr(transformers, name)
            module = cls(cls.config_class(**config))
        else:
            module = getattr(diffusers, name).from_config(config)
    assert isinstance(module, torch.nn.Module)
    return module


COMPONENTS = [(family, component) for family, parts in PARAMETERS.items() for component in parts]


@pytest.mark.parametrize(("family", "component"), COMPONENTS)
def test_a_config_builds_the_published_network(family: str, component: str) -> None:
    module = build(family, component)
    assert sum(parameter.numel() for parameter in module.parameters()) == PARAMETERS[family][component]


@pytest.mark.parametrize("family", PARAMETERS)
def test_a_family_holds_a_config_for_each_part_and_nothing_else(family: str) -> None:
    index = read(CONFIGS / family / "model_index.json")
    parts = {name for name, value in index.items() if isinstance(value, list)}
    files = {str(file.relative_to(CONFIGS / family)) for file in (CONFIGS / family).rglob("*.json")}
    networks = parts - {"scheduler"}
    assert networks == set(PARAMETERS[family])
    assert files == {"model_index.json", "scheduler/scheduler_config.json"} | {f"{x}/config.json" for x in networks}


@pytest.mark.parametrize(("family", "component"), [x for x in COMPONENTS if not x[1].startswith("text_encoder")])
def test_every_key_is_one_that_the_class_knows(family: str, component: str) -> None:
    config = read(CONFIGS / family / component / "config.json")
    known = inspect.signature(getattr(diffusers, str(config.pop("_class_name"))).__init__).parameters
    assert set(config) <= set(known)


@pytest.mark.parametrize(
    ("family", "prediction"),
    [
        ("sd1", "epsilon"),
        ("sd2", "epsilon"),
        ("sd2_v", "v_prediction"),
        ("sdxl", "epsilon"),
        ("sdxl_refiner", "epsilon"),
    ],
)
def test_the_betas_of_stable_diffusion(family: str, prediction: str) -> None:
    config = read(CONFIGS / family / "scheduler" / "scheduler_config.json")
    scheduler = getattr(diffusers, str(config["_class_name"])).from_config(config)
    assert scheduler.config.prediction_type == prediction
    # the original code's make_beta_schedule("linear", 1000, 0.00085, 0.012): a line between square roots
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), (1 - betas).cumprod(0), rtol=2e-5, atol=0)
    assert float(scheduler.alphas_cumprod[-1]) == pytest.approx(0.00466, abs=1e-5)


@pytest.mark.parametrize("family", ["sd3_medium", "sd35_medium", "sd35_large"])
def test_the_shift_of_stable_diffusion_3(family: str) -> None:
    config = read(CONFIGS / family / "scheduler" / "scheduler_config.json")
    scheduler = getattr(diffusers, str(config["_class_name"])).from_config(config)
    t = torch.arange(1000, 0, -1) / 1000
    torch.testing.assert_close(scheduler.sigmas.float(), 3 * t / (1 + 2 * t))


def test_the_shift_of_flux() -> None:
    """The dev model's shift follows the picture's size, and the schnell model has none."""
    moving, still = (
        read(CONFIGS / name / "scheduler" / "scheduler_config.json") for name in ("flux_dev", "flux_schnell")
    )
    assert moving["use_dynamic_shifting"]
    assert not still["use_dynamic_shifting"]
    assert still["shift"] == 1.0
