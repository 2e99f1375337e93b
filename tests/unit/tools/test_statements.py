"""Which statements pass without asking. What is not understood never does."""

from __future__ import annotations

import pytest

from parlour.tools.statements import STATEMENT_CHARS_MAX, only_reads

READS = [
    "select 1",
    "SELECT a, b FROM t WHERE x = 'o''brien' AND y > 3.5 ORDER BY 1 LIMIT 10;",
    "with a as (select 1) select * from a",
    "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 2) SELECT max(n) FROM a",
    "select region, count(*) from s.orders group by region having sum(total) > 10",
    "(select 1) union (select 2)",
    "show tables",
    "describe orders",
    "explain select 1",
    "select date '2024-01-01' + interval '1 day'",
    "select replace(a, 'x', 'y') from t",
    'select "Order"."Total" from "Order"',
    "select `order` from `sales`",
    "select [id] from [t]",
    "select a[1], array_agg(b)[2] from t where [id] in (1, 2)",
    "select sum(x) filter (where y) over (partition by z order by d) from t",
    "select extract(year from d), x::numeric(10, 2) from t",
    "select case when a > 1 then 'big' else 'small' end from t",
    "select a from t join u using (id) where exists (select 1 from v)",
    "select a from t offset 5 rows fetch next 5 rows only",
    "select 'tab' as what\n\tfrom t\r\nwhere a <> b or a != b",
]
DOES_NOT = {
    "nothing": "",
    "an update": "update t set a = 1",
    "a delete": "delete from t",
    "an insert": "insert into t values (1)",
    "a merge": "merge into t using u on a = b when matched then delete",
    "a truncate": "truncate t",
    "two statements": "select 1; drop table t",
    "an empty second statement": "select 1;;",
    "a second statement without a semicolon": "select 1 drop table t",
    "a procedure after a select": "select 1 exec sp_who",
    "a cte that deletes": "with x as (delete from t returning *) select * from x",
    "a cte before a replace": "with x as (select 1) replace into t select * from x",
    "select into": "select * into t2 from t",
    "into a file": "select 1 into outfile 'x'",
    "explain analyze of a delete": "explain analyze delete from t",
    "explain analyze": "explain analyze select 1",
    "explain of a delete": "explain delete from t",
    "a pragma": "pragma user_version = 3",
    "copy": "copy t to 'x'",
    "row locks": "select * from t for update",
    "shared row locks": "select * from t for share",
    "key locks": "select * from t for no key update",
    "table hints that lock": "select * from t with (tablockx)",
    "a sequence": "select nextval('s')",
    "a sequence of another dialect": "select s.nextval from dual",
    "a standard sequence": "select next value for s",
    "a function nobody knows": "select pg_sleep(1)",
    "a function that loads code": "select load_extension('x')",
    "a function that sets": "select set_config('a', 'b', false)",
    "a quoted function": 'select "pg_sleep"(1)',
    "a function in brackets": "select [load_extension]('x')",
    "a function of a schema in brackets": "select [dbo].[f] (1)",
    "a function of a schema": "select pg_catalog.lower(a) from t",
    "a function as a table": "select * from read_csv('x')",
    "a file as a table": "select * from 'x.csv'",
    "an address as a table": "select a from t, 'https://evil.example/x'",
    "a line comment": "select 1 -- x",
    "a comment of mysql": "select 1 # x",
    "a block comment": "select /* x */ 1",
    "a comment that mysql runs": "select 1 /*!50000 union select 2 */",
    "dollar quotes": "select $$a$$",
    "a parameter in dollars": "select $1",
    "a backslash in a string": "select 'a\\' ; drop table t; --'",
    "a semicolon in a string": "select 'a;b'",
    "a comment in a string": "select 'a--b'",
    "an open string": "select 'a",
    "an escape string": "select E'a'",
    "a national string": "select N'a'",
    "a semicolon in a name": "select `a;drop` from t",
    "a template": "select {{ x }}",
    "a template in a string": "select '{{ x }}'",
    "an assignment": "select @x := 1",
    "an open parenthesis": "select (1",
    "a closing parenthesis": "select 1) union (select 2",
    "typographic quotes": "select \u2018a\u2019",
    "a letter that becomes a quote": "select '\u02bc'",
    "a space that is none": "select\u00a01",
    "letters of full width": "\uff24\uff25\uff2c\uff25\uff34\uff25 from t",
    "a NUL": "select 'a\0b'",
    "a call": "call p()",
    "a setting": "set x = 1",
    "a transaction": "begin",
    "show with a call": "show f(x)",
    "values alone": "values (1)",
    "a json operator": "select a->>'b' from t",
}


@pytest.mark.parametrize("statement", READS)
def test_a_plain_question_only_reads(statement: str) -> None:
    assert only_reads(statement)


@pytest.mark.parametrize("statement", DOES_NOT.values(), ids=DOES_NOT.keys())
def test_what_is_not_a_plain_question_does_not_pass(statement: str) -> None:
    assert not only_reads(statement)


def test_a_statement_may_be_long_but_not_endless() -> None:
    head = "select 1 "
    assert only_reads(head + " " * (STATEMENT_CHARS_MAX - len(head)))
    assert not only_reads(head + " " * (STATEMENT_CHARS_MAX - len(head) + 1))


@pytest.mark.parametrize("word", ["delete", "drop", "insert", "update", "exec", "into", "set"])
@pytest.mark.parametrize("glue", [" ", "\n", "\t", ")", "(", ",", "+"])
def test_no_glue_hides_a_word_that_changes(word: str, glue: str) -> None:
    assert not only_reads(f"select 1{glue}{word}{glue}t")
