"""Which encoding a text file has, from its first bytes."""

import codecs

from charset_normalizer import from_bytes

from services.ingest.reading.refusal import FileRefused

SUPPORTED = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "cp1252")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def detect(sample: bytes, whole: bool) -> str:
    """One of `SUPPORTED`. `whole` says that the sample is all there is, so that it cannot end within a character."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if decodes(sample, "utf-8", whole):
        # ASCII in UTF-16 is valid UTF-8 with a NUL in every other place.
        return _utf16(sample) or "utf-8"
    if found := _utf16(sample):
        return found
    if _mostly_utf8(sample):
        return "utf-8"
    # Cut at a line, so that the sample does not end within a character.
    cut = sample if whole else sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(cut, cp_isolation=["gb18030", "cp1252"], threshold=0.9).best()
    return best.encoding if best is not None else "cp1252" if not decodes(cut, "gb18030", whole) else "gb18030"


def chosen(name: str) -> str:
    """An encoding that a user asked for, by any of its names; raises `FileRefused` for one that is not supported."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        found = ""
    aliases = {"gbk": "gb18030", "gb2312": "gb18030", "ascii": "utf-8"}
    found = aliases.get(found, found)
    if found not in SUPPORTED:
        reason = f"the encoding {name[:40]!r} is not supported"
        raise FileRefused("unknown_encoding", reason, f"choose one of {', '.join(SUPPORTED)}")
    return found


def decodes(sample: bytes, encoding: str, whole: bool) -> bool:
    """Whether every byte of the sample belongs to a character of this encoding; see `detect` for `whole`."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _utf16(sample: bytes) -> str | None:
    """UTF-16 without a mark: Western text has a NUL in every other byte."""
    if len(sample) < 8 or b"\x00" not in sample:
        return None
    half = len(sample) // 2
    if sample[1::2].count(0) > 0.4 * half and sample[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if sample[::2].count(0) > 0.4 * half and sample[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _mostly_utf8(sample: bytes) -> bool:
    """Whether a few damaged places stand in a text that is UTF-8 otherwise: these rows are reported one by one."""
    text = sample.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    others = sum(1 for char in text if char > "\x7f" and char != "\ufffd")
    ascii_only = others == 0 and damaged <= max(1, len(sample) // 2000) and len(sample) > 2000
    return ascii_only or others > 4 * damaged
