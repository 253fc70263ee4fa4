"""Prompts: equal to the library's own encoding where it has one, and the web UI's syntax beyond that."""

import copy
from typing import Any

import pytest
import torch

from restyle.engines.diffusion import components, embeddings, prompt
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.tokens import token_ids
from restyle.wire.errors import RestyleError
from tests.support.checkpoints import LAYERS
from tests.support.library import pipeline
from tests.support.studio import Studio

FOX = "a red fox, watercolour"


@pytest.fixture(scope="module")
def checkpoints(studio: Studio) -> dict[str, Checkpoint]:
    device = Device.of(studio.machine)
    return {base: components.load(studio.file(f"{base} folder"), device) for base in ("sd15", "sdxl")}


@pytest.fixture
def checkpoint(checkpoints: dict[str, Checkpoint], base: str) -> Checkpoint:
    return checkpoints[base]


@pytest.fixture
def encode(studio: Studio, checkpoint: Checkpoint) -> Any:
    def call(positive: str, negative: str = "blurry", clip_skip: int = 1, words: Any = ()) -> Any:
        with torch.inference_mode():
            return prompt.encode(checkpoint, Device.of(studio.machine), positive, negative, clip_skip, words)

    return call


def reference(checkpoint: Checkpoint, positive: str, negative: str | None, clip_skip: int | None = None) -> list[Any]:
    found = pipeline(checkpoint).encode_prompt(
        positive,
        device="cpu",
        num_images_per_prompt=1,
        do_classifier_free_guidance=True,
        negative_prompt=negative,
        clip_skip=clip_skip,
    )
    return list(found)


def flat(pair: Any) -> list[torch.Tensor]:
    found, against = pair
    return [part for part in (found.hidden, against.hidden, found.pooled, against.pooled) if part is not None]


@pytest.mark.parametrize(("positive", "negative"), [(FOX, "blurry, low"), ("", "x"), (FOX, "")])
def test_without_weights_it_is_the_librarys_own_encoding(
    checkpoint: Checkpoint, encode: Any, positive: str, negative: str
) -> None:
    own, library = flat(encode(positive, negative)), reference(checkpoint, positive, negative or None)
    assert len(own) == len(library)
    assert all(torch.equal(*pair) for pair in zip(own, library, strict=True))


@pytest.mark.parametrize(("clip_skip", "theirs"), [(1, None), (2, None), (3, 1), (5, 3)])
def test_clip_skip_counts_layers_from_the_end(
    checkpoints: dict[str, Checkpoint], studio: Studio, clip_skip: int, theirs: int | None
) -> None:
    """SDXL reads the last but one, whether 1 or 2 is asked for; the library counts from that one."""
    with torch.inference_mode():
        found = prompt.encode(checkpoints["sdxl"], Device.of(studio.machine), FOX, "blurry", clip_skip)
    library = reference(checkpoints["sdxl"], FOX, "blurry", theirs)
    assert torch.equal(found[0].hidden, library[0])


def test_a_clip_skip_beyond_the_layers_is_refused(encode: Any) -> None:
    encode(FOX, clip_skip=LAYERS)
    with pytest.raises(RestyleError, match=f"{LAYERS} layers") as caught:
        encode(FOX, clip_skip=LAYERS + 2)
    assert caught.value.field == "MainModel.InferenceParams.ClipSkip"


def test_weights_act_on_their_words_and_keep_the_mean(encode: Any, base: str) -> None:
    plain = encode(FOX)[0].hidden
    heavy = encode("a (red:1.4) fox, watercolour")[0].hidden
    assert torch.equal(encode("a (red:1.0) fox, watercolour")[0].hidden, plain)
    assert torch.equal(encode("a (red:1.1) fox")[0].hidden, encode("a (red) fox")[0].hidden)
    ratio = (heavy / plain).median(-1).values[0]
    assert ratio[2] / ratio[1] == pytest.approx(1.4, rel=1e-3)  # the start, "a", then "red"
    assert ratio[5:] / ratio[1] == pytest.approx(torch.ones(72), rel=1e-3)
    halves = heavy.shape[-1] // 2 if base == "sdxl" else heavy.shape[-1]
    for heavy_part, plain_part in zip(heavy.split(halves, -1), plain.split(halves, -1), strict=True):
        assert float(heavy_part.mean()) == pytest.approx(float(plain_part.mean()), rel=1e-3)


def test_long_prompts_are_read_to_their_end(encode: Any) -> None:
    long = ", ".join(f"word {chr(97 + i % 26)}" for i in range(60))
    found, against = encode(long)
    assert found.hidden.shape == against.hidden.shape
    assert found.hidden.shape[1] % 77 == 0
    assert found.hidden.shape[1] > 77
    other = encode(long + ", at night")[0].hidden
    assert torch.equal(other[:, :77], found.hidden[:, :77])
    assert not torch.equal(other[:, -77:], found.hidden[:, -77:])
    assert encode(FOX, long)[0].hidden.shape == found.hidden.shape


def test_chunks_end_at_commas_and_at_break() -> None:
    assert [len(chunk) for chunk in prompt.chunks("a red fox BREAK a blue bus")] == [3, 3]
    assert [len(chunk) for chunk in prompt.chunks("a red fox BREAK")] == [3]
    assert [len(chunk) for chunk in prompt.chunks("BREAK a red fox")] == [0, 3]
    words = "one " * 70 + ", two three four five six seven"
    first, second = prompt.chunks(words)
    assert len(first) == 71
    assert [token.id for token in second] == token_ids("two three four five six seven")
    first, second = prompt.chunks("one " * 80)
    assert (len(first), len(second)) == (75, 5)


def test_an_embedding_reads_as_the_library_reads_it(studio: Studio, checkpoints: dict[str, Checkpoint]) -> None:
    """Its vectors take the place of new tokens; the library adds those to tokenizer and encoder."""
    checkpoint = copy.deepcopy(checkpoints["sd15"])
    word = embeddings.load(studio.file("sd15 word"), (32,))
    with torch.inference_mode():
        own = prompt.encode(checkpoint, Device.of(studio.machine), "a red zorp, big", "", 1, (word,))[0].hidden
    library = pipeline(checkpoint, own_words=True)
    library.load_textual_inversion({"zorp": word.vectors[0]}, token="zorp")
    found = library.encode_prompt("a red zorp, big", "cpu", 1, False)[0]
    assert torch.equal(own, found)


@pytest.mark.parametrize(
    "written", ["a red charm (v2), big", r"a red charm \(v2\), big", "a (red:1.0) Charm (V2), big"]
)
def test_brackets_in_the_name_of_an_embedding_are_no_weight(written: str) -> None:
    word = embeddings.Embedding(("charm (v2)",), (torch.ones(2, 32),))
    found = prompt.chunks(written, (word,))[0]
    assert [token.embedding is word for token in found] == [False, False, True, True, False, False]
    assert {token.weight for token in found} == {1.0}


def test_an_embedding_of_one_encoder_is_not_there_for_the_other(
    studio: Studio, checkpoints: dict[str, Checkpoint]
) -> None:
    device = Device.of(studio.machine)
    word = embeddings.Embedding(("zorp",), (None, torch.ones(2, 32)))
    with torch.inference_mode():
        found = prompt.encode(checkpoints["sdxl"], device, "a zorp (big:1.2) fox", "", 1, (word,))[0].hidden
        without = prompt.encode(checkpoints["sdxl"], device, "a (big:1.2) fox", "", 1)[0].hidden
    assert torch.equal(found[..., :32], without[..., :32])
    assert not torch.equal(found[..., 32:], without[..., 32:])


@pytest.mark.parametrize("words", [["zorp"], ["big zorp"]])
def test_trigger_words_stand_alone(words: list[str]) -> None:
    assert prompt.texts([], [], words)[0] == words[0]
    assert prompt.texts([f"a {words[0].upper()}, x"], [], words)[0] == f"a {words[0].upper()}, x"
    assert prompt.texts([f"{words[0]}ish"], [], words)[0] == f"{words[0]}ish, {words[0]}"


def test_names_of_special_tokens_in_a_prompt_are_text() -> None:
    assert 49407 not in token_ids("a fox <|endoftext|> at night")
    assert len(token_ids("<|startoftext|>")) > 1
