"""The private servers, for real: started, killed, broken, restarted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from config import services
from config.services import ServiceError, Services, account
from config.settings import Settings


@contextmanager
def running(settings: Settings, **options: object) -> Iterator[Services]:
    found = services.start(settings, **options)
    try:
        yield found
    finally:
        found.stop()


def write(found: Services, value: int) -> None:
    with psycopg.connect(found.addresses.database_url) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def read(found: Services) -> list[int]:
    with psycopg.connect(found.addresses.database_url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


def postmaster(settings: Settings) -> int:
    return int((settings.portal_data_dir / "postgres/data/postmaster.pid").read_text().split()[0])


def test_both_servers_answer_and_the_data_survive_a_restart(settings: Settings) -> None:
    with running(settings) as found:
        write(found, 1)
        assert Redis.from_url(found.addresses.redis_url).config_get("maxmemory-policy") == {
            "maxmemory-policy": "noeviction"
        }
    with running(settings) as found:
        assert read(found) == [1]
    assert not list((settings.portal_data_dir / "state").glob("servers.json"))


def test_the_database_is_made_for_the_portal_and_its_role_is_no_superuser(settings: Settings) -> None:
    question = (
        "SELECT rolsuper, rolcreatedb, datlocale, current_setting('data_checksums'),"
        " current_setting('listen_addresses'), pg_encoding_to_char(encoding)"
        " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
    )
    with running(settings) as found, psycopg.connect(found.addresses.database_url) as connection:
        assert connection.execute(question).fetchone() == (False, True, "C.UTF-8", "on", "", "UTF8")


def test_no_other_user_gets_at_data_sockets_or_logs(fresh: Settings) -> None:
    with running(fresh, durable=False) as found:
        host = psycopg.conninfo.conninfo_to_dict(found.addresses.database_url)["host"]
        home = (fresh.portal_data_dir / "postgres").resolve()
        places = [Path(str(host)), home / "data", home / "log", fresh.portal_data_dir / "log"]
        assert [place.stat().st_mode & 0o077 for place in places] == [0, 0, 0, 0]
        assert fresh.portal_data_dir.stat().st_mode & 0o007 == 0


def test_servers_that_are_killed_come_back_at_the_same_address_with_their_data(settings: Settings) -> None:
    with running(settings) as found:
        write(found, 1)
        valkey = Redis.from_url(found.addresses.redis_url).info("server")["process_id"]
        for pid in (postmaster(settings), valkey):
            os.kill(pid, signal.SIGKILL)
            psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
        assert sorted(found.revive()) == ["PostgreSQL", "Valkey"]
        assert found.revive() == []
        assert read(found) == [1]
        assert Redis.from_url(found.addresses.redis_url).ping()


def test_servers_left_behind_by_a_killed_start_are_stopped_by_the_next(
    settings: Settings, stand_in, living: Callable[[Path], list[int]]
) -> None:
    told, _ = stand_in.begin("abandon").communicate(timeout=30)
    orphan = postmaster(settings)
    assert psutil.pid_exists(orphan)
    with running(settings) as found:
        assert found.addresses.database_url not in told
        assert not psutil.pid_exists(orphan)
        write(found, 1)
    assert living(settings.portal_data_dir) == []
    assert not list(Path("/tmp").glob(told.strip().rpartition("/")[2] or "none"))


def test_a_stale_pid_file_naming_a_living_process_does_not_block_the_start(settings: Settings) -> None:
    with running(settings) as found:
        write(found, 1)
        pid_file = settings.portal_data_dir / "postgres/data/postmaster.pid"
        lines = pid_file.read_text().splitlines()
        owner = account.choose(pid_file.parent)
    with subprocess.Popen(["sleep", "60"], **owner.popen_options()) as other:
        try:
            pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
            with running(settings) as found:
                assert read(found) == [1]
            assert other.poll() is None
        finally:
            other.kill()


def test_a_second_start_on_the_same_folder_is_refused(settings: Settings) -> None:
    with running(settings, durable=False), pytest.raises(ServiceError, match=rf"pid {os.getpid()}"):
        services.start(settings)


@contextmanager
def without(path: Path) -> Iterator[None]:
    aside = path.with_name("aside")
    path.rename(aside)
    try:
        yield
    finally:
        if path.is_file():
            path.unlink()
        aside.rename(path)


def refusal(settings: Settings) -> str:
    with pytest.raises(ServiceError) as caught:
        services.start(settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_broken_data_folder_is_told_in_one_line(settings: Settings) -> None:
    services.start(settings).stop()
    data = settings.portal_data_dir / "postgres/data"
    with without(data / "PG_VERSION"):
        assert "PG_VERSION is missing" in refusal(settings)
        (data / "PG_VERSION").write_text("17\n")
        assert "belongs to PostgreSQL 17" in refusal(settings)
    with without(data / "global/pg_control"):
        assert "pg_control is missing" in refusal(settings)
    with without(data / "pg_wal"):
        assert 'PostgreSQL did not start: required WAL directory "pg_wal" does not exist' in refusal(settings)
    services.start(settings).stop()


def test_a_mistake_in_local_conf_is_told_with_its_line(settings: Settings) -> None:
    services.start(settings).stop()
    local = settings.portal_data_dir / "postgres/local.conf"
    local.write_text("nonsense = 1\n")
    try:
        assert 'parameter "nonsense"' in refusal(settings)
    finally:
        local.unlink()


def test_a_start_cut_short_while_making_the_cluster_is_made_good(fresh: Settings) -> None:
    half = fresh.portal_data_dir / "postgres/data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with running(fresh, durable=False) as found:
        write(found, 1)


def test_servers_that_do_not_answer_are_told_without_their_password(settings: Settings, port: int) -> None:
    given = settings.model_copy(update={"database_url": f"postgresql://ann:hidden@127.0.0.1:{port}/x"})
    with pytest.raises(ServiceError, match=rf"DATABASE_URL: .*127\.0\.0\.1:{port}.*refused") as caught:
        services.start(given)
    assert "hidden" not in str(caught.value)
    given = settings.model_copy(update={"redis_url": f"redis://:hidden@127.0.0.1:{port}/0"})
    with pytest.raises(ServiceError, match=rf"REDIS_URL: .*127\.0\.0\.1:{port}.*refused") as caught:
        services.start(given)
    assert "hidden" not in str(caught.value)


def test_given_servers_are_used_and_never_stopped(settings: Settings) -> None:
    with running(settings, durable=False) as found:
        addresses = found.addresses
        with_driver = addresses.database_url.replace("postgresql://", "postgresql+psycopg://")
        given = {"database_url": with_driver, "redis_url": addresses.redis_url}
        used = services.start(settings.model_copy(update=given))
        assert used.addresses == addresses
        used.stop()
        assert found.revive() == []


def test_only_the_missing_server_is_started(settings: Settings, folder: Path) -> None:
    with running(settings, durable=False) as found:
        given = {"database_url": found.addresses.database_url, "portal_data_dir": folder / "other"}
        with running(settings.model_copy(update=given), durable=False) as second:
            assert second.addresses.database_url == found.addresses.database_url
            assert second.addresses.redis_url != found.addresses.redis_url
        assert not (folder / "other" / "postgres" / "data").exists()


def test_a_folder_that_cannot_be_made_is_told_in_one_line(settings: Settings) -> None:
    with pytest.raises(ServiceError, match="/proc/portal"):
        services.start(settings.model_copy(update={"portal_data_dir": Path("/proc/portal/data")}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told_in_one_line(fresh: Settings) -> None:
    small = fresh.portal_data_dir
    small.mkdir()
    if subprocess.call(["mount", "-t", "tmpfs", "-o", "size=30m", "none", str(small)]) != 0:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(ServiceError, match="No space left on the disk"):
            services.start(fresh)
    finally:
        subprocess.check_call(["umount", str(small)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_below_a_closed_folder_root_keeps_the_database_elsewhere_and_loosens_nothing(
    fresh: Settings, folder: Path
) -> None:
    folder.chmod(0o700)
    with running(fresh) as found:
        write(found, 1)
        link = fresh.portal_data_dir / "postgres"
        home = link.readlink()
    try:
        assert home.is_relative_to("/var/lib/lightning-portal")
        assert folder.stat().st_mode & 0o777 == 0o700
        with running(fresh) as found:
            assert read(found) == [1]
    finally:
        shutil.rmtree(home)
    with pytest.raises(ServiceError, match=r"is broken: .* is gone"):
        services.start(fresh)
