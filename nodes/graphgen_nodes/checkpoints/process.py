"""Find out which noise process a checkpoint was trained on: what its network predicts, and along which path.

Tensor shapes cannot tell: SD 2 base and SD 2.1-v look alike, and so do SD 1 and a flow-matching UNet. What can is a
folder's scheduler_config.json, marker tensors, and a single file's metadata (ModelSpec 1.0,
https://github.com/Stability-AI/ModelSpec).
"""

from __future__ import annotations

from collections.abc import Mapping

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.parts import Checkpoint, Config
from graphgen_nodes.sampling.paths import BetaSchedule, Flow, Path, VariancePreserving
from graphgen_nodes.sockets import Prediction

SPELLINGS: Mapping[str, Prediction] = {
    "epsilon": "epsilon",
    "eps": "epsilon",
    "v": "v",
    "v_prediction": "v",
    "sample": "sample",
    "flow": "flow",
    "flow_prediction": "flow",
}
METADATA = ("modelspec.prediction_type", "modelspec.predict_key", "prediction_type")
ARCHITECTURES: Mapping[str, Prediction] = {"stable-diffusion-v2-512": "epsilon", "stable-diffusion-v2-768-v": "v"}
MARKERS = ("v_pred", "ztsnr")
"""Empty tensors that trainers put beside a v-prediction model; the second says that its last step is pure noise."""

EDM_MARKERS = ("edm_mean", "edm_vpred.sigma_max")
"""Tensors beside a network that wants the input and output scales of Karras et al. 2022 (Playground 2.5, CosXL)."""

BETAS: Mapping[str, BetaSchedule] = {
    "linear": "linear",
    "scaled_linear": "scaled_linear",
    "cosine": "cosine",
    "squaredcos_cap_v2": "cosine",
}
"""What graphgen and diffusers call the ways of spacing betas."""

SCHEDULER_BETAS = VariancePreserving(0.0001, 0.02, "linear", 1000)
"""What diffusers' schedulers take where their configuration is silent."""


def told_prediction(checkpoint: Checkpoint) -> Prediction | None:
    """Return what the checkpoint says its network predicts, or None when it says nothing.

    Raises:
        CheckpointError: it says something that graphgen does not know.
    """
    _refuse_edm(checkpoint)
    if checkpoint.scheduler is not None:
        return _told_by_scheduler(checkpoint, checkpoint.scheduler)
    for key in METADATA:
        if key in checkpoint.metadata:
            return _spelled(checkpoint.metadata[key], f"{checkpoint.path}: its metadata {key}")
    architecture = checkpoint.metadata.get("modelspec.architecture", "")
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    return "v" if any(marker in checkpoint.markers for marker in MARKERS) else None


def ends_in_pure_noise(checkpoint: Checkpoint) -> bool:
    """Tell whether the checkpoint says that its schedule was rescaled to zero terminal SNR (Lin et al. 2024)."""
    return "ztsnr" in checkpoint.markers or bool((checkpoint.scheduler or {}).get("rescale_betas_zero_snr"))


def noise_path(scheduler: Config | None, prediction: Prediction, usual: Path) -> Path:
    """Return the path of the noise process: a scheduler's settings, or what is usual for the family.

    A scheduler of another kind than the prediction asked for says nothing of its path.

    Raises:
        CheckpointError: the scheduler has betas of a kind that graphgen does not know.
    """
    if scheduler is not None and is_flow(scheduler) is not (prediction == "flow"):
        scheduler = None
    told = scheduler or {}
    if prediction == "flow":
        flow = usual if isinstance(usual, Flow) and scheduler is None else Flow()
        return Flow(shift=number(told, "shift", flow.shift), timesteps=steps(told, flow.timesteps))
    betas = usual if isinstance(usual, VariancePreserving) and scheduler is None else SCHEDULER_BETAS
    schedule = BETAS.get(str(told.get("beta_schedule", betas.beta_schedule)))
    if schedule is None or told.get("trained_betas") is not None:
        raise CheckpointError(
            f"scheduler_config.json: beta_schedule is {told.get('beta_schedule')!r}; graphgen knows "
            f"{', '.join(BETAS)}, without betas of its own"
        )
    return VariancePreserving(
        beta_start=number(told, "beta_start", betas.beta_start),
        beta_end=number(told, "beta_end", betas.beta_end),
        beta_schedule=schedule,
        timesteps=steps(told, betas.timesteps),
    )


def _told_by_scheduler(checkpoint: Checkpoint, scheduler: Config) -> Prediction:
    if is_flow(scheduler):
        return "flow"
    # diffusers' schedulers predict epsilon where their configuration is silent
    return _spelled(
        scheduler.get("prediction_type", "epsilon"), f"{checkpoint.path}: scheduler_config.json's prediction_type"
    )


def _refuse_edm(checkpoint: Checkpoint) -> None:
    scheduler = str((checkpoint.scheduler or {}).get("_class_name", ""))
    marks = [f"tensor {marker!r}" for marker in EDM_MARKERS if marker in checkpoint.markers]
    if scheduler.startswith("EDM"):
        marks.append(f"scheduler {scheduler}")
    if marks:
        raise CheckpointError(
            f"{checkpoint.path}: its {marks[0]} says that it was trained by EDM's scales (Playground 2.5, CosXL), "
            "which graphgen cannot run; give a model that predicts epsilon, v or a flow"
        )


def is_flow(scheduler: Config) -> bool:
    """Tell whether a scheduler is one of flow matching."""
    return str(scheduler.get("_class_name", "")).startswith("FlowMatch") or bool(scheduler.get("use_flow_sigmas"))


def _spelled(word: object, place: str) -> Prediction:
    if not isinstance(word, str) or word not in SPELLINGS:
        raise CheckpointError(f"{place} is {word!r}; graphgen knows {', '.join(SPELLINGS)}: set prediction on the node")
    return SPELLINGS[word]


def number(told: Config, name: str, usual: float) -> float:
    """Return a number that a scheduler's settings tell, or what is usual."""
    value = told.get(name, usual)
    return float(value) if isinstance(value, int | float) else usual


def steps(told: Config, usual: int) -> int:
    """Return how many timesteps a scheduler was made for, or what is usual."""
    value = told.get("num_train_timesteps", usual)
    return value if isinstance(value, int) else usual
