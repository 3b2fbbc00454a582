"""Work for a value is done once, and found again by identity."""

from edgeproxy.distribution.prepared import PreparedOnce


def test_the_same_object_is_prepared_once() -> None:
    seen: list[list[int]] = []

    @PreparedOnce
    def total(numbers: list[int]) -> int:
        seen.append(numbers)
        return sum(numbers)

    first, equal = [1, 2], [1, 2]
    assert (total(first), total(first), total(equal)) == (3, 3, 3)
    assert len(seen) == 2


def test_results_stay_right_when_many_values_come_and_go() -> None:
    @PreparedOnce
    def only(numbers: list[int]) -> int:
        return numbers[0]

    assert [only([number]) for number in range(3000)] == list(range(3000))


def test_no_more_results_are_kept_than_the_limit_says() -> None:
    seen: list[list[int]] = []

    def total(numbers: list[int]) -> int:
        seen.append(numbers)
        return sum(numbers)

    prepared = PreparedOnce(total, limit=2)
    first, second, third = [1], [2], [3]
    assert [prepared(each) for each in (first, second, first, third, first)] == [1, 2, 1, 3, 1]
    assert seen == [first, second, third, first]
