from geminid.core.request import Sampling


def test_a_said_value_wins_over_the_default_even_when_it_is_zero():
    merged = Sampling(temperature=0.0, top_k=0).over(Sampling(temperature=1.0, top_k=64, top_p=0.95))
    assert merged == Sampling(temperature=0.0, top_k=0, top_p=0.95)
