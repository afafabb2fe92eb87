"""Pictures beside the latent that is drawn, as facts: those that a denoiser sees, and those kept around. Torch-free."""

from __future__ import annotations

from graphgen import Facts, Refusal

_SEEN = {
    "nothing": ("nothing", "take the prompt as it was before, or load a model that sees a picture"),
    "picture": ("a picture", "put editing.picture between the prompt and the guider"),
    "depth": ("depths", "put editing.depth between the prompt and the guider"),
    "masked_picture": ("a mask and a masked picture", "put editing.masked_picture between the prompt and the guider"),
}
"""What a denoiser sees, in words, and how to show it."""


def check_beside(denoiser: Facts, prompt: Facts, at: str) -> None:
    """Refuse to show a denoiser something else beside the latent than it was trained to see."""
    wanted, shown = denoiser.get("beside"), prompt.get("beside")
    if wanted == shown or wanted not in _SEEN or shown not in _SEEN:
        return
    words, cure = _SEEN[str(wanted)]
    raise Refusal(
        f"shows the denoiser {_SEEN[str(shown)][0]} beside the latent, but this one sees {words} there",
        at=at,
        allowed=f"conditionings that show {words}",
        cure=cure,
    )


def check_reference(denoiser: Facts, prompt: Facts, at: str) -> None:
    """Refuse to show a picture to refer to to a denoiser that cannot take its tokens."""
    if not prompt.get("reference"):
        return
    cure = "take editing.reference out, or load Flux.1 Kontext"
    beside = denoiser.get("beside", "nothing")
    if beside != "nothing" and beside in _SEEN:
        message = f"shows a picture to refer to, but this denoiser sees {_SEEN[str(beside)][0]} beside the latent"
        raise Refusal(message, at=at, cure=cure)
    if denoiser.get("control"):
        message = "shows a picture to refer to, but a ControlNet follows a picture of what is drawn alone"
        raise Refusal(message, at=at, cure="take either editing.reference or controlnet.apply out")


def check_shown_size(guider: Facts, latent: Facts) -> None:
    """Refuse a latent of another size than what the denoiser sees beside it."""
    for name in ("rows", "columns"):
        shown, cells = guider.get(name), latent.get(name)
        if shown is not None and cells is not None and shown != cells:
            message = f"has {cells} {name}, but what the denoiser sees beside it has {shown}"
            raise Refusal(message, at="latent", cure="make both for one size of pictures")


def check_kept_picture(sampler: Facts, latent: Facts) -> None:
    """Refuse to sample a latent unlike the one that a method keeps outside a mask."""
    for name, what in (("format", "format"), ("rows", "rows"), ("columns", "columns")):
        if name in sampler and name in latent and sampler[name] != latent[name]:
            raise Refusal(
                f"differs in {what} from the picture that editing.inpaint keeps",
                at="latent",
                cure="sample the picture's own latent, or an empty one of its size",
            )
    kept, images = sampler.get("batch"), latent.get("batch")
    if isinstance(kept, int) and isinstance(images, int) and kept not in (1, images):
        message = f"is a batch of {images}, but editing.inpaint keeps {kept} pictures"
        raise Refusal(message, at="latent", allowed=f"a batch of {kept}", cure="give editing.inpaint one picture")
