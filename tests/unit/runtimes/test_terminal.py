import os
import pty
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal


@dataclass
class Desk:
    """A terminal with a record of who got what."""

    told: list[bool] = field(default_factory=list)
    lent: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.controller, self.descriptor = pty.openpty()
        self.terminal = Terminal(self.descriptor, self.told.append)

    def ask(self, who: str) -> None:
        self.terminal.ask(who, lambda lent: self.lent.append((who, lent == self.descriptor)))


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    os.close(desk.controller)
    os.close(desk.descriptor)


def test_one_at_a_time_in_the_order_of_asking(desk: Desk) -> None:
    for who in ("a", "b", "c"):
        desk.ask(who)
    desk.ask("a")  # the next prompt of whoever has it
    assert desk.lent == [("a", True), ("a", True)]
    desk.terminal.give_back("a")
    desk.terminal.give_back("b")
    desk.terminal.give_back("c")
    assert desk.lent[2:] == [("b", True), ("c", True)]
    assert desk.told == [True, False]


def test_who_does_not_wait_any_more_is_passed_over(desk: Desk) -> None:
    for who in ("a", "b", "c"):
        desk.ask(who)
    desk.terminal.give_back("b")
    desk.terminal.give_back("nobody")
    desk.terminal.give_back("a")
    assert desk.lent == [("a", True), ("c", True)]


def test_without_a_terminal_the_answer_is_none() -> None:
    answers: list[int | None] = []
    NO_TERMINAL.ask("a", answers.append)
    NO_TERMINAL.give_back("a")
    assert answers == [None]


def test_in_the_background_the_terminal_is_the_shells(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
    desk.ask("a")
    assert desk.lent == [("a", False)]
    assert desk.told == []
