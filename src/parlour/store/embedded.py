"""Our own Postgres, from a wheel, in the data directory, on a Unix socket.

For one machine with nothing else installed. Several Parlours may share one data directory: the
first starts Postgres, the last one that leaves stops it. Who uses it is not written down anywhere:
every Parlour holds a shared lock on a file, which the kernel lets go of even after kill -9. A
Postgres that was left running is used again; one that died is started again, by its own write-ahead
log as if nothing had happened.

The wheel's Python side is not used: it adds exit handlers, opens up the permissions of every parent
directory, and puts its lock into a place that all data directories share. Its programs are enough.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError
from urllib.parse import quote

import psycopg

from parlour.errors import ConfigurationError
from parlour.store.account import Account, find_account, run, start
from parlour.store.backup import back_up, restore
from parlour.store.programs import VERSION, find_programs

log = logging.getLogger(__name__)

ROLE = "parlour"
SOCKET = ".s.PGSQL.5432"
BACKUPS = "backups"  # below the data directory
SOCKET_PATH_MAX = 103  # bytes; the limit is 107 on Linux and 103 on macOS
START_S = 60  # a first start on a slow disk, or the recovery of a large log
STOP_S = 10
POLL_S = 0.02
WATCH_S = 0.5  # how often we look whether Postgres lives; requests fail for so long
LOG_BYTES_MAX = 1_000_000

# fsync and full_page_writes stay on: an acknowledged message is a message on the disk.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "wal_level": "minimal",  # nobody replicates from here
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "io_method": "sync",  # three processes less; small reads gain nothing from workers
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # not errors: they quote the data of people
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """A Postgres that this process uses. `url` works for as long as it is not stopped."""

    def __init__(self, cluster: _Cluster, lease: int) -> None:
        self.url = cluster.url
        self.data_dir = cluster.data_dir
        self._cluster = cluster
        self._lease = lease  # descriptor with the shared lock
        self._watch = asyncio.create_task(self._keep_alive(), name="embedded-postgres")

    async def stop(self) -> None:
        """Let go. Stops Postgres when no other process uses it."""
        if self._lease < 0:
            return
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        lease, self._lease = self._lease, -1
        await asyncio.to_thread(self._cluster.leave, lease)

    def back_up(self, revision: str) -> None:
        """Copy the database before its schema changes. Blocks. Raises `ConfigurationError`."""
        copy = back_up(self.url, find_programs(), self.data_dir / BACKUPS, revision)
        log.warning("The database was copied to %s before its schema is changed.", copy)

    def restore(self, copy: Path) -> None:
        """Put the database back to a copy. Blocks. Raises `ConfigurationError`, also when another
        process uses it."""
        with self._cluster.for_us_alone(self._lease):
            restore(self.url, self._cluster.server, find_programs(), copy)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                if not self._cluster.alive():
                    log.warning("The embedded Postgres is gone; starting it again.")
                    await asyncio.to_thread(self._cluster.start)
            except (ConfigurationError, OSError, psycopg.Error, SubprocessError) as error:
                log.error("The embedded Postgres does not start: %s", error)


async def start_embedded(data_dir: Path) -> EmbeddedPostgres:
    """Start Postgres in `data_dir`/postgres, or use the one that runs there.

    The first start makes the cluster. Watches Postgres and starts it again when it dies. Raises
    `ConfigurationError` when the extra is missing or the directory cannot be used.
    """
    entering = asyncio.ensure_future(asyncio.to_thread(_enter, data_dir))
    try:
        cluster, lease = await asyncio.shield(entering)
    except asyncio.CancelledError:
        # A thread cannot be interrupted; what it starts must not outlive us.
        cluster, lease = await entering
        await asyncio.to_thread(cluster.leave, lease)
        raise
    return EmbeddedPostgres(cluster, lease)


def _enter(data_dir: Path) -> tuple[_Cluster, int]:
    programs = find_programs()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir = data_dir.resolve()
        lease = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"PARLOUR_DATA_DIR is {data_dir}, which cannot be written: {error.strerror}."
        ) from None
    try:
        cluster = _Cluster(data_dir, programs)
        cluster.start(lease)
    except SubprocessError as error:
        os.close(lease)
        raise ConfigurationError(f"The database in {data_dir} does not start: {error}") from None
    except BaseException:
        os.close(lease)
        raise
    return cluster, lease


class _Cluster:
    """The files and the server of one data directory. Everything here blocks."""

    def __init__(self, data_dir: Path, programs: Path) -> None:
        self.data_dir = data_dir
        self._dir = data_dir / "postgres"
        self._lock = data_dir / "postgres.lock"
        self._held = data_dir / "postgres.running"
        self._log = data_dir / "postgres.log"
        self._programs = programs
        self._account = find_account(self._dir, data_dir, programs / "postgres")
        self._sockets = _socket_dir(self._dir, self._account)
        self._child: subprocess.Popen[bytes] | None = None
        host = quote(str(self._sockets), safe="")
        self.url = f"postgresql://{ROLE}@/{ROLE}?host={host}"
        self.server = f"postgresql://{ROLE}@/postgres?host={host}"

    def start(self, lease: int | None = None) -> None:
        """Make the cluster and start the server where that is needed; share the lock `lease`."""
        with self._alone():
            if not (self._dir / "PG_VERSION").exists():
                self._create()
            version = (self._dir / "PG_VERSION").read_text().strip()
            if version != VERSION:
                raise ConfigurationError(
                    f"The database in {self._dir} was made by Postgres {version}; this Parlour has "
                    f"{VERSION}. Export it with the Parlour that made it, or move it away."
                )
            self._run()
            if lease is not None:
                fcntl.flock(lease, fcntl.LOCK_SH)

    def alive(self) -> bool:
        """Whether the server or any of its processes lives, in whichever container."""
        if self._child is not None:
            self._child.poll()  # so that a dead child does not stay in the process table
        descriptor = _lock(self._held)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def leave(self, lease: int) -> None:
        """Let go of the shared lock, and stop the server when nobody else holds it."""
        with self._alone():
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._child is not None:
                    self._child.returncode = 0  # lives on without us, and Popen need not warn
                return
            finally:
                os.close(lease)
            self._stop()

    @contextmanager
    def for_us_alone(self, lease: int) -> Generator[None]:
        """Nobody else uses the database, nor begins to. Raises `ConfigurationError`."""
        with self._alone():
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
            except BlockingIOError:
                raise ConfigurationError(
                    f"Another Parlour uses the database in {self._dir}. Stop it first."
                ) from None
            finally:
                fcntl.flock(lease, fcntl.LOCK_SH)  # also after a refusal, which lets go of it

    def _stop(self) -> None:
        pid = self._pid()
        if pid is not None and _is_postgres(pid, self._dir):
            os.kill(pid, signal.SIGINT)  # "fast": ends sessions, writes a checkpoint
            deadline = time.monotonic() + STOP_S
            while self.alive():
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGQUIT)  # "immediate": recovers at the next start
                    deadline += STOP_S
                time.sleep(POLL_S)
        if self._child is not None:
            self._child.wait(STOP_S)

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One process at a time starts or stops this cluster."""
        deadline = time.monotonic() + START_S
        while (descriptor := _lock(self._lock)) is None:
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"Another process has been starting the database in {self._dir} for more than "
                    f"{START_S} s. Stop it, or use another PARLOUR_DATA_DIR."
                )
            time.sleep(POLL_S)
        try:
            yield
        finally:
            os.close(descriptor)

    def _create(self) -> None:
        """Make the cluster beside its place and move it there when whole."""
        new = self._dir.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        os.chown(new, self._account.uid, self._account.gid)
        made = run(
            self._account,
            str(self._programs / "initdb"),
            f"--pgdata={new}",
            f"--username={ROLE}",
            "--auth=trust",  # who can enter the directory of the socket is us
            "--encoding=UTF8",
            "--locale-provider=builtin",  # sorts the same on every machine
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        )
        if made.returncode:
            raise ConfigurationError(
                f"The database cannot be made in {self._dir}: {made.stdout.strip()[-500:]}"
            )
        new.rename(self._dir)

    def _run(self) -> None:
        """Have a server that answers, and our database in it."""
        deadline = time.monotonic() + START_S
        while True:
            self._spawn()
            try:
                self._greet()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"The database in {self._dir} does not start: {str(error).strip()}. "
                        f"See {self._log}."
                    ) from None
            time.sleep(POLL_S)

    def _spawn(self) -> None:
        """Start the server if none lives. It inherits a lock that lasts as long as any process of
        it: no two servers ever share these files, not even from containers that cannot see each
        other's processes."""
        descriptor = _lock(self._held)
        if descriptor is None:
            return
        try:
            if self._child is not None:
                self._child.wait(STOP_S)  # dead, for the lock is free; forget it in order
            self._forget_stranger()
            _socket_dir(self._dir, self._account)  # a restart of the machine empties /tmp
            if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
                self._log.replace(self._log.with_suffix(".log.1"))
            options = [f"--{name}={value}" for name, value in SERVER_SETTINGS.items()]
            with self._log.open("ab") as output:
                self._child = start(
                    self._account,
                    str(self._programs / "postgres"),
                    "-D",
                    str(self._dir),
                    f"--unix_socket_directories={self._sockets}",
                    *options,
                    output=output,
                    inherits=descriptor,
                )
        finally:
            os.close(descriptor)

    def _forget_stranger(self) -> None:
        """Remove a stale postmaster.pid whose number belongs to some other program by now.

        In a container numbers start over, so a killed Postgres would never start again. Postgres
        itself removes the file when nobody has the number, and guards its memory apart from it.
        """
        pid = self._pid()
        if pid is not None and _exists(pid) and not _is_postgres(pid, self._dir):
            (self._dir / "postmaster.pid").unlink(missing_ok=True)

    def _greet(self) -> None:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if f'database "{ROLE}" does not exist' not in str(error):
                raise
            with psycopg.connect(self.server, connect_timeout=5, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {ROLE}")

    def _pid(self) -> int | None:
        try:
            return int((self._dir / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None


def _lock(path: Path) -> int | None:
    """An exclusive lock that lasts until the descriptor and all its copies are closed, even by
    kill -9; None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_postgres(pid: int | None, cluster: Path) -> bool:
    """Whether process `pid` is the server of `cluster`. A dead process that nobody waited for
    is not, nor is some other program that got the number."""
    if pid is None:
        return False
    try:
        if Path("/proc/self").exists():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        else:  # macOS
            command = subprocess.check_output(  # noqa: S603 (a number)
                ["/bin/ps", "-p", str(pid), "-o", "command="]
            )
    except (OSError, subprocess.CalledProcessError):
        return False
    return f" -D {cluster} ".encode() in command


def _socket_dir(cluster: Path, account: Account) -> Path:
    """The cluster's own directory, or one in /tmp when that path is too long for a socket.

    Either is closed to everybody else (0700), for the database trusts who can enter it.
    """
    if len(os.fsencode(cluster / SOCKET)) <= SOCKET_PATH_MAX:
        return cluster
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]
    path = Path(f"/tmp/parlour-{account.uid}-{digest}")  # noqa: S108 (checked below)
    try:
        path.mkdir(mode=0o700)
        os.chown(path, account.uid, account.gid)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {account.uid, os.geteuid()}:
            raise ConfigurationError(
                f"{path} belongs to somebody else. Remove it, or use a shorter PARLOUR_DATA_DIR."
            ) from None
    return path
