"""Which system user the embedded Postgres runs as: ourselves, or, when we are root, one of its own.

Postgres refuses to be root. So root (a container, mostly) gets a system user `parlour`, which owns
the cluster's files and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from parlour.errors import ConfigurationError

log = logging.getLogger(__name__)

NAME = "parlour"
RUN_S = 60  # bound of every command here; making a cluster takes half a second


@dataclass(frozen=True, slots=True)
class Account:
    """A system user; `prefix` goes before its commands, `switch` says it is not us."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    switch: bool = False


def find_account(cluster: Path, data_dir: Path, program: Path) -> Account:
    """Who runs `program` on `cluster`. Root adds a user when there is none.

    Raises `ConfigurationError` when that user could not reach the program or the directory.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    owner = cluster.stat() if cluster.exists() else None
    if owner is not None and owner.st_uid != 0:
        account = Account(owner.st_uid, owner.st_gid, switch=True)
    else:
        user = _own_user()
        account = Account(user.pw_uid, user.pw_gid, switch=True)
    data_dir.chmod(data_dir.stat().st_mode | stat.S_IXOTH)  # may be passed through, not listed
    if _reaches(account, data_dir, program):
        return account
    # Somewhere in /root, say. Rather than opening the directories above to everybody, give this one
    # process the right to pass. access(2), which initdb asks before it runs `postgres`, forgets such
    # rights of anybody but root unless told not to.
    rights = (
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )
    who = (f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
    account = Account(account.uid, account.gid, prefix=("setpriv", *who, *rights, "--"))
    if shutil.which("setpriv") and _reaches(account, data_dir, program):
        return account
    raise ConfigurationError(
        f"Postgres does not run as root, and the user `{NAME}` cannot enter {data_dir} or "
        f"{program.parent}. Run Parlour as an ordinary user, move it to a directory that everybody "
        "may enter, or set PARLOUR_DATABASE_URL=postgresql://…"
    )


def run(account: Account, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as `account` to its end; errors are in `stdout` too."""
    return subprocess.run(  # noqa: S603 (our own words)
        [*account.prefix, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=_environment(),
        timeout=RUN_S,
        check=False,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
    )


def start(
    account: Account, *command: str, output: IO[bytes], inherits: int
) -> subprocess.Popen[bytes]:
    """Start a command as `account` that outlives us: Ctrl-C is for us, and kill -9 too.

    It keeps the open descriptor `inherits`.
    """
    return subprocess.Popen(  # noqa: S603 (our own words)
        [*account.prefix, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=_environment(),
        start_new_session=True,
        pass_fds=(inherits,),
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
    )


def _environment() -> dict[str, str]:
    """Not ours: it has keys, and PG… variables that mean another database."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _own_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(NAME)
    log.warning("Postgres does not run as root; adding the system user `%s` for it.", NAME)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    if shutil.which("useradd") is None:  # BusyBox
        command = ["adduser", "-S", "-D", "-H", NAME]
    # Failing may mean that another Parlour has added it just now.
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, check=True, capture_output=True, timeout=RUN_S)  # noqa: S603
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        raise ConfigurationError(
            f"Postgres does not run as root, and the system user `{NAME}` cannot be added. Run "
            "Parlour as an ordinary user, or set PARLOUR_DATABASE_URL=postgresql://…"
        ) from None


def _reaches(account: Account, data_dir: Path, program: Path) -> bool:
    test = 'test -x "$0" && test -x "$1"'
    return run(account, "/bin/sh", "-c", test, str(data_dir), str(program)).returncode == 0
