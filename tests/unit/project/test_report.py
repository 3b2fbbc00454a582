"""Notes: one line for each place, findings once."""

from pathlib import Path

from edgeproxy.errors import Place
from edgeproxy.project.model import Treatment
from edgeproxy.project.report import CheckFinding, Notes

FILE = Path("template.yaml")


def test_a_later_note_replaces_honoured_and_not_the_reverse() -> None:
    notes = Notes()
    place = Place(FILE, 3, "A")
    notes.honoured(place)
    notes.approximated(place, "nearly")
    notes.honoured(place)
    [line] = notes.report.lines
    assert (line.treatment, line.why) == (Treatment.APPROXIMATED, "nearly")


def test_lines_come_in_the_order_of_the_file() -> None:
    notes = Notes()
    for number in (10, 9, 2):
        notes.ignored(Place(FILE, number, str(number)), "no")
    assert [line.place.line for line in notes.report.lines] == [2, 9, 10]


def test_what_a_transform_made_is_not_reported_as_honoured() -> None:
    notes = Notes()
    notes.honoured(Place(FILE, None, "Made"))
    assert notes.report.lines == ()


def test_a_finding_counts_once() -> None:
    notes = Notes()
    finding = CheckFinding("CDN-CFG-393", Place(FILE, 1), "wrong")
    notes.found([finding, finding])
    notes.found([finding])
    assert notes.findings == (finding,)
