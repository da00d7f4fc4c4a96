"""How pages write figures, sizes, durations and times. What was not measured is never written as zero."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from shared.pages.catalogs import Language
from shared.pages.sentences import sentence
from shared.percent import percent as written_percent

NOTHING = "–"
_UNITS = {"en": ("s", "min", "h", "d"), "zh": ("秒", "分", "小时", "天")}


def filters(language: Language) -> dict[str, Callable[..., Any]]:
    """The Jinja filters of one language."""

    def duration(seconds: float | None) -> str:
        return duration_words(seconds, language)

    def said(text: str) -> Markup:
        return sentence(text, language)

    return {"figure": figure, "signed": signed, "count": count, "percent": percent, "size": size} | {
        "duration": duration,
        "time": time,
        "python": repr,
        "lang": lang,
        "sentence": said,
    }


def figure(value: float | None, digits: int = 3) -> str:
    """A score with a fixed number of digits."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference; the minus sign is as wide as the plus."""
    return NOTHING if value is None else f"{value:+.{digits}f}".replace("-", "−")


def count(value: int | None) -> str:
    """A whole number with a comma for each thousand."""
    return NOTHING if value is None else f"{value:,}"


def percent(share: float | None, digits: int = 0) -> str:
    return NOTHING if share is None else written_percent(share, digits)


def size(byte_count: float | None) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    if byte_count is None:
        return NOTHING
    for unit in ("B", "KB", "MB", "GB"):
        if byte_count < 1000:
            return f"{byte_count:.0f}\u00a0{unit}" if unit == "B" else f"{byte_count:.1f}\u00a0{unit}"
        byte_count /= 1000
    return f"{byte_count:.1f}\u00a0TB"


def lang(text: str) -> Language:
    """The `lang` of a text that a person or a model wrote: Chinese if it has a Chinese character."""
    return "zh" if re.search("[\u3400-\u9fff\uf900-\ufaff]", text) else "en"


def duration_words(seconds: float | None, language: Language = "en") -> str:
    """A duration in one or two units."""
    if seconds is None:
        return NOTHING
    second, minute, hour, day = _UNITS[language]
    if seconds < 10:
        return f"{seconds:.1f}\u00a0{second}"
    if seconds < 90:
        return f"{seconds:.0f}\u00a0{second}"
    if seconds < 5400:
        return f"{seconds / 60:.0f}\u00a0{minute}"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f}\u00a0{hour}"
    return f"{seconds / 86400:.0f}\u00a0{day}"


def time(moment: datetime | float | None) -> Markup | str:
    """A `<time>` element in UTC, which a script shows in the reader's zone; Unix seconds or a datetime."""
    if moment is None:
        return NOTHING
    at = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), at.strftime("%d %b, %H:%M"))
