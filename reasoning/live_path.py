"""Where the search stands while a stream is read."""


class LivePath:
    """Ids of the steps from the problem to the one that the next step continues.

    A model that breaks the protocol, or a protocol whose backtracks name no depth, leaves the place unknown; it is
    reported so and not guessed.
    """

    def __init__(self) -> None:
        self._ids: list[int | None] | None = []
        self._tip: int | None = 0

    @property
    def next_depth(self) -> int | None:
        """Depth of a step that begins now; None if unknown."""
        return None if self._ids is None else len(self._ids) + 1

    @property
    def tip(self) -> int | None:
        """Id of the step that the next one continues; 0 is the problem, None unknown."""
        return self._tip

    @property
    def num_steps(self) -> int | None:
        """Steps on the path, the last one included; None if unknown."""
        return None if self._ids is None else len(self._ids)

    def push(self, step_id: int) -> None:
        """A step began at the tip."""
        if self._ids is not None:
            self._ids.append(step_id)
        self._tip = step_id

    def return_to(self, depth: int | None) -> None:
        """A backtrack to a depth above the last step's; None where it is not known which."""
        if depth is None:
            self._ids, self._tip = None, None
        elif self._ids is None:
            self._ids, self._tip = [None] * depth, None if depth else 0
        else:
            self._ids = self._ids[:depth]
            self._tip = self._ids[-1] if self._ids else 0
