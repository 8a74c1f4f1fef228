import heapq
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import paths
from models.paths import MOST_STEPS, Roads, way


def roads(number, links):
    """Lay out links, each a source, an end and a length."""
    sources, ends, lengths = zip(*links, strict=True) if links else ((), (), ())
    return Roads.of(
        number,
        np.array(sources, dtype=np.int64),
        np.array(ends, dtype=np.int64),
        np.array(lengths, dtype=np.float64),
    )


def best_by_definition(number, links, start, goal):
    """Return the fewest steps and the least length of those, by Dijkstra over both."""
    best = {start: (0, 0.0)}
    waiting = [(0, 0.0, start)]
    while waiting:
        steps, length, song = heapq.heappop(waiting)
        if (steps, length) > best[song]:
            continue
        for source, end, far in links:
            reached = (steps + 1, length + far)
            if source == song and reached < best.get(end, (number + 1, 0.0)):
                best[end] = reached
                heapq.heappush(waiting, (*reached, end))
    return best.get(goal)


@st.composite
def maps(draw):
    number = draw(st.integers(2, 12))
    song = st.integers(0, number - 1)
    far = st.integers(0, 8).map(lambda eighths: eighths / 8)  # sums of these are exact
    pairs = draw(st.dictionaries(st.tuples(song, song), far, max_size=30))
    links = [(*pair, length) for pair, length in pairs.items() if pair[0] != pair[1]]
    return number, links, draw(song), draw(song)


def measured(links, found):
    lengths = {(source, end): far for source, end, far in links}
    return len(found) - 1, sum(lengths[pair] for pair in pairwise(found))


@settings(max_examples=300, deadline=None)
@given(maps())
def test_way_is_shortest_in_steps_and_then_in_distance(case):
    number, links, start, goal = case
    expected = best_by_definition(number, links, start, goal)
    found = way(roads(number, links), start, goal)
    if expected is None:
        assert found is None
    else:
        assert (found[0], found[-1]) == (start, goal)
        assert measured(links, found) == expected


@settings(max_examples=200, deadline=None)
@given(maps())
def test_way_in_either_direction_is_the_way_where_every_link_has_its_reverse(case):
    number, links, start, goal = case
    least = {}
    for source, end, far in links:
        for pair in ((source, end), (end, source)):
            least[pair] = min(far, least.get(pair, far))
    both = [(*pair, far) for pair, far in least.items()]
    expected = best_by_definition(number, both, start, goal)
    found = way(roads(number, links), start, goal, either=True)
    assert (found and measured(both, found)) == expected


def test_a_song_is_no_step_from_itself():
    assert way(roads(2, []), 1, 1) == [1]


def test_links_are_followed_backwards_only_when_asked():
    back = roads(3, [(1, 0, 1.0), (2, 1, 1.0)])
    assert way(back, 0, 2) is None
    assert way(back, 0, 2, either=True) == [0, 1, 2]
    assert back.lead(1, 0)
    assert not back.lead(0, 1)


def test_of_ways_that_are_as_short_the_one_of_lower_numbers_is_taken():
    square = roads(4, [(0, 2, 1.0), (0, 1, 1.0), (1, 3, 1.0), (2, 3, 1.0)])
    assert way(square, 0, 3) == [0, 1, 3]


@pytest.mark.parametrize("more", [0, 1])
def test_ways_have_a_bound(more):
    steps = MOST_STEPS + more
    line = roads(steps + 1, [(song, song + 1, 1.0) for song in range(steps)])
    found = way(line, 0, steps)
    assert found == (list(range(steps + 1)) if not more else None)


def test_roads_give_the_same_answers_to_many_threads():
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(0)
    sources = np.repeat(np.arange(500), 5)
    ends = (sources + rng.integers(1, 60, len(sources))) % 500
    shared = paths.Roads.of(500, sources, ends, rng.random(len(sources)))
    pairs = [tuple(pair) for pair in rng.integers(0, 500, (200, 2))]
    alone = [way(shared, *pair) for pair in pairs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda pair: way(shared, *pair), pairs)) == alone
