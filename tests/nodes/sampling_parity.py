"""The parity table: our methods and schedules against diffusers' schedulers, with the same network and seed.

`PYTHONPATH=tests python tests/nodes/sampling_parity.py` measures the table of docs/samplers.md anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partialmethod
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
from nodes.sampling_oracles import SHAPE, DrawsForSDE, RandomNetwork, RoundedBrownian, relative, run_diffusers, run_ours
from torch import Tensor

from graphgen_nodes.sampling import options, schedules
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sockets import Flow, Noise, Sampler, Schedule, VariancePreserving
from graphgen_nodes.sockets import Prediction as Parametrisation

CHAIN = VariancePreserving()
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PREDICTIONS: dict[Parametrisation, str] = {"epsilon": "epsilon", "v": "v_prediction"}
PAGE = Path(__file__).parents[2] / "docs" / "samplers.md"
BEGIN, END = "<!-- parity -->", "<!-- end of parity -->"
SPACINGS = ("leading", "linspace", "trailing")


@dataclass(frozen=True)
class Case:
    """One line of the table: a diffusers scheduler and what it takes here to do the same."""

    name: str
    scheduler: str
    config: dict[str, Any]
    sampler: Sampler
    schedule: Schedule
    prediction: Parametrisation = "epsilon"
    noisy: bool = False
    source: Callable[..., NoiseSource] = field(default=NoiseSource)
    tolerance: float = 1e-5

    def run(self) -> tuple[float, float]:
        """Return the largest relative difference of all the network saw, and of what came out."""
        theirs, ours = RandomNetwork(1), RandomNetwork(1)
        scheduler = scheduler_class(self.scheduler)(**self.config)
        steps = len(self.schedule.timesteps)
        reference = run_diffusers(scheduler, steps, theirs, seed=3, noisy=self.noisy)
        result = run_ours(ours, self.sampler, self.schedule, self.prediction, seed=3, source=self.source)
        assert len(theirs.calls) == len(ours.calls)
        for (_, timestep), (_, told) in zip(ours.calls, theirs.calls, strict=True):
            assert timestep == pytest.approx(told, abs=2e-3)
        seen = max(relative(a, b) for (a, _), (b, _) in zip(ours.calls, theirs.calls, strict=True))
        return seen, relative(result, reference)


def scheduler_class(name: str) -> Any:
    """Import one scheduler; torchsde, which one of them imports at once, is not needed for what is compared."""
    import diffusers.schedulers as package

    if name == "DPMSolverSDEScheduler":
        sys.modules.setdefault("torchsde", ModuleType("torchsde"))
        from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler

        return type(name, (_SharedBrownian, DPMSolverSDEScheduler), {})
    if name == "DDIMScheduler, eta":
        step = partialmethod(package.DDIMScheduler.step, eta=0.7)
        return type("EtaDDIM", (package.DDIMScheduler,), {"step": step})
    if name.startswith("TCDScheduler, gamma"):
        step = partialmethod(package.TCDScheduler.step, eta=float(name.split()[-1]))
        return type("GammaTCD", (package.TCDScheduler,), {"step": step})
    return getattr(package, name)


class _SharedBrownian:
    """Gives diffusers' SDE scheduler our Brownian path, as torchsde's has another seed."""

    def set_timesteps(self, *arguments: Any, **options: Any) -> None:
        super().set_timesteps(*arguments, **options)  # type: ignore[misc]
        source = RoundedBrownian(Noise(3), SHAPE, CHAIN)

        def increment(sigma: Tensor, following: Tensor) -> Tensor:
            return source.brownian(float(sigma), float(following))

        self.noise_sampler = increment


def cases() -> Iterator[Case]:
    """Yield every line of the table."""
    for prediction, theirs in PREDICTIONS.items():
        for spacing in SPACINGS:
            yield from _chain_cases(prediction, theirs, spacing)
        yield from _other_chain_cases(prediction, theirs)
    yield from _flow_cases()


def _chain_cases(prediction: Parametrisation, theirs: str, spacing: Any) -> Iterator[Case]:
    config = {**BETAS, "prediction_type": theirs, "timestep_spacing": spacing, "steps_offset": 1}
    end = f"{spacing}, {prediction}"
    line: tuple[Any, ...]

    def chain(steps: int, **settings: Any) -> Schedule:
        return schedules.model(CHAIN, steps, spacing=spacing, **settings)

    if spacing != "linspace":  # diffusers' DDIM steps past linspace's own timesteps
        for final, to_one in (("sigma_min", False), ("zero", True)):
            settings = {**config, "clip_sample": False, "set_alpha_to_one": to_one}
            line = options.DDIM(), chain(20, final_sigma=final), prediction
            yield Case(f"DDIM, final {final}, {end}", "DDIMScheduler", settings, *line)
        line = options.DDIM(eta=0.7), chain(20), prediction
        yield Case(f"DDIM, eta 0.7, {end}", "DDIMScheduler, eta", {**config, "clip_sample": False}, *line, noisy=True)
    settings = {**config, "clip_sample": False, "variance_type": "fixed_small"}
    yield Case(f"DDPM, {end}", "DDPMScheduler", settings, options.DDPM(), chain(12), prediction, noisy=True)
    as_euler = chain(12, rounding="none", initial_noise="path" if spacing == "leading" else "sigma")
    for name, method, noisy, source in (
        ("EulerDiscreteScheduler", options.Euler(), False, NoiseSource),
        ("EulerAncestralDiscreteScheduler", options.EulerAncestral(), True, NoiseSource),
        ("HeunDiscreteScheduler", options.Heun(), False, NoiseSource),
        ("LMSDiscreteScheduler", options.LMS(), False, NoiseSource),
        ("DPMSolverSDEScheduler", options.DPMppSDE(), False, RoundedBrownian),
        ("KDPM2DiscreteScheduler", options.DPM2(), False, NoiseSource),
        ("KDPM2AncestralDiscreteScheduler", options.DPM2(eta=1.0), True, NoiseSource),
    ):
        title = "DPM2, eta 1" if method == options.DPM2(eta=1.0) else type(method).__name__
        yield Case(f"{title}, {end}", name, config, method, as_euler, prediction, noisy, source)
    for final in ("zero", "sigma_min"):
        settings = {**config, "final_sigmas_type": final}
        as_solver = chain(18, drop_last=True, final_sigma=final)
        name = f"DPMpp2M, final {final}, {end}"
        yield Case(name, "DPMSolverMultistepScheduler", settings, options.DPMpp2M(), as_solver, prediction)
        settings = {**settings, "solver_order": 3, "solver_type": "heun"}
        line = options.DPMpp3MSDE(eta=0.0), as_solver, prediction
        yield Case(f"DPMpp3MSDE, eta 0, final {final}, {end}", "DPMSolverMultistepScheduler", settings, *line)
    for order in (1, 2, 3):
        settings, as_solver = {**config, "solver_order": order}, chain(18, drop_last=True, final_sigma="sigma_min")
        name = f"DEIS, order {order}, {end}"
        line, tolerance = (options.DEIS(order), as_solver, prediction), 5e-5 if order == 3 else 1e-5
        # diffusers takes differences of integrals in single precision
        yield Case(name, "DEISMultistepScheduler", settings, *line, tolerance=tolerance)
    solvers: tuple[Literal["midpoint", "heun"], ...] = ("midpoint", "heun")
    for solver in solvers:
        settings = {**config, "algorithm_type": "sde-dpmsolver++", "solver_type": solver}
        line = options.DPMpp2MSDE(solver=solver), chain(18, drop_last=True), prediction, True, DrawsForSDE
        yield Case(f"DPMpp2MSDE, {solver}, {end}", "DPMSolverMultistepScheduler", settings, *line)
    yield from _sa_cases(config, spacing, prediction)
    for order in (1, 2, 3):
        for variant, final in (("bh1", "sigma_min"), ("bh2", "zero")):  # diffusers' bh1 is NaN at sigma 0
            settings = {**config, "solver_order": order, "solver_type": variant, "final_sigmas_type": final}
            line = options.UniPC(order, variant), chain(12, drop_last=True, final_sigma=final), prediction  # type: ignore[arg-type]
            yield Case(f"UniPC, order {order}, {variant}, {end}", "UniPCMultistepScheduler", settings, *line)


def _sa_cases(config: dict[str, Any], spacing: Any, prediction: Parametrisation) -> Iterator[Case]:
    schedule = schedules.model(CHAIN, 18, spacing=spacing, drop_last=True, final_sigma="sigma_min")
    for predictor, corrector in ((1, 1), (2, 2), (3, 4)):
        settings = {**config, "predictor_order": predictor, "corrector_order": corrector}
        line = options.SASolver(predictor, corrector), schedule, prediction, True
        name = f"SASolver, orders {predictor} and {corrector}, {spacing}, {prediction}"
        # diffusers expands its polynomials in lambda itself, in single precision
        yield Case(name, "SASolverScheduler", settings, *line, tolerance=1e-4 if predictor == 3 else 1e-5)


def _other_chain_cases(prediction: Parametrisation, theirs: str) -> Iterator[Case]:
    config = {**BETAS, "prediction_type": theirs}
    line: tuple[Any, ...]
    if prediction == "epsilon":  # diffusers extrapolates raw outputs, which for v is another method
        settings = {**config, "skip_prk_steps": True, "steps_offset": 1}
        line = options.PNDM(), schedules.model(CHAIN, 20, final_sigma="sigma_min"), prediction
        yield Case("PNDM, leading, epsilon", "PNDMScheduler", settings, *line)
    settings = {**config, "clip_sample": False, "variance_type": "fixed_large"}
    line = options.DDPM("large"), schedules.model(CHAIN, 12, steps_offset=0), prediction, True
    yield Case(f"DDPM, large variance, {prediction}", "DDPMScheduler", settings, *line)
    for steps in (1, 4):
        line = options.LCM(), schedules.model(CHAIN, steps, spacing="distilled"), prediction, True
        yield Case(f"LCM, {steps} steps, {prediction}", "LCMScheduler", {**config, "clip_sample": False}, *line)
        settings = {**config, "clip_sample": False}
        schedule = schedules.model(CHAIN, steps, spacing="distilled", final_sigma="sigma_min")
        for gamma, scheduler in ((0.3, "TCDScheduler"), (0.0, "TCDScheduler, gamma 0"), (1.0, "TCDScheduler, gamma 1")):
            line = options.TCD(gamma), schedule, prediction, True
            yield Case(f"TCD, gamma {gamma:g}, {steps} steps, {prediction}", scheduler, config, *line)
    for name, maker in (("karras", schedules.karras), ("exponential", schedules.exponential)):
        settings = {**config, f"use_{name}_sigmas": True}
        schedule = maker(CHAIN, 12, initial_noise="sigma")
        yield Case(
            f"Euler, {name}, {prediction}", "EulerDiscreteScheduler", settings, options.Euler(), schedule, prediction
        )
    if prediction == "v":
        settings = {**config, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        chain = replace(CHAIN, zero_terminal_snr=True)
        line = options.Euler(), schedules.model(chain, 12, spacing="trailing", initial_noise="sigma"), prediction
        name = "Euler, zero terminal SNR, trailing, v"
        yield Case(name, "EulerDiscreteScheduler", settings, *line, tolerance=5e-5)  # x begins at 4096 in float32
    settings = {**config, "use_karras_sigmas": True}
    line = options.DPMpp2M(), schedules.karras(CHAIN, 12, rounding="nearest"), prediction
    yield Case(f"DPMpp2M, karras, {prediction}", "DPMSolverMultistepScheduler", settings, *line)


def _flow_cases() -> Iterator[Case]:
    for shift in (1.0, 3.0):
        schedule = schedules.flow(Flow(shift), 12)
        for name, method in (("Euler", options.Euler()), ("Heun", options.Heun())):
            scheduler = f"FlowMatch{name}DiscreteScheduler"
            yield Case(f"{name}, flow, shift {shift:g}", scheduler, {"shift": shift}, method, schedule, "flow")


def main() -> None:
    """Put the table, measured anew, into docs/samplers.md."""
    lines = ["| case | diffusers scheduler | network inputs | result |", "| --- | --- | --- | --- |"]
    for case in cases():
        seen, result = case.run()
        lines.append(f"| {case.name} | {case.scheduler} | {seen:.1e} | {result:.1e} |")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(f"{BEGIN}\n")
    after = rest.partition(END)[2]
    PAGE.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]), encoding="utf-8")


if __name__ == "__main__":
    main()
