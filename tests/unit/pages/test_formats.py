"""Figures, sizes, durations and times as pages write them."""

from datetime import UTC, datetime

import pytest

from shared.pages import formats


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.figure(0.8235), "0.824"),
        (formats.figure(None), "–"),
        (formats.signed(-0.0884), "−0.088"),
        (formats.signed(0.05), "+0.050"),
        (formats.count(1240), "1,240"),
        (formats.percent(0.05), "5\u00a0%"),
        (formats.size(999), "999\u00a0B"),
        (formats.size(2_900_000), "2.9\u00a0MB"),
        (formats.duration_words(0.34), "0.3\u00a0s"),
        (formats.duration_words(89), "89\u00a0s"),
        (formats.duration_words(47 * 60), "47\u00a0min"),
        (formats.duration_words(3 * 3600, "zh"), "3.0\u00a0小时"),
        (formats.duration_words(None), "–"),
    ],
)
def test_what_pages_write(written: str, expected: str) -> None:
    assert written == expected


def test_a_time_carries_its_exact_moment_in_utc() -> None:
    at = datetime(2026, 11, 28, 18, 30, tzinfo=UTC)
    assert str(formats.time(at)) == '<time datetime="2026-11-28T18:30:00+00:00">28 Nov, 18:30</time>'
    assert formats.time(at.timestamp()) == formats.time(at) == formats.time(at.replace(tzinfo=None))
