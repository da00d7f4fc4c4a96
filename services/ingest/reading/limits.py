"""How much a file may ask of the reader."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes.

    `unpacked` is the size of a gz or zip file's content, `ratio` how many times larger than the file it may be
    (small files excepted). `workbook` is the unpacked size of a spreadsheet, which is read as a whole.
    """

    row: int = MIB
    unpacked: int = 8 * 1024 * MIB
    ratio: int = 200
    workbook: int = 256 * MIB
    depth: int = 64
    sample: int = 256 * 1024
