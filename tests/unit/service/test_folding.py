import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make
from geminid.core.content import Text, Thought, ToolCall, Turn
from geminid.core.errors import InputTooLong
from geminid.service.folding import COUNTS_MAX, MARK, fold, folded_to_fit, spans_of

NEEDLE = "The access code of the Lisbon office is 48213."
QUESTION = "What is the access code of the Lisbon office?"
CITIES = ("Oslo", "Vienna", "Porto", "Riga", "Ghent")


def prose(sentences: int, seed: int = 1) -> list[str]:
    """Sentences about offices and other things, some in the needle's form."""
    chance = random.Random(seed)
    made = []
    for number in range(sentences):
        city = chance.choice(CITIES)
        made.append(
            f"The access code of the {city} office is {chance.randrange(10_000, 48_000)}."
            if number % 20 == 0
            else f"On day {number} the {chance.choice(('miller', 'baker', 'pilot'))} saw {city} from the train."
        )
    return made


def document(depth: float, sentences: int = 2000) -> str:
    lines = prose(sentences)
    lines.insert(int(depth * sentences), NEEDLE)
    return "".join(line + ("\n\n" if number % 7 == 0 else " ") for number, line in enumerate(lines))


def said(request) -> str:
    return "".join(part.text for turn in request.turns for part in turn.parts if isinstance(part, Text))


def user(*texts: str) -> Turn:
    return Turn("user", tuple(map(Text, texts)))


def counting(characters_per_token: float = 4.0, fixed: int = 10):
    """A tokenizer, and the counts it was asked for."""
    counts = []

    async def count(request):
        system = sum(len(text.text) for text in request.system)
        counts.append(fixed + int((len(said(request)) + system) / characters_per_token))
        return counts[-1]

    return count, counts


@pytest.mark.parametrize("depth", [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
@pytest.mark.parametrize("place", ["behind", "before", "glued", "part", "turn"])
def test_what_is_asked_for_is_kept_at_every_depth(depth, place):
    text = document(depth)
    turns = {
        "behind": (user(f"{text}\n\n{QUESTION} Answer with the code only."),),
        "before": (user(f"{QUESTION} Answer from this text:\n\n{text}"),),
        "glued": (user(f"{text.replace(chr(10), ' ')} {QUESTION}"),),
        "part": (user(text, QUESTION),),
        "turn": (user(text), Turn("model", (Text("I have read it."),)), user(QUESTION)),
    }[place]
    folded = fold(make.request(turns=turns), 12_000)
    assert NEEDLE in said(folded.request)
    assert QUESTION in said(folded.request)
    assert len(said(folded.request)) == folded.characters_kept <= 12_000 < folded.characters_before


def test_pieces_stand_in_their_order_with_a_mark_in_each_gap():
    text = document(0.5)
    kept = said(fold(make.request(turns=(user(text, QUESTION),)), 12_000).request)
    assert MARK in kept
    places = [text.index(piece) for piece in kept.removesuffix(QUESTION).split(MARK) if piece]
    assert places == sorted(places)


def test_head_and_tail_of_a_long_text_are_kept():
    text = "It begins here. " + document(0.5) + "And here it ends."
    turns = (user(text), Turn("model", (Text("Yes."),)), user(QUESTION))
    kept = said(fold(make.request(turns=turns), 12_000).request)
    assert kept.startswith("It begins here.")
    assert "And here it ends." in kept


def test_a_request_that_fits_is_left_alone():
    request = make.request(turns=(user(document(0.5), QUESTION),))
    assert fold(request, 10**6).request is not None
    assert fold(request, 10**6).request == request


texts = st.one_of(
    st.text(max_size=60),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=40), st.integers(1, 200)),
)
parts = st.one_of(texts.map(Text), st.just(Thought("hm")), st.just(ToolCall("look", {})))
conversations = st.lists(
    st.builds(Turn, st.sampled_from(["user", "model"]), st.lists(parts, max_size=4).map(tuple)), max_size=12
).map(tuple)


@settings(max_examples=150, deadline=None)
@given(turns=conversations, characters_max=st.integers(0, 20_000), system=st.text(max_size=50))
def test_it_is_never_longer_than_asked_or_than_what_must_stay(turns, characters_max, system):
    request = make.request(turns=turns, system=(Text(system),))
    least = fold(request, 0).characters_kept
    folded = fold(request, characters_max)
    assert folded.characters_kept <= max(characters_max, least)
    assert len(said(folded.request)) + len(system) == folded.characters_kept
    assert folded.request.system == request.system
    calls = [part for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
    kept = [part for turn in folded.request.turns for part in turn.parts if isinstance(part, ToolCall)]
    assert kept == calls
    assert all(turn.parts or turn in turns for turn in folded.request.turns)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_pieces_are_the_whole_text(text):
    assert "".join(text[start:end] for start, end in spans_of(text)) == text


def test_pieces_end_where_a_paragraph_or_a_sentence_does():
    pieces = [document(0.5)[start:end] for start, end in spans_of(document(0.5))]
    assert all(piece.rstrip().endswith(".") for piece in pieces)
    assert all(400 <= len(piece) <= 1200 for piece in pieces)


def test_other_parts_stay_untouched_and_in_order():
    call, thought = ToolCall("look", {"at": 1}), Thought("so")
    turn = Turn("model", (thought, Text("a long tale " * 900), call, Text("its end")))
    folded = fold(make.request(turns=(user("Hello"), turn, user(QUESTION))), 5_000)
    _, answer, _ = folded.request.turns
    assert [part for part in answer.parts if not isinstance(part, Text)] == [thought, call]


def test_of_many_turns_the_first_the_latest_and_the_relevant_stay_whole():
    turns = []
    for number in range(1000):
        turns += [user(f"What about item {number}?"), Turn("model", (Text(f"Item {number} is well."),))]
    turns[600:602] = [user("And the Lisbon office?"), Turn("model", (Text("Its access code is 48213."),))]
    folded = fold(make.request(turns=(*turns, user(QUESTION))), 3_000).request.turns
    assert folded[0] == turns[0]
    assert folded[-3:] == (*turns[-2:], user(QUESTION))
    assert set(turns[600:602]) <= set(folded)
    assert all(turn in turns for turn in folded[:-1])
    assert [turn.role for turn in folded] == ["user", "model"] * (len(folded) // 2) + ["user"]


def test_a_text_in_chinese():
    lines = [f"第{number}天，列车经过{number}号车站，天气很好。" for number in range(3000)]
    lines.insert(1700, "里斯本办公室的门禁密码是48213。")
    folded = fold(make.request("".join(lines) + "\n\n里斯本办公室的门禁密码是多少？"), 6_000)
    assert "里斯本办公室的门禁密码是48213。" in said(folded.request)
    assert folded.characters_kept <= 6_000


@pytest.mark.parametrize("filler", ["x", "天", "a b ", "\n", " ", "?", "🙂"])
def test_one_giant_line(filler):
    text = filler * (60_000 // len(filler))
    text = text[:30_000] + f" {NEEDLE} " + text[30_000:]
    kept = said(fold(make.request(f"{text}\n\n{QUESTION}"), 8_000).request)
    assert "48213" in kept
    assert kept.endswith(QUESTION)
    assert len(kept) <= 8_000


@pytest.mark.parametrize("sentences", [400, 2_000, 20_000])
@pytest.mark.parametrize("characters_per_token", [0.7, 2.0, 4.5, 9.0])
async def test_the_window_is_filled_but_not_exceeded_in_few_counts(sentences, characters_per_token):
    count, counts = counting(characters_per_token)
    request = make.request(turns=(user(document(0.3, sentences), QUESTION),))
    folded = await folded_to_fit(request, 6_000, count)
    assert len(counts) <= COUNTS_MAX
    tokens = await count(folded.request)
    assert tokens <= 6_000
    assert tokens + 1_200 / characters_per_token >= 6_000 * 0.85 or folded.request == request
    assert NEEDLE in said(folded.request)


async def test_what_fits_is_counted_once():
    count, counts = counting()
    request = make.request("Hello")
    assert (await folded_to_fit(request, 100, count)).request is request
    assert counts == [11]


async def test_a_text_far_beyond_the_window_is_never_counted_whole():
    count, counts = counting()
    await folded_to_fit(make.request(turns=(user(document(0.3, 20_000), QUESTION),)), 2_000, count)
    assert max(counts) < 10_000


async def test_much_that_is_no_text_leaves_less_room_for_text():
    count, counts = counting(fixed=5_000)
    request = make.request(turns=(user(document(0.5), QUESTION),))
    folded = await folded_to_fit(request, 6_000, count)
    assert await count(folded.request) <= 6_000
    assert len(counts) <= COUNTS_MAX + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"text": f"{'word ' * 5_000}{QUESTION}", "system": (Text("rule " * 5_000),)},
        {"text": QUESTION, "system": (Text("rule " * 50_000),)},
        {"text": "why " * 500},
    ],
    ids=["system and text", "system", "question"],
)
async def test_what_cannot_be_made_to_fit_is_too_long(fields):
    count, counts = counting()
    with pytest.raises(InputTooLong) as raised:
        await folded_to_fit(make.request(**fields), 300, count)
    assert raised.value.tokens > raised.value.tokens_max == 300
    assert len(counts) <= COUNTS_MAX
