"""Stable Diffusion XL (Podell et al. 2023), base and refiner: UNets that are told a picture's size beside the prompt.

The base reads CLIP ViT-L and OpenCLIP bigG side by side, each up to its last layer but one, and bigG's pooled output.
The refiner, for the last steps, reads bigG alone, and is told an aesthetic score instead of the size aimed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from graphgen import Facts
from graphgen_nodes.checkpoints.layouts.clip import ClipText
from graphgen_nodes.checkpoints.layouts.control_unet import ControlUNet
from graphgen_nodes.checkpoints.layouts.t2i_adapter import T2IAdapter
from graphgen_nodes.checkpoints.layouts.unet import ADDED_WIDTH, UNet
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families.family import Slot, fits_clip, told, whole
from graphgen_nodes.families.sd import StableDiffusion
from graphgen_nodes.sockets import EmptyPrompt, Prediction, SizedConditioning

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning
    from graphgen_nodes.text.reading import Reading

# each under the release's name and under diffusers'
FIRST_ATTENTION = ("input_blocks.1.1.norm.weight", "down_blocks.0.attentions.0.norm.weight")
CONDITION = ("label_emb.0.0.weight", "add_embedding.linear_1.weight")
PROMPT = (
    "middle_block.1.transformer_blocks.0.attn2.to_k.weight",
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
)
CELL = 8
"""Pixels to a latent cell."""
SIZES = 6
"""Height and width of the whole picture, top and left of the part, height and width aimed at."""
SCORE = 6.0
"""The aesthetic score that the refiner is told unless something else is said."""

CLIP_L = Slot("text_encoder", ("text_encoder", "clip_l"), ClipText("quick_gelu"), "clip", layer=2)
BIG_G = Slot("text_encoder_2", ("text_encoder_2", "clip_g"), ClipText("gelu", projection=True), "openclip", layer=2)


class StableDiffusionXL(StableDiffusion):
    """Stable Diffusion XL's base model, and what is fine-tuned or distilled from it (Turbo, Lightning)."""

    name = "sdxl"
    title = "Stable Diffusion XL"
    latent_family = "sdxl"
    latent_scale = 0.13025
    linear = True
    denoiser = Slot("unet", ("unet", "denoiser"), UNet(heads=lambda channels: max(channels // 64, 1)))
    controls: tuple[Slot, ...] = (
        Slot("controlnet", ("controlnet",), ControlUNet(heads=lambda channels: max(channels // 64, 1))),
        Slot("adapter", ("adapter",), T2IAdapter("full_adapter_xl", unit=16)),
    )
    texts: tuple[Slot, ...] = (CLIP_L, BIG_G)
    empty_prompt: ClassVar[EmptyPrompt] = "zeros"
    picture_numbers: ClassVar[tuple[str, ...]] = ("width", "height", "left", "top", "target_width", "target_height")

    def is_denoiser(self, part: Part) -> bool:
        """Recognise a UNet with a further condition that attends from its second resolution on."""
        condition, prompt = _widths(part)
        return condition > 0 and prompt > 0 and not _is_refiner(part)

    def is_text(self, slot: Slot, part: Part) -> bool:
        """Recognise the two CLIPs by what they are called or by their published widths."""
        return fits_clip(slot, part)

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return epsilon, as all releases predict; fine-tunes that predict v carry a marker of their trainers."""
        return "epsilon"

    def wants(self, config: Config) -> Facts:
        """Return the widths of its two text inputs, of which the pooled one comes along with the numbers."""
        pooled = whole(config, "projection_class_embeddings_input_dim") - len(self.picture_numbers) * ADDED_WIDTH
        return {"embedding": whole(config, "cross_attention_dim"), "pooled": pooled, "multiple": 1}

    def gives(self, configs: Mapping[str, Config]) -> Facts:
        """Return CLIP's 77 tokens, all encoders' widths side by side, and bigG's projection."""
        width = sum(whole(configs.get(slot.part), "hidden_size") for slot in self.texts)
        pooled = whole(configs.get(BIG_G.part), "projection_dim")
        return {"tokens": BIG_G.length, "embedding": width, "pooled": pooled}

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the UNet, with sizes that were not said taken from the latent."""
        words = told(conditioning, SizedConditioning)
        found: Tensor = network(
            x,
            timestep,
            encoder_hidden_states=words.embeddings,
            added_cond_kwargs={"text_embeds": words.pooled, "time_ids": self.numbers(words, x)},
            return_dict=False,
        )[0]
        return found

    def numbers(self, words: SizedConditioning, x: Tensor) -> Tensor:
        """Return what is told of the picture, `[batch, numbers]`: whole, cropped and target size."""
        return _sizes(words, x)

    def conditioning(self, read: Mapping[str, Reading]) -> SizedConditioning:
        """Return the states before each encoder's last layer side by side, and bigG's projection."""
        import torch

        states = torch.cat([read[slot.part].states for slot in self.texts], dim=-1)
        nothing = torch.zeros(len(states), SIZES, dtype=torch.int64)
        pooled = read[BIG_G.part].pooled
        return SizedConditioning(self.name, states, pooled, sizes=nothing, score=torch.zeros(len(states)))


class StableDiffusionXLRefiner(StableDiffusionXL):
    """Stable Diffusion XL's refiner, which takes over where little noise is left."""

    name = "sdxl_refiner"
    title = "Stable Diffusion XL refiner"
    texts = (BIG_G,)
    controls = ()
    empty_prompt = "encoded"
    picture_numbers = ("width", "height", "left", "top", "score")

    def is_denoiser(self, part: Part) -> bool:
        """Recognise a UNet whose prompt and pooled prompt have one width, beside five numbers."""
        return _is_refiner(part)

    def numbers(self, words: SizedConditioning, x: Tensor) -> Tensor:
        """Return what is told of the picture, `[batch, numbers]`: whole and cropped size, and the score."""
        import torch

        score = torch.where(words.score == 0, SCORE, words.score.float())
        return torch.cat([_sizes(words, x)[:, :4].float(), score[:, None]], dim=1)


def _widths(part: Part) -> tuple[int, int]:
    """Return the widths of a UNet's further condition and of its prompt; 0 where it is not built like SDXL's."""
    if any(name in part.shapes for name in FIRST_ATTENTION):
        return 0, 0
    condition, prompt = (
        next((part.shapes[n][-1] for n in names if n in part.shapes), 0) for names in (CONDITION, PROMPT)
    )
    return condition, prompt


def _is_refiner(part: Part) -> bool:
    condition, prompt = _widths(part)
    return prompt > 0 and condition == prompt + len(StableDiffusionXLRefiner.picture_numbers) * ADDED_WIDTH


def _sizes(words: SizedConditioning, x: Tensor) -> Tensor:
    import torch

    height, width = x.shape[-2] * CELL, x.shape[-1] * CELL
    usual = torch.tensor([height, width, 0, 0, height, width], device=x.device)
    return torch.where(words.sizes == 0, usual, words.sizes)


FAMILIES = (StableDiffusionXL(), StableDiffusionXLRefiner())
