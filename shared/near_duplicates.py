"""Near duplicates of whole prompts: MinHash finds candidates, an exact comparison decides.

Two prompts are near duplicates when their sets of three-character shingles have a Jaccard similarity of at least 0.8,
they hold the same numbers, and no word was replaced by another (typing errors are allowed). Case, spacing,
width of characters and punctuation do not count. The last two rules keep apart what a template makes of two entities:
"opening hours of shop 1" and "opening hours of shop 2" are two questions.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue]

Hashes = npt.NDArray[np.uint64]
THRESHOLD = 0.8
# P(candidate) = 1 - (1 - s^4)^12: 0.998 for a similarity s of 0.8, 0.05 for 0.25.
BANDS = 12
ROWS_PER_BAND = 4
_PERMUTATIONS = BANDS * ROWS_PER_BAND
_SEED = 20_261_128
_SHINGLE = 3
_NOT_WORDS = re.compile(r"[\W_]+")
_ONLY_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
_WORDS = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[^\W\d_]")
_BETWEEN_WIDE = re.compile(r"(?<=[\u2e80-\uffef]) (?=[\u2e80-\uffef])")
_CLOSE = 0.34


def normalized(text: str) -> str:
    """A text in which case, width of characters and spacing are the same everywhere."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    elif text.isprintable() and "  " not in text:
        # Most texts: spaces are the only white space, one at a time.
        return text.casefold().strip()
    return " ".join(text.casefold().split())


def signatures(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """MinHash signatures of normalized texts, one row each."""
    hashes, offsets = _flat_shingles(texts)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _PERMUTATIONS, _SEED)
    flat = chain.from_iterable(matrix.to_rows())
    return np.fromiter(flat, np.uint32, len(texts) * _PERMUTATIONS).reshape(len(texts), _PERMUTATIONS)


def band_keys(signed: npt.NDArray[np.uint32]) -> Hashes:
    """One hash for each band of each signature, of the shape (rows, `BANDS`): equal hashes are candidates."""
    mixed = np.zeros((len(signed), BANDS), dtype=np.uint64)
    for at in range(ROWS_PER_BAND):
        mixed = _mix(mixed ^ signed[:, at::ROWS_PER_BAND].astype(np.uint64))
    return mixed


def candidates(keys: Hashes) -> Iterator[tuple[int, int]]:
    """Pairs of rows with an equal key in one band, each row with the bucket's first few: never all with all."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    ends = np.append(starts[1:], len(ordered))
    for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
        bucket = order[start:end].tolist()
        for place, row in enumerate(bucket[1:], start=1):
            for leader in bucket[: min(place, 3)]:
                yield leader, row


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the shingles of two normalized texts."""
    left, right = _shingles(one), _shingles(other)
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


def are_near(one: str, other: str) -> bool:
    """Whether two normalized texts are near duplicates."""
    return similarity(one, other) >= THRESHOLD and not _names_another_thing(one, other)


class NearTexts:
    """Texts that others are looked up in."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = [normalized(text) for text in texts]
        self._buckets: dict[tuple[int, int], list[int]] = {}
        for place, keys in enumerate(band_keys(signatures(self.texts)).tolist() if self.texts else []):
            for band, key in enumerate(keys):
                self._buckets.setdefault((band, key), []).append(place)

    def find(self, texts: Sequence[str], keys: Hashes | None = None) -> Iterator[tuple[int, int, float]]:
        """For each of `texts` that is near to one of these: its place, the other's place, and their similarity.

        `keys` are the band keys of the normalized texts, if they are known.
        """
        made = [normalized(text) for text in texts]
        if not made or not self.texts:
            return
        for place, row in enumerate((band_keys(signatures(made)) if keys is None else keys).tolist()):
            near = {other for band, key in enumerate(row) for other in self._buckets.get((band, key), ())}
            for other in sorted(near):
                if made[place] == self.texts[other]:
                    yield place, other, 1.0
                elif are_near(made[place], self.texts[other]):
                    yield place, other, similarity(made[place], self.texts[other])


def _names_another_thing(one: str, other: str) -> bool:
    left, right = _WORDS.findall(one), _WORDS.findall(other)
    if [word for word in left if word.isdigit()] != [word for word in right if word.isdigit()]:
        return True
    for edit in Levenshtein.opcodes(left, right):
        if edit.tag == "replace":
            before = "".join(left[edit.src_start : edit.src_end])
            after = "".join(right[edit.dest_start : edit.dest_end])
            if not _is_typing_error(before, after):
                return True
    return False


def _is_typing_error(before: str, after: str) -> bool:
    longest = max(len(before), len(after))
    return longest >= 4 and Levenshtein.distance(before, after) <= max(1, int(_CLOSE * longest))


def _bare(text: str) -> str:
    """Words with one space between them; none between characters of scripts without spaces, such as Chinese."""
    if text.isascii():
        # Several times faster than the expression.
        return f" {' '.join(text.translate(_ONLY_WORDS).split())} "
    return f" {_BETWEEN_WIDE.sub('', ' '.join(_NOT_WORDS.sub(' ', text).split()))} "


def _shingles(text: str) -> set[str]:
    bare = _bare(text)
    return {bare[at : at + _SHINGLE] for at in range(max(1, len(bare) - _SHINGLE + 1))}


def _flat_shingles(texts: Sequence[str]) -> tuple[Hashes, Hashes]:
    """Hashes of all shingles one after another, and where each text's begin and end."""
    bare = [_bare(text) for text in texts]
    bare = [text if len(text) >= _SHINGLE else text.ljust(_SHINGLE) for text in bare]
    points = np.frombuffer("".join(bare).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    # Three code points of 21 bits are one number.
    packed = points[:-2] | (points[1:-1] << np.uint64(21)) | (points[2:] << np.uint64(42))
    lengths = np.fromiter(map(len, bare), dtype=np.int64, count=len(bare))
    ends = np.cumsum(lengths)
    crossing = (ends[:-1, None] - np.array([2, 1])).ravel()
    keep = np.ones(len(packed), dtype=bool)
    keep[crossing] = False
    offsets = np.concatenate(([0], np.cumsum(lengths - (_SHINGLE - 1)))).astype(np.uint64)
    return _mix(packed[keep]), offsets


def _mix(values: Hashes) -> Hashes:
    """SplitMix64's finalizer (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
