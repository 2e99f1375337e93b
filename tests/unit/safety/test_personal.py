"""What is personal data and what is not, and what stands in its place."""

from __future__ import annotations

import itertools
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.chat.outflow import Outflow
from parlour.safety.personal import checksums
from parlour.safety.personal.find import KINDS, find
from parlour.safety.personal.masks import Masks
from parlour.safety.personal.vault import KEY_FILE, Sealer, read_key
from parlour.safety.personal.whole import WholePlaceholders

HITS = [
    (
        "email",
        "Write to ann.lee+news@mail.example.co.uk, please.",
        "ann.lee+news@mail.example.co.uk",
    ),
    ("email", "<o'brien@example.org>", "o'brien@example.org"),
    ("email", "jürgen@bücher.example", "jürgen@bücher.example"),
    ("phone", "Call +49 30 1234567 now", "+49 30 1234567"),
    ("phone", "at (415) 555-2671.", "(415) 555-2671"),
    ("phone", "mon numéro : 01 23 45 67 89", "01 23 45 67 89"),
    ("phone", "London 020 7946 0958", "020 7946 0958"),
    ("phone", "my mobile is 4155552671", "4155552671"),
    ("card", "pay with 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("card", "amex 378282246310005.", "378282246310005"),
    ("card", "5555-5555-5555-4444", "5555-5555-5555-4444"),
    ("card", "mc2 2223003122003222", "2223003122003222"),
    ("iban", "to DE89 3704 0044 0532 0130 00 and then", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("iban", "NO93 8601 1117 947", "NO93 8601 1117 947"),
    ("ip", "from 192.168.3.4:8080", "192.168.3.4"),
    ("ip", "from 2001:db8::8a2e:370:7334.", "2001:db8::8a2e:370:7334"),
    ("ip", "[fe80::1ff:fe23:4567:890a]", "fe80::1ff:fe23:4567:890a"),
    ("us_ssn", "078-05-1120", "078-05-1120"),
    ("us_ssn", "my SSN is 078051120", "078051120"),
    ("gb_nino", "AB 12 34 56 C", "AB 12 34 56 C"),
    ("gb_nhs", "NHS no. 943 476 5919", "943 476 5919"),
    ("de_tax", "Steuer-ID 86095742719", "86095742719"),
    ("fr_nir", "2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
    ("es_dni", "12345678Z", "12345678Z"),
    ("es_dni", "NIE X1234567L", "X1234567L"),
    ("it_cf", "RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("nl_bsn", "BSN: 123456782", "123456782"),
    ("be_rrn", "93.05.18-223.61", "93.05.18-223.61"),
    ("pl_pesel", "PESEL 44051401359", "44051401359"),
    ("pt_nif", "contribuinte 501442600", "501442600"),
    ("se_personnummer", "811218-9876", "811218-9876"),
    ("no_fodselsnummer", "fødselsnummer 29029900157", "29029900157"),
    ("fi_hetu", "131052-308T", "131052-308T"),
    ("cz_rc", "736028/5163", "736028/5163"),
    ("ch_ahv", "756.9217.0769.85", "756.9217.0769.85"),
    ("br_cpf", "529.982.247-25", "529.982.247-25"),
    ("in_aadhaar", "2341 2341 2346", "2341 2341 2346"),
    ("ca_sin", "SIN 130 692 544", "130 692 544"),
    ("au_tfn", "TFN 123 456 782", "123 456 782"),
    ("cn_rid", "11010519491231002X", "11010519491231002X"),
]

ORDINARY = [
    "On 2024-05-06 at 12:30:45 we sold 1,234,567 units for 1 234 567.89 EUR.",
    "The range 2019-2020, the order 123456789, the invoice 2024/000123 and the ticket #4155552671.",
    "Version 10.2.3.4 of the driver, v1.2.3.4, build 1.2.3.4.5, chapter 1.2.3.",
    "std::vector<int> a::b, 3.141592653589793, 1e-10, 0x1F, 12:30, ratio 16:9:4.",
    "SELECT sum(x) FROM t WHERE id IN (1000000001, 1000000002, 1000000003)",
    "4111 1111 1111 1112 is no card, nor is 1234 5678 9012 3456; 0000 0000 0000 0000 neither.",
    "DE89 3704 0044 0532 0130 01 is no account; AB12 is a shelf.",
    "user@localhost, @handle, a @ b, foo@bar, price@2",
    "127.0.0.1, ::1, 0.0.0.0, 255.255.255.0 and 300.1.2.3 are nobody's.",
    "12345678A, 078-00-1120, 666-12-3456, 811218-9875, 529.982.247-24 and 756.9217.0769.86",
    "Call me tomorrow about the 12 dashboards and 3 charts; the phone team has 40 people.",
    "Revenue grew from 2 341 234 to 2 341 235 between 01.02.2024 and 01.03.2024.",
    "uuid 123e4567-e89b-12d3-a456-426614174000, sha 356a192b7913b04c54574d18c28d46e6395428ab",
    "https://example.com/a/4111111111111112?x=1&y=20240506123000",
    "GB 12, EUR 20, IT is hard, US 2024, ISO 9001, RFC 9457, MD5",
    "In 2021 the tin roof cost 12345678901 in the tin shed",
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "value"), HITS, ids=[f"{h[0]}:{h[2]}" for h in HITS])
def test_personal_data_is_found_whole(rule: str, text: str, value: str) -> None:
    found = find(text, KINDS)
    assert [text[hit.start : hit.end] for hit in found] == [value]
    assert rule in {found[0].kind, found[0].rule}


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert [text[hit.start : hit.end] for hit in find(text, KINDS)] == []


def test_one_wrong_digit_is_no_number_of_anybody() -> None:
    for rule, _, value in HITS:
        if rule in {"card", "iban", "nl_bsn", "pl_pesel", "ch_ahv", "in_aadhaar"}:
            place = max(i for i, c in enumerate(value) if c.isdecimal())
            wrong = value[:place] + str((int(value[place]) + 1) % 10) + value[place + 1 :]
            assert not find(f"{rule[3:]} {wrong}", ("card", "iban", "national_id")), value


def test_only_the_kinds_asked_for_are_found() -> None:
    text = "ann@example.org 4111 1111 1111 1111"
    assert [hit.kind for hit in find(text, ("card",))] == ["card"]
    assert find(text, ()) == []


@given(st.text(alphabet="0123456789 -+().:@abcXYZ/[]_", max_size=300))
def test_nothing_overlaps_and_nothing_is_lost(text: str) -> None:
    found = find(text, KINDS)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    masks = Masks()
    assert masks.restore(masks.mask(text, KINDS)) == text or "[" in text


def test_every_scheme_of_the_data_file_is_used_and_every_number_has_a_test() -> None:
    data = Path(checksums.__file__).with_name("national.json")
    entries = json.loads(data.read_text(encoding="utf-8"))
    assert {entry["scheme"] for entry in entries} == set(checksums.SCHEMES)
    assert {entry["id"] for entry in entries} <= {rule for rule, _, _ in HITS}


def test_a_value_keeps_its_placeholder_and_others_get_their_own() -> None:
    masks = Masks()
    first = masks.mask("ann@example.org and bob@example.org", KINDS)
    assert first == "[EMAIL_1] and [EMAIL_2]"
    assert masks.mask("again bob@example.org", KINDS) == "again [EMAIL_2]"
    assert masks.restore(first) == "ann@example.org and bob@example.org"
    again = Masks(masks.values)
    assert again.mask("bob@example.org", KINDS) == "[EMAIL_2]"
    assert again.fresh == []


def test_a_known_value_is_hidden_where_no_pattern_would_find_it() -> None:
    masks = Masks()
    masks.mask("BSN 123456782", KINDS)
    assert masks.mask('{"id": "123456782"}', KINDS) == '{"id": "[ID_1]"}'
    assert masks.mask("1234567829", KINDS) == "1234567829"


def test_the_name_of_a_column_says_what_its_cells_are() -> None:
    """Without it nine digits are any number; the second column is one."""
    rows = [[219099999, 219099998, "x"], ["219-09-9997"]]
    for columns in (["SSN", "order"], [{"name": "SSN"}, {"name": "order"}]):
        table = {"kind": "table", "columns": columns, "rows": rows, "total": 2}
        hidden = Masks().mask_all(table, KINDS)
        assert hidden["rows"] == [["[ID_1]", 219099998, "x"], ["[ID_2]"]]
        assert (hidden["columns"], hidden["total"]) == (columns, 2)


def test_a_value_that_is_known_at_the_end_is_hidden_at_the_beginning_too() -> None:
    hidden = Masks().mask_all(["219099999", {"ssn": "219099999"}], KINDS)
    assert hidden == ["[ID_1]", {"ssn": "[ID_1]"}]


def test_thousands_of_values_are_masked_in_the_time_of_their_texts() -> None:
    """Quadratic work would not end within this test: 5,000 took an hour."""
    mails = [f"user{n}@example.org" for n in range(5_000)]
    masks = Masks()
    hidden = masks.mask(" and ".join(mails), KINDS)
    assert hidden.endswith("[EMAIL_4999] and [EMAIL_5000]")
    cells = masks.mask_all([{"mail": mail, "note": f"of {mail}"} for mail in mails], KINDS)
    assert cells[-1] == {"mail": "[EMAIL_5000]", "note": "of [EMAIL_5000]"}
    assert masks.restore(hidden) == " and ".join(mails)


def test_a_long_number_is_not_tried_in_every_grouping() -> None:
    """Each of these 20,000 took 5 ms."""
    assert find(("00" + "1" * 40 + "- ") * 20_000, KINDS) == []


def test_values_that_threads_name_side_by_side_have_names_of_their_own() -> None:
    masks = Masks()
    texts = [" ".join(f"t{t}n{n}@example.org" for n in range(300)) for t in range(8)]
    with ThreadPoolExecutor(8) as pool:
        hidden = list(pool.map(lambda text: masks.mask(text, KINDS), texts))
    assert [masks.restore(text) for text in hidden] == texts
    assert len({entry.placeholder for entry in masks.fresh}) == len(masks.fresh) == 2_400


def test_what_somebody_typed_is_never_taken_for_a_placeholder() -> None:
    masks = Masks()
    text = "[EMAIL_1] is what I call ann@example.org"
    assert masks.mask(text, KINDS) == "[EMAIL_1] is what I call [EMAIL_2]"
    assert masks.restore("[EMAIL_1] [EMAIL_2]") == "[EMAIL_1] ann@example.org"


def test_json_is_restored_in_its_strings_and_stays_json() -> None:
    masks = Masks({"[PERSON_1]": 'Ann "A" Lee\\'})
    restored = masks.restore_json(b'{"type":"token","text":"Hi [PERSON_1]!"}')
    assert json.loads(restored)["text"] == 'Hi Ann "A" Lee\\!'


def test_a_value_opens_only_with_its_key_and_in_its_place() -> None:
    sealer = Sealer(b"k" * 32)
    sealed = sealer.seal("ann@example.org", "w\0u\0t\0[EMAIL_1]")
    assert b"ann" not in sealed
    assert sealer.open(sealed, "w\0u\0t\0[EMAIL_1]") == "ann@example.org"
    assert sealer.open(sealed, "w\0u\0other\0[EMAIL_1]") is None
    assert Sealer(b"other").open(sealed, "w\0u\0t\0[EMAIL_1]") is None
    assert sealer.seal("a", "p") != sealer.seal("a", "p")


def test_the_key_is_the_secret_or_a_file_that_only_we_can_read(tmp_path: Path) -> None:
    assert read_key("s" * 32, tmp_path) == b"s" * 32
    assert not (tmp_path / KEY_FILE).exists()
    key = read_key("", tmp_path)
    assert len(key) == 32
    assert read_key("", tmp_path) == key
    assert stat.S_IMODE(os.stat(tmp_path / KEY_FILE).st_mode) == 0o600


WHOLE = (
    "To [EMAIL_1], \\[CARD_2\\] and https://x.example/?q=[CARD_1]&r=[ID_1] (see [IP_12]) [EMA] ["
)
SAID = "To [EMAIL_1], \\[CARD_2\\] and https://x.example/?q=hidden&r=hidden (see [IP_12]) [EMA] ["


@given(st.sets(st.integers(0, len(WHOLE))))
def test_no_piece_ends_within_a_placeholder_however_the_text_is_cut(cuts: set[int]) -> None:
    flow = Outflow([WholePlaceholders()])
    edges = [0, *sorted(cuts), len(WHOLE)]
    pieces = [flow.feed(WHOLE[a:b]) for a, b in itertools.pairwise(edges)] + [flow.drain()]
    assert "".join(pieces) == SAID
    for whole in ("[EMAIL_1]", "[IP_12]"):
        assert any(whole in piece for piece in pieces)
