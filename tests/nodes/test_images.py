"""Image nodes: what they do to pixels, what they know beforehand, and what they refuse."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy
import PIL.Image
import pytest
import torch
from engine_kit import config
from pydantic import ValidationError
from torch.nn import functional

from graphgen import Context, Facts, Files, Known, Preview, Refusal
from graphgen.engine import Engine
from graphgen.errors import Cancelled, PathError
from graphgen.jsontypes import JSON
from graphgen.node import spec_of
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.validation import problems_of
from graphgen_nodes.imaging.files import read_picture
from graphgen_nodes.imaging.geometry import Mode, Size, check_size, covering, fitted
from graphgen_nodes.imaging.names import clean_stem
from graphgen_nodes.packs import images
from graphgen_nodes.packs.images import Method
from graphgen_nodes.sockets import Image, Mask

METHODS = ("lanczos", "bicubic", "bilinear", "area", "nearest")


def noise(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


PICTURE = Image(noise(2, 3, 24, 32))
TRANSPARENT = Image(noise(2, 4, 24, 32))


# --- resize ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stretch", "fit", "fill", "pad"])
@pytest.mark.parametrize("method", METHODS)
def test_resizing_to_the_same_size_changes_nothing(mode: Mode, method: Method) -> None:
    assert torch.equal(images.resize(PICTURE, width=32, height=24, mode=mode, method=method).pixels, PICTURE.pixels)


@pytest.mark.parametrize(("method", "theirs"), [("bilinear", "bilinear"), ("bicubic", "bicubic")])
@pytest.mark.parametrize("size", [Size(13, 7), Size(50, 60), Size(64, 10)])
def test_filters_agree_with_torch(method: Method, theirs: str, size: Size) -> None:
    ours = images.resize(PICTURE, width=size.width, height=size.height, mode="stretch", method=method).pixels
    expected = functional.interpolate(PICTURE.pixels, (size.height, size.width), mode=theirs, antialias=True)
    assert (ours - expected.clamp(0, 1)).abs().max() < 1e-5


def test_area_averages_and_nearest_repeats() -> None:
    half = images.resize(PICTURE, width=16, height=12, mode="stretch", method="area").pixels
    assert (half - functional.avg_pool2d(PICTURE.pixels, 2)).abs().max() < 1e-6
    double = images.resize(PICTURE, width=64, height=48, mode="stretch", method="nearest").pixels
    assert torch.equal(double, PICTURE.pixels.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("method", METHODS)
def test_one_colour_stays_one_colour(method: Method) -> None:
    grey = images.solid(width=30, height=20, color="#336699", batch=1)
    resized = images.resize(grey, width=17, height=41, mode="stretch", method=method).pixels
    assert (resized - torch.tensor([0.2, 0.4, 0.6]).reshape(1, 3, 1, 1)).abs().max() < 1e-6


def test_lanczos_stays_in_range() -> None:
    edges = Image((noise(1, 3, 16, 16) > 0.5).float())
    pixels = images.resize(edges, width=61, height=61, mode="stretch", method="lanczos").pixels
    assert (float(pixels.min()), float(pixels.max())) == (0, 1)


def test_fit_is_the_largest_inside_and_pad_puts_it_in_the_middle() -> None:
    fit = images.resize(PICTURE, width=16, height=16, mode="fit", method="area").pixels
    assert fit.shape == (2, 3, 12, 16)
    pad = images.resize(PICTURE, width=16, height=16, mode="pad", method="area", background="#ff0000").pixels
    assert pad.shape == (2, 3, 16, 16)
    assert torch.equal(pad[:, :, 2:14], fit)
    assert pad[0, :, 0, 0].tolist() == [1, 0, 0]


def test_fill_takes_the_middle() -> None:
    filled = images.resize(PICTURE, width=24, height=24, mode="fill", method="lanczos").pixels
    assert torch.equal(filled, PICTURE.pixels[..., 4:28])
    flat = images.resize(PICTURE, width=32, height=8, mode="fill", method="nearest").pixels
    assert torch.equal(flat, PICTURE.pixels[:, :, 8:16])


def test_hidden_colours_do_not_bleed_into_seen_ones() -> None:
    pixels = torch.zeros(1, 4, 8, 8)
    pixels[:, 0, :, :4], pixels[:, 3, :, :4] = 1, 1  # red and opaque on the left
    pixels[:, 1, :, 4:] = 1  # green but transparent on the right
    resized = images.resize(Image(pixels), width=3, height=3, mode="stretch", method="bilinear").pixels
    seen = resized[:, 3] > 0
    assert resized[:, 0][seen].min() > 0.999
    assert resized[:, 1][seen].max() < 0.001


def test_sizes_never_become_zero() -> None:
    assert fitted(Size(1000, 1), Size(10, 10)) == Size(10, 1)
    assert images.resize(Image(noise(1, 3, 1, 900)), width=9, height=9, mode="fit").pixels.shape == (1, 3, 1, 9)
    box = covering(Size(100, 50), Size(10, 10))
    assert box == (25, 0, 75, 50)


# --- crop, batch, pick, solid ---------------------------------------------------------------------------------------


def test_crop_takes_the_part_that_is_asked_for() -> None:
    assert torch.equal(images.crop(PICTURE, x=3, y=5, width=10, height=7).pixels, PICTURE.pixels[:, :, 5:12, 3:13])
    with pytest.raises(ValueError, match="leaves the picture of 32 x 24; allowed there: width up to 2, height up to"):
        images.crop(PICTURE, x=30, y=0, width=3, height=3)


def test_a_batch_can_be_made_and_taken_apart() -> None:
    joined = images.batch(PICTURE, Image(PICTURE.pixels.flip(0)))
    assert joined.pixels.shape == (4, 3, 24, 32)
    assert torch.equal(images.pick(joined, index=1).pixels, PICTURE.pixels[1:])
    assert torch.equal(images.pick(joined, index=2, count=2).pixels, PICTURE.pixels.flip(0))
    with pytest.raises(ValueError, match="pictures 3 to 4 of a batch of 4"):
        images.pick(joined, index=3, count=2)


def test_different_pictures_make_no_batch() -> None:
    with pytest.raises(ValueError, match=r"picture 2 is 32 x 24 with 4 channels and the first is 32 x 24 with 3"):
        images.batch(PICTURE, TRANSPARENT)
    with pytest.raises(ValueError, match=r"put images\.resize before it"):
        images.batch(PICTURE, Image(noise(1, 3, 8, 8)))
    with pytest.raises(ValueError, match="at least one"):
        images.batch()


def test_solid_is_the_colour_everywhere() -> None:
    pixels = images.solid(width=3, height=2, color="#ff8000", batch=2).pixels
    assert torch.equal(pixels, torch.tensor([1, 128 / 255, 0]).reshape(1, 3, 1, 1).expand(2, 3, 2, 3))


def test_impossible_sizes_are_refused_before_anything_is_allocated() -> None:
    with pytest.raises(ValueError, match="at most 67108864 are allowed"):
        check_size(Size(16384, 16384))
    with pytest.raises(ValueError, match="allowed together, which is 4 of this size"):
        check_size(Size(8192, 8192), 5)
    with pytest.raises(ValueError, match="at most"):
        images.solid(width=16384, height=16384)


# --- composite and transparency -------------------------------------------------------------------------------------


def test_a_mask_of_ones_shows_the_upper_and_of_zeros_the_lower_picture() -> None:
    over = Image(noise(2, 3, 24, 32, seed=9))
    assert torch.equal(images.composite(PICTURE, over, Mask(torch.zeros(1, 24, 32))).pixels, over.pixels)
    ones = images.composite(PICTURE, over, Mask(torch.ones(2, 24, 32))).pixels
    assert (ones - PICTURE.pixels).abs().max() < 1e-6
    half = images.composite(PICTURE, over, Mask(torch.full((1, 24, 32), 0.5))).pixels
    assert (half - (PICTURE.pixels + over.pixels) / 2).abs().max() < 1e-6


def test_alpha_of_the_upper_picture_counts_like_a_mask() -> None:
    over = Image(noise(1, 3, 24, 32, seed=9))
    by_alpha = images.composite(TRANSPARENT, over).pixels
    by_mask = images.composite(Image(TRANSPARENT.pixels[:, :3]), over, Mask(TRANSPARENT.pixels[:, 3])).pixels
    assert torch.equal(by_alpha, by_mask)
    assert torch.equal(images.flatten(images.with_alpha(PICTURE, Mask(torch.ones(1, 24, 32)))).pixels, PICTURE.pixels)


def test_compositing_over_a_transparent_picture_agrees_with_pillow() -> None:
    lower, upper = (Image((noise(1, 4, 24, 32, seed=seed) * 255).round() / 255) for seed in (1, 2))
    ours = images.composite(upper, lower).pixels[0]
    bottom, top = (
        PIL.Image.fromarray((item.pixels[0] * 255).round().byte().permute(1, 2, 0).numpy()) for item in (lower, upper)
    )
    theirs = numpy.asarray(PIL.Image.alpha_composite(bottom, top)).astype(numpy.float32) / 255
    assert (ours - torch.from_numpy(theirs).permute(2, 0, 1)).abs().max() < 2 / 255


def test_flatten_shows_the_background_where_nothing_is() -> None:
    hidden = images.with_alpha(PICTURE, Mask(torch.zeros(1, 24, 32)))
    assert hidden.pixels.shape == (2, 4, 24, 32)
    assert images.flatten(hidden, background="#ff0000").pixels[1, :, 3, 3].tolist() == [1, 0, 0]
    assert images.flatten(PICTURE) is PICTURE


def test_different_sizes_and_batches_are_not_mixed() -> None:
    with pytest.raises(ValueError, match=r"image is 32 x 24, mask is 8 x 8; they must have one size"):
        images.with_alpha(PICTURE, Mask(torch.ones(1, 8, 8)))
    with pytest.raises(ValueError, match="image has 2, over has 3 pictures"):
        images.composite(PICTURE, Image(noise(3, 3, 24, 32)))


# --- files ----------------------------------------------------------------------------------------------------------


def test_save_names_the_files_of_a_batch_by_number(tmp_path: Path) -> None:
    one = images.save(Context(), images.pick(PICTURE), name="portraits/anna")
    assert [(file.stem, file.suffix) for file in one.files] == [("portraits/anna", ".png")]
    two = images.save(Context(), PICTURE, name="a", format="jpeg")
    assert [(file.stem, file.suffix) for file in two.files] == [("a-1", ".jpg"), ("a-2", ".jpg")]
    assert isinstance(two, Files)
    (tmp_path / "a.png").write_bytes(one.files[0].data)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (32, 24))


@pytest.mark.parametrize("name", ["picture", "a/b/c", "두 번째 그림", "Übung (2)", "a.b", "x=1,y=2", "[7] a+b", "a~b"])
def test_good_names_are_kept(name: str) -> None:
    assert clean_stem(name) == name


def test_names_are_composed() -> None:
    assert clean_stem("u\u0308ber") == "\u00fcber"


NOT_NAMES = ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", "..", ".", ".hidden", "-rf", "~a", " a", "a ", "a."]
NOT_NAMES += [
    "a\\b",
    "C:a",
    "a\0b",
    "a\nb",
    "con",
    "NUL.txt",
    "a/com1",
    "%2e%2e",
    "a*b",
    'a"b',
    "<a>",
    "a|b",
    "\u202ea",
]


@pytest.mark.parametrize(
    "name",
    [*NOT_NAMES, "x" * 151, "가" * 51, "/".join("abcdefghi")],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"the name|may take 150"):
        images.save(Context(), PICTURE, name=name)


def test_a_bad_name_is_refused_when_the_settings_are_checked() -> None:
    model = spec_of(images.save).model
    with pytest.raises(ValueError, match="cannot be a file's"):
        model(name="../../x")
    assert model(name="u\u0308").model_dump()["name"] == "\u00fc"


class Watcher:
    """A channel that somebody watches, and that is cancelled after some progress."""

    def __init__(self, cancel_after: int = 99) -> None:
        self.reports: list[tuple[int, int]] = []
        self.previews: list[Preview] = []
        self.cancel_after = cancel_after

    def cancelled(self) -> bool:
        return len(self.reports) > self.cancel_after

    def watched(self) -> bool:
        return True

    def progress(self, done: int, total: int, stage: str) -> None:
        assert not stage
        self.reports.append((done, total))

    def preview(self, preview: Preview) -> None:
        self.previews.append(preview)


def test_who_watches_sees_what_is_saved(tmp_path: Path) -> None:
    watcher = Watcher()
    images.save(Context(watcher), PICTURE)  # type: ignore[arg-type]
    assert (watcher.reports[0], watcher.reports[-1]) == ((0, 2), (2, 2))
    (tmp_path / "a.jpg").write_bytes(watcher.previews[0].data)
    assert (read_picture(tmp_path / "a.jpg").pixels - PICTURE.pixels[0]).abs().mean() < 0.2
    assert watcher.previews[0].media_type == "image/jpeg"


def test_saving_stops_when_the_run_is_cancelled() -> None:
    with pytest.raises(Cancelled):
        images.save(Context(Watcher(cancel_after=0)), PICTURE)  # type: ignore[arg-type]


# --- what is known beforehand ---------------------------------------------------------------------------------------


def known(
    settings: Mapping[str, JSON],
    inputs: Mapping[str, Facts] | None = None,
    many: Mapping[str, tuple[Facts, ...]] | None = None,
    root: Path | None = None,
) -> Known:
    def path(_: str, name: str) -> Path:
        if root is None or not (root / name).exists():
            raise PathError(f"nothing is at '{name}'")
        return root / name

    return Known(inputs or {}, many or {}, settings, path)


def facts(width: int, height: int, channels: int = 3, batch: int = 1) -> dict[str, JSON]:
    return {"width": width, "height": height, "channels": channels, "batch": batch}


def infer(node: object, asked: Known) -> Mapping[str, Facts]:
    spec = spec_of(node)  # type: ignore[arg-type]
    assert spec.infer is not None
    return spec.infer(asked)


SIDES = {"width": 64, "height": 64}


@pytest.mark.parametrize("mode", ["stretch", "fit", "fill", "pad"])
def test_the_size_that_resizing_gives_is_known(mode: Mode) -> None:
    found = infer(images.resize, known({**SIDES, "mode": mode}, {"image": facts(32, 24, 4, 2)}))["image"]
    pixels = images.resize(TRANSPARENT, width=64, height=64, mode=mode).pixels
    assert found == facts(pixels.shape[3], pixels.shape[2], 4, 2)


def test_what_is_not_known_is_left_out() -> None:
    assert infer(images.resize, known({**SIDES, "mode": "fit"}, {"image": {}})) == {"image": {}}
    assert infer(images.resize, known({"width": 64, "mode": "fill"}, {"image": {"batch": 2}})) == {
        "image": {"batch": 2}
    }
    assert infer(images.crop, known({"x": 9}, {"image": {}})) == {"image": {}}
    assert infer(images.load, known({}))["image"] == {"channels": 3, "batch": 1}


def test_impossible_combinations_are_refused_when_a_graph_is_checked() -> None:
    cropped = {"x": 10, "y": 0, "width": 30, "height": 20}
    cases = [
        (images.crop, known(cropped, {"image": facts(32, 24)}), "x", "leaves the picture of 32 x 24"),
        (images.crop, known({**cropped, "x": 0, "y": 9}, {"image": facts(32, 24)}), "y", "height up to 15"),
        (images.batch, known({}, {}, {"images": (facts(8, 8), {}, facts(9, 8))}), "images", "pictures of 8 x 8, 9 x 8"),
        (images.batch, known({}, {}, {"images": (facts(8, 8), facts(8, 8, 4))}), "images", "transparency"),
        (images.batch, known({}), "images", "at least one"),
        (images.pick, known({"index": 2, "count": 1}, {"image": facts(8, 8, 3, 2)}), "index", "2 picture"),
        (images.solid, known({"width": 16384, "height": 16384, "batch": 1}), "width", "at most"),
        (images.solid, known({"width": 4096, "height": 4096, "batch": 4096}), "width", "allowed together"),
        (images.resize, known({"width": 9000, "height": 9000}, {"image": {}}), "width", "at most"),
        (images.save, known({"format": "jpeg"}, {"image": facts(8, 8, 4)}), "format", "JPEG files have none"),
        (images.with_alpha, known({}, {"image": facts(8, 8), "mask": {"width": 9, "height": 8}}), "mask", "one size"),
        (images.composite, known({}, {"image": facts(8, 8, 3, 2), "over": facts(8, 8, 3, 3)}), "image", "equally long"),
        (images.upscale, known({}, {"image": facts(4096, 4096), "upscaler": {"scale": 4}}), "image", "at most"),
        (images.upscale, known({}, {"image": {}, "upscaler": {"channels": 1}}), "upscaler", "takes 1 channel"),
    ]
    for node, asked, at, message in cases:
        with pytest.raises(Refusal, match=message) as caught:
            infer(node, asked)
        assert caught.value.at == at


def test_sizes_are_known_through_every_node() -> None:
    picture, scale = facts(32, 24, 4, 2), {"scale": 4, "channels": 3}
    assert infer(images.batch, known({}, {}, {"images": (facts(8, 8), facts(8, 8, 3, 4))}))["image"] == facts(
        8, 8, 3, 5
    )
    assert infer(images.pick, known({"index": 1, "count": 1}, {"image": picture}))["image"] == facts(32, 24, 4, 1)
    assert infer(images.flatten, known({}, {"image": picture}))["image"] == facts(32, 24, 3, 2)
    assert infer(images.upscale, known({}, {"image": picture, "upscaler": scale}))["image"] == facts(128, 96, 4, 2)
    mask = {"width": 32, "height": 24, "batch": 1}
    assert infer(images.with_alpha, known({}, {"image": picture, "mask": mask}))["image"] == picture
    wired = {"image": facts(32, 24), "over": facts(32, 24), "mask": {}}
    assert "batch" not in infer(images.composite, known({}, wired))["image"]


def test_a_files_size_and_content_are_known(tmp_path: Path) -> None:
    for name, shade in (("a.png", 10), ("b.png", 10), ("c.png", 99)):
        PIL.Image.new("RGBA", (5, 7), (shade, 0, 0, shade)).save(tmp_path / name)
    found = infer(images.load, known({"path": "a.png"}, root=tmp_path))
    assert found == {"image": facts(5, 7), "mask": {"width": 5, "height": 7, "batch": 1}}
    fingerprint = spec_of(images.load).fingerprint
    assert fingerprint is not None
    prints = [fingerprint(known({"path": name}, root=tmp_path)) for name in ("a.png", "b.png", "c.png")]
    assert prints[0] == prints[1] != prints[2]
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(Refusal, match="not a picture"):
        infer(images.load, known({"path": "a.png"}, root=tmp_path))
    with pytest.raises(PathError):
        infer(images.load, known({"path": "missing.png"}, root=tmp_path))
    with pytest.raises(Refusal, match="cannot be read"):
        infer(images.load, known({"path": "."}, root=tmp_path))


def test_a_folder_gives_its_pictures_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "inputs" / "photos"
    (folder / "old").mkdir(parents=True)
    for name, colour in (("b.png", 255), ("a.PNG", 51), ("note.txt", 0)):
        PIL.Image.new("RGB", (5, 4), (colour, 0, 0)).save(folder / name, format="PNG")
    given = known({"path": "photos"}, root=tmp_path / "inputs")
    assert infer(images.load_folder, given) == {"images": {"count": 2}}
    fingerprint = spec_of(images.load_folder).fingerprint
    assert fingerprint is not None
    before = fingerprint(given)
    nodes: dict[str, JSON] = {
        "all": {"type": "images.load_folder", "settings": {"path": "photos"}},
        "each": {"type": "images.resize", "map": {"over": ["image"]}, "inputs": {"image": "all.images"}},
    }
    outputs: dict[str, JSON] = {"all": {"from": "all.images"}, "each": {"from": "each.image"}}
    with Engine(config(tmp_path), build_registry(find_plugins())) as machine:
        report = machine.run({"graphgen": 1, "nodes": nodes, "outputs": outputs})
        found = cast("dict[str, list[Image]]", dict(report.outputs))
    assert [round(float(image.pixels[0, 0, 0, 0]), 6) for image in found["all"]] == [0.2, 1.0]
    assert [tuple(image.pixels.shape) for image in found["each"]] == [(1, 3, 512, 512)] * 2
    (folder / "b.png").rename(folder / "c.png")
    assert fingerprint(given) == before, "names do not matter as long as the order is the same"
    (folder / "c.png").unlink()
    assert fingerprint(given) != before


def test_a_folder_without_pictures_and_one_that_leads_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    given = known({"path": "photos"}, root=tmp_path)
    with pytest.raises(Refusal, match="no picture is in the folder; put some there"):
        infer(images.load_folder, given)
    PIL.Image.new("RGB", (5, 4)).save(tmp_path / "secret.png")
    (tmp_path / "photos" / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(Refusal, match=r"'a\.png' is a link that leads out of the folder"):
        infer(images.load_folder, given)


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "#gggggg", "123456", "", "#123456\n"])
def test_what_is_no_colour_is_refused(color: str) -> None:
    with pytest.raises(ValidationError) as refused:
        spec_of(images.solid).model.model_validate({"color": color})
    assert "must be a colour, written #rrggbb" in str(problems_of(refused.value)[0])


def test_a_colour_is_one_however_it_is_written() -> None:
    made: Any = spec_of(images.solid).model.model_validate({"color": "#FFaa00"})
    assert made.color == "#ffaa00"
    shown: Any = spec_of(images.solid).settings_schema()
    assert shown["properties"]["color"]["widget"] == {"kind": "color"}
    assert shown["properties"]["color"]["pattern"] == "^#[0-9a-fA-F]{6}$"
