"""The one place where "the database does not answer" becomes `StoreUnavailable`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from sqlalchemy import exc

from parlour.errors import StoreUnavailable

SENTENCE = "Storage does not answer right now, so nothing was saved. Please try again in a moment."

# Psycopg calls nearly everything that is not the query's fault an OperationalError: connection
# refused or lost, pool timeout, too many connections, admin shutdown, disk full, lock timeout.
# The others mean a lost connection found late, or a primary that became a replica.
_OUTAGES = (psycopg.OperationalError, pg.ReadOnlySqlTransaction)


@contextmanager
def outages() -> Generator[None]:
    """Raise `StoreUnavailable` for every way in which the database can fail to answer."""
    try:
        yield
    except (*_OUTAGES, TimeoutError) as error:
        raise StoreUnavailable(SENTENCE) from error
    except psycopg.InterfaceError as error:
        if "closed" not in str(error):
            raise
        raise StoreUnavailable(SENTENCE) from error
    except exc.TimeoutError as error:  # SQLAlchemy's pool
        raise StoreUnavailable(SENTENCE) from error
    except exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, _OUTAGES):
            raise StoreUnavailable(SENTENCE) from error
        raise
