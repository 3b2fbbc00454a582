"""One generator behind every random choice; a seed makes it repeatable."""

import re
import uuid

import pytest

from edgeproxy.chance import Chance


@pytest.mark.rule("CDN-RSP-03")
def test_a_request_id_is_56_characters_of_url_safe_base64_and_new_each_time() -> None:
    chance = Chance()
    ids = {chance.request_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{54}==", request_id) for request_id in ids)


def test_uuids_are_of_version_4() -> None:
    assert uuid.UUID(Chance().uuid()).version == 4


@pytest.mark.parametrize("digits", [1, 4, 32])
def test_hex_has_the_digits_asked_for(digits: int) -> None:
    chance = Chance(7)
    assert all(re.fullmatch(rf"[0-9a-f]{{{digits}}}", chance.hex(digits)) for _ in range(100))


def test_fractions_lie_below_one() -> None:
    chance = Chance(7)
    assert all(0 <= chance.fraction() < 1 for _ in range(1000))


def test_a_draw_follows_the_weights() -> None:
    chance = Chance(7)
    drawn = [chance.draw("ab", [3, 1]) for _ in range(4000)]
    assert drawn.count("a") / len(drawn) == pytest.approx(0.75, abs=0.03)
    assert {chance.draw("ab", [1, 0]) for _ in range(50)} == {"a"}


def test_a_seed_repeats_everything() -> None:
    def sequence(chance: Chance) -> list[object]:
        return [chance.request_id(), chance.uuid(), chance.hex(8), chance.fraction()]

    assert sequence(Chance(42)) == sequence(Chance(42))
    assert sequence(Chance(42)) != sequence(Chance(43))
    assert sequence(Chance()) != sequence(Chance())
