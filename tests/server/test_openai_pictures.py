"""Real pictures as OpenAI's client library asks for them: as they come, by link, in several formats, with masks."""

from __future__ import annotations

import asyncio
import io
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import PIL.Image
import pytest
from engine_kit import N, workflow
from openai.types import ImageGenCompletedEvent, ImageGenPartialImageEvent
from packs import probe
from PIL.PngImagePlugin import PngImageFile
from server.server_kit import TOKEN, Client, serving

from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import build_registry
from graphgen.server import links

NAMED = {
    "prompt": {"sets": ["save.name"]},
    "width": {"sets": ["plain.width"]},
    "height": {"sets": ["plain.height"]},
}
PLAIN = workflow(
    {"plain": N("images.solid", {"color": "#2060a0"}), "save": N("images.save", image="plain.image")},
    parameters=NAMED,
)
CLEAR = workflow(
    {
        "plain": N("images.solid", {"color": "#2060a0", "width": 8, "height": 8}),
        "dark": N("images.solid", {"color": "#000000", "width": 8, "height": 8}),
        "mask": N("masks.from_image", image="dark.image"),
        "clear": N("images.with_alpha", image="plain.image", mask="mask.mask"),
        "save": N("images.save", image="clear.image"),
    },
    parameters={"prompt": {"sets": ["save.name"]}},
)
EDIT = workflow(
    {
        "picture": N("images.load", {"path": "samples/red_apple.png"}),
        "marked": N("images.load", {"path": "samples/red_apple.png"}),
        "save": N("images.save", image="marked.image"),
    },
    parameters={
        "prompt": {"sets": ["save.name"]},
        "picture": {"sets": ["picture.path"]},
        "mask": {"sets": ["marked.path"]},
    },
)
FAILING = workflow(
    {"bad": N("probe.fail", {"message": "no paint is left"}), "save": N("images.save", image="plain.image"),
     "plain": N("images.solid"), "word": N("probe.pose", {"gate": "nowhere", "steps": 1})},
    "bad.int",
    parameters={"prompt": {"sets": ["word.text"]}},
)  # fmt: skip


def posing(gate: Path) -> dict[str, Any]:
    """A workflow that shows three pictures on its way, and waits for a gate after each."""
    nodes = {"pose": N("probe.pose", {"gate": str(gate)}), "save": N("images.save", image="plain.image")}
    return workflow(
        {**nodes, "plain": N("images.solid", {"width": 16, "height": 16})},
        "pose.int",
        parameters={"prompt": {"sets": ["pose.text"]}},
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    installed = build_registry([*find_plugins(), *module_plugins({"probe": probe})])
    with serving(tmp_path_factory.mktemp("server"), installed=installed) as client:
        for name, document in {"plain": PLAIN, "clear": CLEAR, "paint": EDIT, "failing": FAILING}.items():
            assert client.call("PUT", f"/api/workflows/{name}", document).status in (200, 201)
        yield client


@pytest.fixture
def library(served: Client) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=TOKEN, base_url=f"{served.address}/v1", max_retries=0) as made:
        yield made


def opened(text: str | None) -> PIL.Image.Image:
    assert text is not None
    return PIL.Image.open(io.BytesIO(b64decode(text)))


def only(answer: openai.types.ImagesResponse) -> openai.types.Image:
    assert answer.data is not None
    (found,) = answer.data
    return found


def colour_of(picture: PIL.Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    found = picture.getpixel((x, y))
    assert isinstance(found, tuple)
    return found


# --- as they come ---------------------------------------------------------------------------------------------------


def test_pictures_on_the_way_come_before_the_last(served: Client, library: openai.OpenAI, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    served.call("PUT", "/api/workflows/posing", posing(gate))
    Path(f"{gate}-1").touch()
    partials, last = [], []
    with library.images.generate(
        model="posing", prompt="sync", stream=True, partial_images=2, output_format="webp"
    ) as stream:
        for event in stream:
            if isinstance(event, ImageGenPartialImageEvent):
                partials.append(event)
                Path(f"{gate}-{len(partials) + 1}").touch()
            else:
                last.append(event)
    assert [event.partial_image_index for event in partials] == [0, 1]
    assert {event.type for event in partials} == {"image_generation.partial_image"}
    assert [(opened(event.b64_json).format, opened(event.b64_json).size) for event in partials] == [
        ("WEBP", (8, 8))
    ] * 2
    (done,) = last
    assert isinstance(done, ImageGenCompletedEvent)
    assert (done.type, done.output_format, done.size) == ("image_generation.completed", "webp", "auto")
    assert (opened(done.b64_json).format, opened(done.b64_json).size) == ("WEBP", (16, 16))
    assert done.usage.total_tokens == 0


def test_an_async_client_streams_too(served: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    served.call("PUT", "/api/workflows/posing-too", posing(gate))

    async def listen() -> list[tuple[str, int]]:
        heard: list[tuple[str, int]] = []
        async with openai.AsyncOpenAI(api_key=TOKEN, base_url=f"{served.address}/v1", max_retries=0) as library:
            stream = await library.images.generate(model="posing-too", prompt="async", stream=True, partial_images=3)
            async for event in stream:
                heard.append((event.type, colour_of(opened(event.b64_json))[0]))
                Path(f"{gate}-{len(heard)}").touch()
        return heard

    *partials, last = asyncio.run(listen())
    assert partials == [("image_generation.partial_image", step) for step in (1, 2, 3)]
    assert last[0] == "image_generation.completed"


def test_a_stream_without_pictures_on_the_way_is_one_event_for_each_picture(library: openai.OpenAI) -> None:
    events = list(library.images.generate(model="plain", prompt="alone", size="24x16", stream=True))
    assert [(event.type, event.size, opened(event.b64_json).size) for event in events] == [
        ("image_generation.completed", "24x16", (24, 16))
    ]


def test_an_edit_streams_under_its_own_name(library: openai.OpenAI, tmp_path: Path) -> None:
    stream = library.images.edit(model="paint", prompt="streamed", image=("a.png", png((8, 8))), stream=True)
    assert [event.type for event in stream] == ["image_edit.completed"]


def test_a_run_that_fails_ends_its_stream_with_the_reason(library: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="bad: ValueError: no paint is left"):
        list(library.images.generate(model="failing", prompt="x", stream=True))
    with pytest.raises(openai.InternalServerError, match="bad: ValueError: no paint is left"):
        library.images.generate(model="failing", prompt="x")


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_link_opens_its_picture_for_everybody_and_nothing_else(served: Client, library: openai.OpenAI) -> None:
    answer = library.images.generate(model="plain", prompt="linked", response_format="url")
    other = library.images.generate(model="plain", prompt="other", size="8x8", response_format="url")
    url, another = only(answer).url or "", only(other).url or ""
    assert only(answer).b64_json is None
    path = url.removeprefix(served.address)
    served.token = None
    try:
        got = served.get(path, Origin="https://a-page-that-shows.it", Sec_Fetch_Site="cross-site")
        assert (got.status, PIL.Image.open(io.BytesIO(got.body)).size) == (200, (512, 512))
        assert got.headers["Content-Type"] == "image/png"
        assert got.headers["Content-Disposition"].startswith("attachment")
        assert got.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert served.call("POST", path).status == 401
        assert served.get(path, Host="evil.com").status == 403
        signature = path.rpartition("=")[2]
        digest = another.removeprefix(served.address).partition("?")[0]
        for wrong in (
            path.replace("until=", "until=9"),
            path.replace("?", "?quality=3&"),
            f"{digest}?{path.partition('?')[2]}",
            path.replace(signature, signature[::-1]),
            path.replace(signature, ""),
            f"/api/runs?until=99999999999&signature={signature}",
            path.partition("?")[0],
        ):
            assert served.get(wrong).status == 401, wrong
    finally:
        served.token = TOKEN
    assert served.get(path.partition("?")[0]).status == 200


def test_a_link_ends_after_an_hour_and_with_its_token() -> None:
    key = links.key_of("a token of sixteen")
    link = links.signed("/v1/images/files/0.png", key, 1_000.0)
    assert links.opens(link, key, 1_000.0)
    assert links.opens(link, key, 999.0)
    assert links.opens(link, key, 1_000.0 + links.LASTS)
    assert not links.opens(link, key, 1_001.0 + links.LASTS)
    assert not links.opens(link, links.key_of("another of sixteen"), 1_000.0)
    for broken in ("", "/", "&signature=", "/x?until=&signature=", "/x?until=\u0661&signature=1", link + "0"):
        assert not links.opens(broken, key, 0.0)


def test_a_link_gives_the_format_that_was_asked_for(served: Client, library: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "plain", "prompt": "linked", "output_format": "jpeg", "response_format": "url"}
    sizes = []
    for quality in (5, 95):
        url = only(library.images.generate(**asked, output_compression=quality)).url or ""
        assert ".jpg?" in url
        got = served.get(url.removeprefix(served.address))
        assert (got.headers["Content-Type"], PIL.Image.open(io.BytesIO(got.body)).format) == ("image/jpeg", "JPEG")
        sizes.append(len(got.body))
    assert sizes[0] < sizes[1]


def test_behind_a_proxy_links_name_it(tmp_path: Path, served: Client) -> None:
    site = "https://studio.example"
    with serving(
        tmp_path,
        installed=build_registry(find_plugins()),
        hosts=frozenset(("studio.example",)),
        origins=frozenset((site,)),
    ) as client:
        client.call("PUT", "/api/workflows/plain", PLAIN)
        body = {"model": "plain", "prompt": "x", "size": "8x8", "response_format": "url"}
        answer = client.call("POST", "/v1/images/generations", body, Host="studio.example").json
        assert answer["data"][0]["url"].startswith(f"{site}/v1/images/files/")


# --- formats, backgrounds, masks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "format_"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_pictures_come_in_the_format_that_was_asked_for(library: openai.OpenAI, name: Any, format_: str) -> None:
    answer = library.images.generate(model="plain", prompt="formats", size="40x24", output_format=name)
    picture = opened(only(answer).b64_json)
    assert (picture.format, picture.size, answer.output_format) == (format_, (40, 24), name)
    colour = colour_of(picture, 20, 12)
    assert all(abs(found - meant) <= 4 for found, meant in zip(colour, (0x20, 0x60, 0xA0), strict=True))


def test_an_opaque_picture_lies_on_white_and_carries_its_workflow_still(library: openai.OpenAI) -> None:
    as_saved = opened(only(library.images.generate(model="clear", prompt="clear")).b64_json)
    assert (as_saved.mode, as_saved.getpixel((4, 4))) == ("RGBA", (0x20, 0x60, 0xA0, 0))
    opaque = opened(only(library.images.generate(model="clear", prompt="clear", background="opaque")).b64_json)
    assert (opaque.mode, opaque.getpixel((4, 4))) == ("RGB", (255, 255, 255))
    assert isinstance(as_saved, PngImageFile)
    assert isinstance(opaque, PngImageFile)
    assert opaque.text == as_saved.text != {}
    jpeg = opened(only(library.images.generate(model="clear", prompt="clear", output_format="jpeg")).b64_json)
    assert jpeg.getpixel((4, 4)) == (255, 255, 255)


def png(size: tuple[int, int], alpha: int = 255, mode: str = "RGBA") -> bytes:
    data = io.BytesIO()
    PIL.Image.new(mode, size, (90, 90, 90, alpha)[: len(mode)]).save(data, "PNG")
    return data.getvalue()


def test_a_mask_is_transparent_where_to_paint_and_a_workflow_is_given_it_white_there(library: openai.OpenAI) -> None:
    image = ("a.png", png((8, 8)))
    asked: dict[str, Any] = {"model": "paint", "prompt": "mask", "image": image}
    holes = opened(only(library.images.edit(**asked, mask=("m.png", png((8, 8), alpha=0)))).b64_json)
    assert holes.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    own = opened(only(library.images.edit(**asked, mask=("m.png", png((8, 8), mode="RGB")))).b64_json)
    assert own.convert("RGB").getpixel((0, 0)) == (90, 90, 90)
    with pytest.raises(openai.UnprocessableEntityError, match="mask cannot be read"):
        library.images.edit(**asked, mask=("m.png", b"\x89PNG\r\n\x1a\n and no more"))


# --- what else is asked for -----------------------------------------------------------------------------------------


def test_the_user_is_whom_the_queue_takes_in_turns(served: Client, library: openai.OpenAI) -> None:
    library.images.generate(model="plain", prompt="whose", size="8x8", user="ada")
    assert served.get("/api/runs?limit=1").json["runs"][0]["client"] == "ada"


def test_a_model_is_a_workflow_with_a_prompt(library: openai.OpenAI) -> None:
    assert library.models.retrieve("plain").id == "plain"
    assert "plain" in [model.id for model in library.models.list()]
    with pytest.raises(openai.NotFoundError, match="/v1/models lists"):
        library.models.retrieve("nothing")


def test_the_embedded_model_draws_and_streams(library: openai.OpenAI) -> None:
    stream = library.images.generate(
        model="text_to_image", prompt="a red heart", stream=True, partial_images=1, extra_body={"steps": 2, "seed": 1}
    )
    *_, last = list(stream)
    assert (last.type, opened(last.b64_json).size) == ("image_generation.completed", (256, 256))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"stream": True, "response_format": "url"}, "cannot be streamed"),
        ({"partial_images": 2}, "are for streams"),
        ({"partial_images": 4, "stream": True}, "partial_images: must be at most 3"),
        ({"partial_images": 1, "stream": True, "n": 2}, "one picture at a time"),
        ({"output_compression": 50}, "output_compression is for"),
        ({"output_compression": 101, "output_format": "webp"}, "must be at most 100"),
        ({"output_format": "gif"}, "output_format: must be 'png', 'jpeg' or 'webp'"),
        ({"background": "transparent"}, "allowed: auto, opaque"),
        ({"size": "large"}, "size: must"),
        ({"response_format": "png"}, "response_format: must be 'b64_json' or 'url'"),
        ({"n": 2}, "no parameter 'seed'"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(
    served: Client, library: openai.OpenAI, asked: dict[str, Any], told: str
) -> None:
    before = newest(served)
    with pytest.raises(openai.APIStatusError, match=told) as caught:
        library.images.generate(model="plain", prompt="x", **asked)
    assert 400 <= caught.value.status_code < 500
    assert newest(served) == before


def newest(served: Client) -> list[str]:
    """Return the newest run's name, if there is one."""
    return [run["id"] for run in served.get("/api/runs?limit=1").json["runs"]]
