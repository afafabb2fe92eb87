"""Pictures as OpenAI's client library asks for them: by that library itself."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from engine_kit import N, workflow
from server.server_kit import TOKEN, Client, serving

WORDS = workflow(
    {
        "word": N("toy.speak", {"message": "nothing"}),
        "seed": N("toy.slow", {"steps": 1, "pause": 0.0}),
        "save": N("toy.write", {"text": "picture"}, value="seed.float"),
    },
    parameters={"prompt": {"sets": ["save.text"]}, "seed": {"sets": ["seed.seed"]}, "steps": {"sets": ["seed.steps"]}},
)
EDIT = workflow(
    {"file": N("toy.read", {"path": "none"}), "save": N("probe.save", {"name": "x"}, text="file.str")},
    parameters={"prompt": {"sets": ["save.name"]}, "image": {"sets": ["file.path"]}},
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("server")) as client:
        client.call("PUT", "/api/workflows/words", WORDS)
        client.call("PUT", "/api/workflows/edit", EDIT)
        yield client


@pytest.fixture
def library(served: Client) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=TOKEN, base_url=f"{served.address}/v1", max_retries=0) as made:
        yield made


def texts(answer: openai.types.ImagesResponse) -> list[str]:
    return [b64decode(item.b64_json or "").decode() for item in answer.data or ()]


def test_a_prompt_gives_a_picture(library: openai.OpenAI) -> None:
    answer = library.images.generate(model="words", prompt="a heart", extra_body={"seed": 7, "steps": 2})
    assert texts(answer) == ["a heart: 7.0"]


def test_several_pictures_have_seeds_one_after_another(library: openai.OpenAI) -> None:
    answer = library.images.generate(model="words", prompt="a heart", n=3, extra_body={"seed": 5})
    assert texts(answer) == ["a heart: 5.0", "a heart: 6.0", "a heart: 7.0"]


def test_without_a_seed_each_call_gives_another_picture(library: openai.OpenAI) -> None:
    found = [texts(library.images.generate(model="words", prompt="a heart", quality="high")) for _ in range(2)]
    assert found[0] != found[1]


def test_a_picture_is_edited(library: openai.OpenAI) -> None:
    answer = library.images.edit(model="edit", prompt="better", image=("photo.txt", b"what the picture holds"))
    assert texts(answer) == ["what the picture holds"]


def test_an_edit_fits_a_workflow_that_calls_it_a_picture(served: Client, library: openai.OpenAI) -> None:
    renamed = {**EDIT, "parameters": {"prompt": {"sets": ["save.name"]}, "picture": {"sets": ["file.path"]}}}
    served.call("PUT", "/api/workflows/renamed", renamed)
    assert texts(library.images.edit(model="renamed", prompt="p", image=("a.txt", b"words"))) == ["words"]


def test_workflows_with_a_prompt_are_models(library: openai.OpenAI) -> None:
    names = [model.id for model in library.models.list()]
    assert {"words", "edit", "text_to_image"} <= set(names)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"model": "nothing"}, "there is no such workflow"),
        ({"model": "words", "size": "512x512"}, "width"),
        ({"model": "words", "extra_body": {"stepz": 3}}, "did you mean 'steps'"),
        ({"model": "words", "n": 11}, "at most 10"),
        ({"model": "edit", "n": 2}, "no parameter 'seed'"),
        ({"model": "words", "output_format": "png"}, "nothing here writes pictures as .png"),
    ],
)
def test_what_is_wrong_is_told(library: openai.OpenAI, asked: dict[str, object], told: str) -> None:
    with pytest.raises(openai.APIStatusError, match=told):
        library.images.generate(prompt="x", **asked)  # type: ignore[call-overload]


def test_a_wrong_key_is_refused(served: Client) -> None:
    with (
        openai.OpenAI(api_key="wrong", base_url=f"{served.address}/v1", max_retries=0) as wrong,
        pytest.raises(openai.AuthenticationError),
    ):
        wrong.images.generate(model="words", prompt="x")


def test_a_form_that_is_none_is_refused(served: Client, tmp_path: Path) -> None:
    assert served.call("POST", "/v1/images/edits", b"{}", Content_Type="application/json").status == 415
    many = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(100)) + b"--x--\r\n"
    answer = served.call("POST", "/v1/images/edits", many, Content_Type="multipart/form-data; boundary=x")
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_form")
