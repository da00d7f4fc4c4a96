"""What a collection found: how many files are needed, new, or garbage."""

from dataclasses import dataclass, field

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass
class Tally:
    """A number of files and their size."""

    files: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        self.files += 1
        self.bytes += size

    def __str__(self) -> str:
        return f"{self.files:,} {'file' if self.files == 1 else 'files'}, {_size(self.bytes)}"


@dataclass
class KindReport:
    """One kind of file. `new` is not needed, but too young to be removed."""

    needed: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)
    garbage: Tally = field(default_factory=Tally)
    removed: Tally = field(default_factory=Tally)


@dataclass
class Report:
    """By kind, in the order in which they were found."""

    grace_days: float
    kinds: dict[str, KindReport] = field(default_factory=dict[str, KindReport])

    def of(self, kind: str) -> KindReport:
        return self.kinds.setdefault(kind, KindReport())

    @property
    def garbage(self) -> Tally:
        return _sum([each.garbage for each in self.kinds.values()])

    @property
    def removed(self) -> Tally:
        return _sum([each.removed for each in self.kinds.values()])

    def summary(self, *, removed: bool, how: str) -> str:
        """The table, and what was done or can be done; `how` is what the caller adds to remove the garbage."""
        if removed:
            return f"{self}\nremoved: {self.removed}"
        if not self.garbage.files:
            return f"{self}\nThere is nothing to remove."
        return f"{self}\nNothing was removed. To remove {self.garbage}, add {how}."

    def __str__(self) -> str:
        rows = [("", "needed", f"younger than {self.grace_days:g} days", "garbage")]
        rows += [(kind, str(each.needed), str(each.new), str(each.garbage)) for kind, each in self.kinds.items()]
        return "\n".join("  ".join(cell.ljust(26 if n else 17) for n, cell in enumerate(row)).rstrip() for row in rows)


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(sum(each.files for each in tallies), sum(each.bytes for each in tallies))


def _size(count: float) -> str:
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:.0f} bytes"
