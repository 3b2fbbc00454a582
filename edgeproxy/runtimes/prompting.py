"""A person at a debugger's prompt: the terminal is lent to the code, and its time stands still."""

from collections.abc import Callable, Iterable

from edgeproxy.runtimes.deadline import Deadline
from edgeproxy.runtimes.terminal import Terminal

__all__ = ["Prompting"]


class Prompting:
    """The prompts of one environment.

    ``lend`` gives the process the terminal, or tells it that there is none; ``deadlines`` are the
    limits of time that hold at the moment.
    """

    def __init__(
        self,
        terminal: Terminal,
        lend: Callable[[int | None], None],
        deadlines: Callable[[], Iterable[Deadline]],
    ) -> None:
        self._terminal = terminal
        self._to_process = lend
        self._deadlines = deadlines
        self._is_open = False

    def opens(self) -> None:
        """The code stops and asks for the terminal."""
        for deadline in self._deadlines():
            deadline.suspend()
        self._is_open = True
        self._terminal.ask(self, self._lend)

    def _lend(self, descriptor: int | None) -> None:
        self._to_process(descriptor)
        if descriptor is None:
            self.closes(keeps=False)

    def closes(self, *, keeps: bool) -> None:
        """The code goes on; it keeps the terminal when the next prompt is a step away."""
        for deadline in self._deadlines():
            deadline.resume()
        if not keeps:
            self.end()

    def end(self) -> None:
        """A prompt that was left open is over."""
        if self._is_open:
            self._is_open = False
            self._terminal.give_back(self)
