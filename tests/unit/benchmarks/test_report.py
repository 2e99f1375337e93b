import math

from benchmarks import bars, report, rows
from benchmarks.rows import Row


def token_row(subject: str, streams: int, cost: float, repeat: int = 0, **more: object) -> Row:
    row: Row = {"measure": "token", "subject": subject, "streams": streams, "repeat": repeat}
    return row | {"us_per_token": cost, "errors": {}, "others_share": 0.0} | more


RUN: list[Row] = [
    token_row("nginx", 600, 10.0, 0),
    token_row("nginx", 600, 20.0, 1),
    token_row("nginx", 600, 10.0, 2),
    token_row("parlour native", 600, 13.0, 0, fresh=True, kb_per_stream=64.0),
    token_row("parlour native", 600, 28.0, 1, fresh=True, kb_per_stream=66.0),
    token_row("parlour native", 600, 90.0, 2, fresh=False, kb_per_stream=0.0),
    token_row("parlour native", 60, 30.0),
    token_row("reference", 60, 360.0),
]

ABOUT = {
    "processor": "P",
    "cores": "2",
    "memory": "24 GB",
    "kernel": "Linux",
    "python": "3.11",
    "cores_used": "servers on 0",
    "repeats": "3",
    "date": "today",
    "window_s": "6.0",
    "command": "python -m benchmarks",
}


def test_a_ratio_sets_figures_of_the_same_repeat_against_each_other() -> None:
    assert rows.ratio(RUN, "parlour native", "nginx", 600) == 1.4
    assert math.isnan(rows.ratio(RUN, "parlour native", "nginx", 100))


def test_memory_is_read_only_from_the_first_crowd_after_a_start() -> None:
    assert "| Memory per open stream | ≤ 100 KB | 65 KB | met |" in bars.bars(RUN)


def test_a_bar_that_was_not_measured_is_not_met() -> None:
    text = bars.bars([])
    assert text.count("not measured") == len(bars.BARS)
    assert "| met |" not in text


def test_a_missed_bar_stands_out() -> None:
    slow = [token_row("nginx", 600, 10.0), token_row("parlour native", 600, 16.0)]
    assert "1.60\N{MULTIPLICATION SIGN} | **missed** |" in bars.bars(slow)


def test_the_reference_is_compared_at_the_same_number_of_streams() -> None:
    text = bars.bars(RUN)
    assert (
        "both at 60 streams | ≥ 10\N{MULTIPLICATION SIGN} | 12.0\N{MULTIPLICATION SIGN} | met |"
        in text
    )
    assert "both at 20 streams | ≥ 10\N{MULTIPLICATION SIGN} | \N{EN DASH} | not measured |" in text


def test_the_reference_is_compared_where_it_is_cheapest_too() -> None:
    step: Row = {"measure": "capacity", "subject": "reference"}
    steps = [
        step | {"streams": 40, "passed": True, "us_per_token": 400.0},
        step | {"streams": 60, "passed": True, "us_per_token": 196.0},
        step | {"streams": 100, "passed": False, "us_per_token": 100.0},
    ]
    line = "the reference at its most, Parlour at 600 | ≥ 10\N{MULTIPLICATION SIGN} | "
    assert line + "7.0\N{MULTIPLICATION SIGN} | **missed** |" in bars.bars(RUN + steps)
    assert line + "\N{EN DASH} | not measured |" in bars.bars(RUN)
    ours = token_row("parlour native", 100, 25.0)
    line = "both at 100 streams, too many for it | ≥ 10\N{MULTIPLICATION SIGN} | "
    assert line + "4.0\N{MULTIPLICATION SIGN} | **missed** |" in bars.bars([*steps, ours])


def test_no_passed_step_is_a_missed_bar_and_not_an_unmeasured_one() -> None:
    failed: Row = {"measure": "capacity", "subject": "parlour native", "streams": 600}
    assert bars.most_streams([failed | {"passed": False}], "parlour native") == 0
    assert math.isnan(bars.most_streams([], "parlour native"))


def test_doubtful_rows_are_marked() -> None:
    assert rows.flags([token_row("x", 1, 1.0, starved=True)]) == rows.STARVED
    assert rows.flags([token_row("x", 1, 1.0) | {"errors": {"hung": 1}}]) == rows.FAULTY
    assert rows.flags([token_row("x", 1, 1.0) | {"others_share": 0.9}]) == rows.BUSY
    assert rows.flags([token_row("x", 1, 1.0)]) == ""


def test_a_table_has_as_many_cells_in_its_rule_as_in_its_head() -> None:
    text = rows.table(["a", "b", "c"], [["x", "1", "2"]])
    assert text == "| a | b | c |\n| --- | ---: | ---: |\n| x | 1 | 2 |"


def test_the_token_table_has_a_column_for_each_level_and_the_factor_against_nginx() -> None:
    text = report.token_table(RUN)
    assert "| μs per token at | 60 streams | 600 streams |" in text
    assert "= 1.40\N{MULTIPLICATION SIGN}" in text


def test_a_report_of_half_a_run_still_renders() -> None:
    text = report.render(ABOUT, RUN)
    assert text.startswith("# Benchmarks")
    assert "Not measured in this run." in text
    assert report.render(ABOUT, [])


def test_progress_names_errors() -> None:
    row = token_row("nginx", 600, 10.0) | {"errors": {"hung": 2}, "delivered": 0.5}
    row |= {"cpu_share": 0.1, "gap_p99_ms": 34.0, "kb_per_stream": 18.0}
    assert "ERRORS {'hung': 2}" in report.line(row)
