import math

from benchmarks.figures import Histogram, median, percentile
from benchmarks.hotspots import count
from benchmarks.system import Process, parse_stat, tree


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([3.0], 0.01) == 3
    assert math.isnan(percentile([], 0.5))


def test_a_median_of_two_lies_between_them() -> None:
    assert median([4.0, 1.0]) == 2.5
    assert median([9.0, 1.0, 2.0]) == 2
    assert math.isnan(median([]))


def test_a_histogram_rounds_up_to_its_step_and_keeps_the_longest() -> None:
    gaps = Histogram()
    assert math.isnan(gaps.percentile_ms(0.99))
    for _ in range(99):
        gaps.add(0.0334)
    gaps.add(3600.0)
    assert gaps.percentile_ms(0.5) == 34
    assert gaps.percentile_ms(0.99) == 34
    assert gaps.percentile_ms(1.0) == Histogram.STEPS + 1


def test_a_process_name_may_hold_spaces_and_brackets() -> None:
    line = "42 (a (b) c) S 7 42 42 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 100 1 1"
    assert parse_stat(line) == Process(42, 7, "a (b) c")


def test_a_tree_holds_descendants_and_no_others() -> None:
    everyone = {p: Process(p, q, "x") for p, q in [(1, 0), (2, 1), (3, 2), (4, 1), (5, 3)]}
    assert tree(2, everyone) == {2, 3, 5}
    assert tree(9, everyone) == set()


def test_stacks_are_counted_by_top_function_and_by_file() -> None:
    stacks = ["main (a/run.py);send (b/sse.py) 3", "main (a/run.py);read (b/sse.py) 1", "", "odd"]
    stacks.append("boot (lib/threading.py);Condition.wait (threading.py) 90")
    stacks.append("_worker (concurrent/futures/thread.py);get (_queuemodule.c) 90")
    total, top, within = count(stacks)
    assert total == 4
    assert top.most_common(1) == [("send (b/sse.py)", 3)]
    assert within == {"a/run.py": 4, "b/sse.py": 4}
