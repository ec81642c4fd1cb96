from geminid.core.events import (
    Candidate,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    TokenLogprob,
    fold,
)
from geminid.core.usage import Usage


async def stream(*events):
    for event in events:
        yield event


async def test_fold_joins_interleaved_candidates_by_index():
    logprob = TokenLogprob("a", 1, -0.5)
    answer = await fold(
        stream(
            Started(Usage(prompt=3, cached=1)),
            TextDelta("b", 1, candidate=1),
            TextDelta("a", 1, candidate=0, logprobs=(logprob,)),
            Finished(FinishReason.MAX_TOKENS, candidate=1),
            TextDelta("c", 2, candidate=0),
            Finished(FinishReason.STOP, candidate=0),
        )
    )
    assert answer.candidates == (
        Candidate("ac", FinishReason.STOP, (logprob,)),
        Candidate("b", FinishReason.MAX_TOKENS),
    )
    assert answer.usage == Usage(prompt=3, cached=1, candidates=4)


async def test_a_candidate_that_said_nothing_is_still_in_the_answer():
    answer = await fold(stream(Started(Usage(prompt=1)), Finished(FinishReason.STOP)))
    assert answer.candidates == (Candidate("", FinishReason.STOP),)


def test_total_counts_cached_tokens_once():
    assert Usage(prompt=10, cached=8, candidates=2, thoughts=3).total == 15


async def test_what_was_found_of_the_prompt_counts_as_cached():
    events = (Started(Usage(prompt=9, cached=2)), PrefixFound(3, {"audio": 1}), Finished(FinishReason.STOP))
    usage = (await fold(stream(*events))).usage
    assert usage == Usage(prompt=9, cached=5, cached_media={"audio": 1})
