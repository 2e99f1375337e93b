"""Whether an SQL statement only reads, as far as its text can tell; doubt means no.

This decides whether a person is asked, so it answers "yes" only for what it understands whole
and knows in every dialect: one SELECT (WITH, SHOW, DESCRIBE) of plain words, plain strings and
functions from a list. Comments, escapes, dollar quotes, templates, several statements, unknown
functions and everything clever are not understood. What a database hides behind a name (a view, an
operator of somebody's own) no text shows: the account that runs statements should be bounded too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

STATEMENT_CHARS_MAX = 20_000


class Token(NamedTuple):
    """`kind` is word, quoted, string, number or mark; a word's text is in capitals."""

    kind: str
    text: str


# Dialects read the inside of quotes differently, so it holds nothing that any of them could take
# for an end, an escape, a comment, a template or an address.
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)(?!['"`\w])
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w'"`])
    | (?P<string>'(?:[^'\\;{}\x00-\x1f\x7f\u02bc\uff07-]|-(?!-)|'')*')(?!['\w])
    | (?P<quoted>"[\w .-]+"|`[\w .-]+`)
    | (?P<mark><=|>=|<>|!=|\|\||::|[-+*/%=<>(),.?;:\[\]])
    """,
    re.VERBOSE,
)
_TWICE = re.compile(r"--|/\*|\*/|:=|->|#>")


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What begins a statement, or turns a SELECT into something else, in any dialect (T-SQL needs no
# semicolon between statements). As names of columns they would need quotes nearly everywhere.
_FORBIDDEN = _words(
    """
    ALTER ANALYZE ATTACH BACKUP BEGIN BULK CALL CHECKPOINT CLUSTER COMMIT COPY CREATE DBCC
    DEALLOCATE DECLARE DELETE DENY DETACH DISCARD DO DROP DUMPFILE EXEC EXECUTE EXPORT GOTO
    GRANT HANDLER HOLDLOCK IMPORT INSERT INSTALL INTO KILL LISTEN LOAD LOCK MERGE NEXTVAL NOTIFY
    OPENQUERY OPENROWSET OUTFILE PRAGMA PREPARE PRINT PROCEDURE PURGE RAISERROR READTEXT
    RECONFIGURE REFRESH REINDEX RENAME RESET RESTORE RETURNING REVERT REVOKE ROLLBACK SAVE
    SAVEPOINT SET SETUSER SHUTDOWN START TABLOCK TABLOCKX THROW TRUNCATE UNDROP UNINSTALL
    UNLISTEN UNLOAD UNLOCK UPDATE UPDATETEXT UPDLOCK UPSERT USE VACUUM WAITFOR WHILE WRITETEXT
    XLOCK
    """
)
_PAIRS = {  # SELECT … FOR SHARE holds rows, NEXT VALUE FOR uses a number up
    "FOR": frozenset({"UPDATE", "SHARE", "NO", "KEY"}),
    "NEXT": frozenset({"VALUE"}),
}
# Words before a parenthesis that are no functions.
_GRAMMAR = _words(
    """
    ALL AND ANY AS BETWEEN BY CASE CUBE DISTINCT ELSE EXCEPT EXISTS FILTER FROM GROUP HAVING IN
    INTERSECT INTERVAL IS JOIN LATERAL LIKE LIMIT MATERIALIZED MINUS NOT OFFSET ON OR OVER
    PARTITION ROLLUP SELECT SETS SOME THEN UNION USING VALUES WHEN WHERE WITHIN
    """
)
# Functions that neither change nor send anything, in every dialect that has them.
_HARMLESS = _words(
    """
    ABS ACOS AGE APPROX_COUNT_DISTINCT ARRAY_AGG ARRAY_LENGTH ASCII ASIN ATAN ATAN2 AVG BIGINT
    BIT_AND BIT_LENGTH BIT_OR BOOL_AND BOOL_OR BTRIM CAST CEIL CEILING CHAR CHARINDEX
    CHAR_LENGTH CHARACTER_LENGTH CHR COALESCE CONCAT CONCAT_WS CONVERT CORR COS COUNT COUNT_BIG
    COUNTIF COVAR_POP COVAR_SAMP CUME_DIST CURDATE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP
    DATE DATEADD DATEDIFF DATENAME DATEPART DATETIME DATE_ADD DATE_BIN DATE_DIFF DATE_FORMAT
    DATE_PART DATE_SUB DATE_TRUNC DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR DECIMAL DEGREES
    DENSE_RANK ENDSWITH EOMONTH EVERY EXP EXTRACT FIELD FIRST_VALUE FLOOR FORMAT FROM_UNIXTIME
    GENERATE_SERIES GETDATE GREATEST GROUPING GROUP_CONCAT HOUR IF IFNULL IIF INITCAP INSTR INT
    INTEGER ISNULL JSON_AGG JSON_ARRAY JSON_ARRAY_LENGTH JSON_BUILD_OBJECT JSON_EXTRACT
    JSON_EXTRACT_PATH_TEXT JSON_OBJECT JSON_VALUE JULIANDAY LAG LAST_DAY LAST_VALUE LEAD LEAST
    LEFT LEN LENGTH LISTAGG LN LOCALTIME LOCALTIMESTAMP LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM
    MAKE_DATE MAX MEDIAN MIN MINUTE MOD MODE MONTH MONTHNAME NOW NTH_VALUE NTILE NULLIF NUMERIC
    NVL OCTET_LENGTH OVERLAY PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PI POSITION POW POWER
    QUARTER RADIANS RANDOM RANK REGEXP_LIKE REGEXP_MATCH REGEXP_REPLACE REGEXP_SUBSTR REPEAT
    REPLACE REVERSE RIGHT ROUND ROW ROW_NUMBER RPAD RTRIM SECOND SIGN SIN SPLIT_PART SQRT
    STARTS_WITH STDDEV STDDEV_POP STDDEV_SAMP STDEV STRFTIME STRING_AGG STRPOS STR_TO_DATE
    SUBSTR SUBSTRING SUM TAN TIME TIMESTAMP TIMESTAMPDIFF TO_CHAR TO_DATE TO_NUMBER TO_TIMESTAMP
    TRANSLATE TRIM TRUNC TRY_CAST TYPEOF UNNEST UPPER VARCHAR VARIANCE VAR_POP VAR_SAMP WEEK
    YEAR
    """
)
_NEEDS_NO_LIST = _GRAMMAR | _HARMLESS
_NAMES = frozenset({"word", "quoted"})


def only_reads(statement: str) -> bool:
    """True when `statement` is one statement of SQL that reads and does nothing else."""
    tokens = _tokens(statement) if len(statement) <= STATEMENT_CHARS_MAX else None
    if tokens and tokens[-1] == ("mark", ";"):
        tokens.pop()
    if not tokens or ("mark", ";") in tokens or not _balanced(tokens):
        return False
    if any(not _harmless(tokens, place) for place in range(len(tokens))):
        return False
    first = next((token for token in tokens if token != ("mark", "(")), tokens[0])
    match first:
        case ("word", "SELECT" | "WITH"):
            return True
        case ("word", "SHOW" | "DESCRIBE" | "DESC") if tokens[0] == first:
            return all(kind in {"word", "quoted", "string"} or text == "." for kind, text in tokens)
        case ("word", "EXPLAIN") if tokens[0] == first and len(tokens) > 1:
            return tokens[1] in {("word", "SELECT"), ("word", "WITH")}
        case _:
            return False


def _tokens(statement: str) -> list[Token] | None:
    """The tokens; None when something is not understood."""
    found = list(_scan(statement))
    return [token for token in found if token] if None not in found else None


def _scan(statement: str) -> Iterator[Token | None]:
    place = 0
    while place < len(statement):
        match = _TOKEN.match(statement, place)
        if match is None or (match.lastgroup == "mark" and _TWICE.match(statement, place)):
            yield None
            return
        place = match.end()
        kind, text = str(match.lastgroup), match.group()
        if kind == "string" and ("/*" in text or "://" in text or text.startswith("'/")):
            yield None  # an old client's comment, or an address that some databases open
            return
        if kind != "space":
            yield Token(kind, text.upper() if kind == "word" else text)


def _harmless(tokens: list[Token], place: int) -> bool:
    """Whether the token at `place` can do no harm where it stands."""
    kind, text = tokens[place]
    before = tokens[place - 1] if place else Token("", "")
    after = tokens[place + 1] if place + 1 < len(tokens) else Token("", "")
    if kind == "string":
        return before not in {("word", "FROM"), ("word", "JOIN")}  # some databases open files so
    if kind == "word" and text in _FORBIDDEN:
        return False
    if before.kind == "word" and text in _PAIRS.get(before.text, ()):
        return False
    if text == "(" and before == ("mark", "]"):
        return False  # a function whose name stands in brackets, which some take for quotes
    if kind in _NAMES and after == ("mark", "("):
        # A function of a schema, or in quotes, may be anybody's.
        return kind == "word" and text in _NEEDS_NO_LIST and before != ("mark", ".")
    return not (kind == "word" and text == "REPLACE")  # the statement, not the function


def _balanced(tokens: list[Token]) -> bool:
    depth = 0
    for kind, text in tokens:
        if kind == "mark" and text in "()":
            depth += 1 if text == "(" else -1
            if depth < 0:
                return False
    return depth == 0
