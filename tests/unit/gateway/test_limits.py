"""What a key may still do in a sliding minute, and what it is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.gateway.access.domain.limits import Account, Counts, Tally, duration, headers, refuse, share_used
from services.gateway.access.domain.usage import Usage, days, summed
from services.gateway.common.domain.errors import RateLimited
from services.gateway.inference.domain.stream_events import StreamUsage, Used, used
from shared.security import Key

START = 1_000_000 * 60.0


def key(**limits: Any) -> Key:
    return Key(id="key_1", name="k", sha256="", scopes=("infer",), created_at=0, **limits)


def opened(now: float = START) -> Account:
    return Account("key_1", int(now // 60))


def ask(key: Key, account: Account, now: float, tokens: int = 1) -> RateLimited | None:
    """One request that takes what it reserved."""
    try:
        refuse(key, account, tokens, now)
    except RateLimited as refused:
        return refused
    account.mine.requests += 1
    account.mine.tokens += tokens
    account.spent += tokens
    return None


@given(some.lists(some.floats(0, 5), min_size=50, max_size=150), some.integers(1, 20))
def test_no_minute_of_the_clock_lets_in_more_and_who_waits_as_told_is_let_in(pauses: list[float], limit: int) -> None:
    bounded, account, now = key(requests_per_minute=limit), opened(), START
    let_in: dict[int, int] = {}
    for pause in pauses:
        now += pause
        refused = ask(bounded, account, now)
        if refused is None:
            let_in[int(now // 60)] = let_in.get(int(now // 60), 0) + 1
        else:
            later = now + int(refused.headers["retry-after-ms"]) / 1000
            assert later - now <= 120
            copy = Account(**vars(account) | {"mine": Counts(**vars(account.mine))})
            assert ask(bounded, copy, later) is None
    assert max(let_in.values()) <= limit


def test_what_was_done_slides_out_of_the_minute_by_and_by() -> None:
    bounded, account = key(requests_per_minute=60), opened()
    assert [ask(bounded, account, START + 59) for _ in range(60)] == [None] * 60
    assert ask(bounded, account, START + 59) is not None
    # A quarter into the next minute, three quarters of the sixty are still within the last sixty seconds.
    assert [ask(bounded, account, START + 75) is None for _ in range(16)] == [True] * 15 + [False]
    assert ask(bounded, account, START + 200) is None


def test_tokens_under_way_count_and_one_larger_than_a_minute_passes_alone() -> None:
    bounded, account = key(tokens_per_minute=100), opened()
    account.reserved = 60
    refused = ask(bounded, account, START, 60)
    assert refused is not None
    assert refused.code == "rate_limit_exceeded"
    account.reserved = 0
    assert ask(bounded, account, START, 500) is None
    assert ask(bounded, account, START, 1) is not None


def test_a_budget_ends_for_good_and_is_not_worth_a_retry() -> None:
    bounded, account = key(token_budget=10), opened()
    assert ask(bounded, account, START, 9) is None
    assert ask(bounded, account, START, 9) is None
    refused = ask(bounded, account, START + 10_000, 1)
    assert refused is not None
    assert (refused.code, refused.headers) == ("insufficient_quota", {"x-should-retry": "false"})
    account.spent, account.spent_by_others = 0, 10
    assert ask(bounded, account, START, 1) is not None


def test_headers_are_openais_and_only_for_limits_that_are_there() -> None:
    bounded, account = key(requests_per_minute=10, tokens_per_minute=1000), opened()
    ask(bounded, account, START + 15, 250)
    told = {name.decode(): value.decode() for name, value in headers(bounded, account, START + 15)}
    assert told == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "1m45s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "750",
        "x-ratelimit-reset-tokens": "1m45s",
    }
    assert headers(key(token_budget=5), account, START) == ()
    assert [duration(s) for s in (0, 0.017, 1, 59.2, 90)] == ["0ms", "17ms", "1s", "1m0s", "1m30s"]


def test_what_others_told_counts_in_the_minute_in_which_it_was() -> None:
    bounded, account, minute = key(requests_per_minute=10), opened(), int(START // 60)
    tallies = [
        Tally(id="a", at=START, minute=minute, now={"key_1": (4, 0)}, before={"key_1": (2, 0)}),
        Tally(id="b", at=START, minute=minute - 1, now={"key_1": (6, 0)}, before={"key_1": (99, 0)}),
        Tally(id="c", at=START, minute=minute - 9, now={"key_1": (99, 0)}),
    ]
    account.learn(tallies)
    assert account.requests(0.5) == 4 + 8 * 0.5
    account.roll(START + 60)
    assert account.requests(0.0) == 4
    assert ask(bounded, account, START + 60) is None


def test_a_gateway_looks_again_when_its_share_of_what_was_left_is_used() -> None:
    bounded, account = key(requests_per_minute=100), opened()
    let_in = 0
    while not share_used(bounded, account, 4, START):
        account.mine.requests += 1
        account.taken.requests += 1
        let_in += 1
    assert let_in == 25
    assert not share_used(bounded, account, 1, START)


def test_usage_is_summed_by_what_is_asked_for_over_days_that_are_there() -> None:
    row = {"id": "x", "version": "v", "day": "2026-11-20", "requests": 1}
    rows = [Usage(**row, key_id=f"k{n % 2}", prompt_tokens=n) for n in range(4)]
    assert summed(rows, ("key_id",)) == [
        {"key_id": "k0", "requests": 2, "prompt_tokens": 2, "completion_tokens": 0, "total_tokens": 2},
        {"key_id": "k1", "requests": 2, "prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4},
    ]
    assert len(days(None, None, START)) == 30


def test_a_streams_usage_is_heard_and_shown_only_to_those_who_asked() -> None:
    last = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n'
    word = b'data: {"choices":[{"delta":{"content":"say \\"usage\\":{"}}]}\n\n'
    done = b"data: [DONE]\n\n"
    for asked in (True, False):
        stream = StreamUsage(asked)
        assert stream.visible_events([word]) == [word]
        assert stream.visible_events([last, done]) == ([last, done] if asked else [done])
        assert stream.used == Used(5, 2)
        assert stream.events == 3
    both = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n'
    assert StreamUsage(False).visible_events([both]) == [both]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"usage":null}', b'{"usage":[]}', b"[]", b'{"usage":{"prompt_tokens":""}}']
)
def test_an_answer_that_does_not_say_what_it_took_is_no_error(body: bytes) -> None:
    assert used(body) is None
