import pytest

from geminid.core.usage import Usage
from geminid.engines.protocol import EngineState
from geminid.service.generate import RequestRecord
from geminid.telemetry import Telemetry


def test_what_is_observed_is_exposed():
    telemetry = Telemetry(lambda: [EngineState(model="m", phase="ready", waiting=2, kv_used=0.5, restarts=1)])
    telemetry.observe(
        RequestRecord(
            model="m",
            asked="alias",
            id="1",
            usage=Usage(prompt=5, cached=4, candidates=3),
            found_tokens=3,
            outcome="finished",
            took_s=1.0,
            first_token_s=0.2,
            gap_sum_s=0.1,
            gap_tokens=2,
        )
    )
    telemetry.observe(RequestRecord(model="m", asked="m", id="2", outcome="UNAVAILABLE"))
    text = telemetry.expose().decode()
    for line in (
        'geminid_requests_total{model="m",outcome="finished"} 1.0',
        'geminid_requests_total{model="m",outcome="UNAVAILABLE"} 1.0',
        'geminid_tokens_total{kind="prompt",model="m"} 5.0',
        'geminid_tokens_total{kind="candidates",model="m"} 3.0',
        'geminid_tokens_total{kind="cached",model="m"} 4.0',
        'geminid_found_tokens_total{model="m"} 3.0',
        'geminid_time_to_first_token_seconds_bucket{le="0.25",model="m"} 1.0',
        'geminid_inter_token_seconds_count{model="m"} 1.0',
        'geminid_engine_waiting{model="m"} 2.0',
        'geminid_engine_kv_used{model="m"} 0.5',
        'geminid_engine_restarts{model="m"} 1.0',
    ):
        assert line in text


def test_two_servers_in_one_process_do_not_share_their_figures():
    one, other = Telemetry(list), Telemetry(list)
    one.observe(RequestRecord(model="m", asked="m", id="1", outcome="finished"))
    assert 'outcome="finished"' not in other.expose().decode()


class Figures:
    holds_open, messages_waiting = 3, 1


def test_money_limits_and_phases_are_counted():
    telemetry = Telemetry(list, Figures())
    telemetry.observe(
        RequestRecord(
            model="m",
            asked="m",
            id="1",
            tier="flex",
            outcome="finished",
            cost_nano=1_234,
            read_s=0.0,
            accepted_s=0.01,
            first_token_s=0.2,
            took_s=1.0,
        )
    )
    telemetry.observe(
        RequestRecord(
            model="m",
            asked="m",
            id="2",
            outcome="RESOURCE_EXHAUSTED",
            refused_by=("GenerateRequestsPerDay", "credits"),
        )
    )
    text = telemetry.expose().decode()
    for line in (
        'geminid_cost_nano_dollars_total{model="m",tier="flex"} 1234.0',
        'geminid_refusals_total{limit="GenerateRequestsPerDay",model="m"} 1.0',
        'geminid_refusals_total{limit="credits",model="m"} 1.0',
        'geminid_phase_seconds_count{model="m",phase="prefill"} 1.0',
        'geminid_phase_seconds_bucket{le="1.0",model="m",phase="decode"} 1.0',
        "geminid_holds_open 3.0",
        "geminid_messages_waiting 1.0",
    ):
        assert line in text


def test_the_access_line_has_fields_and_no_word_of_a_request(caplog):
    made = RequestRecord(
        model="m", asked="a", id="1", project="p", key_name="k", outcome="finished", took_s=0.5
    )
    made.answered.append("secret")
    with caplog.at_level("INFO", "geminid.access"):
        Telemetry(list).observe(made)
    (line,) = caplog.records
    assert (line.fields["receipt"], line.fields["project"], line.fields["took_ms"]) == ("1", "p", 500)
    assert "secret" not in f"{line.getMessage()}{line.fields}"


@pytest.mark.parametrize(
    ("first_token_s", "words"), [(-1.0, "0 out, no token, whole"), (0.25, "0 out, first token 250 ms, whole")]
)
def test_a_request_without_a_token_has_no_time_to_its_first(caplog, first_token_s, words):
    made = RequestRecord(model="m", asked="a", id="1", first_token_s=first_token_s)
    with caplog.at_level("INFO", "geminid.access"):
        Telemetry(list).observe(made)
    assert words in caplog.text
