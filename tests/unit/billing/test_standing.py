import pytest
from msgspec import json

from geminid.billing.limits import TIERS, UNLIMITED
from geminid.billing.standing import LimitRules, Override, Spending, refuse_senseless, standing_of
from geminid.core.errors import InvalidArgument


def test_without_a_word_nothing_is_limited():
    standing = standing_of("p", "postpaid", "unlimited")
    assert standing.limits_of("any") == UNLIMITED == standing.whole


def test_a_tier_limits_rates_by_model_and_spending_of_the_whole():
    standing = standing_of("p", "prepaid", "1")
    assert standing.limits_of("any").rpm == TIERS["1"].rpm
    assert standing.limits_of("any").spend_month is None
    assert standing.whole.spend_month == TIERS["1"].spend_month
    assert standing.whole.rpm is None


def test_the_free_tier_keeps_its_names():
    assert standing_of("p", "prepaid", "free").limits_of("any").free


def test_one_model_goes_over_every_model_and_that_over_the_tier():
    rules = LimitRules(every_model=Override(rpm=7, tpm=None), models={"m": Override(rpm=9, concurrent=1)})
    standing = standing_of("p", "postpaid", "free", rules)
    assert (standing.limits_of("other").rpm, standing.limits_of("other").tpm) == (7, None)
    assert standing.limits_of("other").rpd == TIERS["free"].rpd
    assert (standing.limits_of("m").rpm, standing.limits_of("m").concurrent) == (9, 1)
    assert standing.limits_of("m").tpm is None


def test_no_limit_and_the_tiers_limit_are_told_apart():
    none = standing_of("p", "postpaid", "1", LimitRules(spending=Spending(month_nano=None)))
    assert none.whole.spend_month is None
    assert standing_of("p", "postpaid", "1").whole.spend_month is not None


def test_rules_survive_their_row():
    rules = LimitRules(
        every_model=Override(rpm=None), models={"m": Override(tpm=0)}, spending=Spending(day_nano=5)
    )
    assert json.decode(json.encode(rules), type=LimitRules) == rules


@pytest.mark.parametrize(
    "rules",
    [
        LimitRules(every_model=Override(rpm=-1)),
        LimitRules(models={"m": Override(tpm=2**63)}),
        LimitRules(spending=Spending(day_nano=-5)),
    ],
)
def test_senseless_limits_are_refused(rules):
    with pytest.raises(InvalidArgument, match="must be in 0"):
        refuse_senseless(rules, 10)


def test_a_project_has_limits_for_so_many_models_at_most():
    with pytest.raises(InvalidArgument, match="at most 1 models"):
        refuse_senseless(LimitRules(models={"a": Override(), "b": Override()}), 1)
