"""Which bus and store a command uses."""

import os
from pathlib import Path

import pytest

from merstream.embedded.run_folder import Workspace
from merstream.stack.connection import connect_bus_and_store, connection_settings, load_environment_file
from shared.errors import Misconfigured


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if not k.startswith("MER_")})


def test_a_file_of_settings_names_the_stack_and_what_is_set_wins(tmp_path: Path) -> None:
    file = tmp_path / "stack.env"
    lines = ["# demo", "", "export MER_KAFKA_SERVERS='a:1'", "MER_S3_BUCKET = x=y", "MER_KAFKA_PREFIX=no", "PATH=/no"]
    file.write_text("\n".join(lines))
    os.environ["MER_KAFKA_PREFIX"] = "mine."
    path = os.environ["PATH"]
    load_environment_file(file)
    settings = connection_settings(None)
    assert (settings.kafka_servers, settings.s3_bucket, settings.kafka_prefix) == ("a:1", "x=y", "mine.")
    assert os.environ["PATH"] == path


@pytest.mark.parametrize("text", ["MER_KAFKA_SERVERS", "\n\nhello"])
def test_a_line_that_is_no_setting_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "stack.env"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=f"line {text.count(chr(10)) + 1}: expected NAME=VALUE"):
        load_environment_file(file)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_saved_on_windows_says_the_same(tmp_path: Path, encoding: str, end: str) -> None:
    lines = ["MER_KAFKA_SERVERS=a:1", """MER_S3_BUCKET='x "y' # ours""", 'MER_KAFKA_PREFIX="p#"', ""]
    (tmp_path / "stack.env").write_bytes(end.join(lines).encode(encoding))
    load_environment_file(tmp_path / "stack.env")
    settings = connection_settings(None)
    assert (settings.kafka_servers, settings.s3_bucket, settings.kafka_prefix) == ("a:1", 'x "y', "p#")


@pytest.mark.parametrize("line", ["set MER_HOME=x", "$env:MER_HOME=x", "mer_home=x", "MER_HOME =x\nMER-HOME: MER_X=1"])
def test_a_setting_in_the_language_of_a_shell_is_not_ignored(tmp_path: Path, line: str) -> None:
    (tmp_path / "stack.env").write_text(f"CUSTOMER_ID=1\n{line}\n")
    with pytest.raises(Misconfigured, match=f"line {line.count(chr(10)) + 2}: expected NAME=VALUE"):
        load_environment_file(tmp_path / "stack.env")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.env: expected a readable file"):
        load_environment_file(tmp_path / "none.env")


def test_a_folder_without_a_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"has no bus\.sqlite"), connect_bus_and_store(tmp_path / "typo"):
        pass
    assert not (tmp_path / "typo").exists()


def test_out_wins_over_the_stack(tmp_path: Path) -> None:
    os.environ |= {"MER_KAFKA_SERVERS": "127.0.0.1:1", "MER_S3_ENDPOINT": "127.0.0.1:1"}
    os.environ |= {"MER_S3_ACCESS_KEY": "k", "MER_S3_SECRET_KEY": "s"}
    Workspace(tmp_path).open_bus().close()
    with connect_bus_and_store(tmp_path) as (bus, store):
        store.put("k", b"v")
        assert bus.read_newest("mer.clips") == {}
    assert (tmp_path / "store" / "k").exists()


def test_the_demos_file_says_what_the_compose_file_publishes() -> None:
    root = Path(__file__).parents[4]
    load_environment_file(root / "docker" / "localhost.env")
    published = dict(
        line.split("=", 1) for line in (root / ".env").read_text().splitlines() if "=" in line and line[0] != "#"
    )
    settings = connection_settings(None)
    assert settings.kafka_servers == f"127.0.0.1:{published['KAFKA_PORT']}"
    assert settings.s3_endpoint == f"127.0.0.1:{published['S3_PORT']}"
    assert settings.s3_access_key == published["S3_ACCESS_KEY"]
    assert settings.s3_secret_key.get_secret_value() == published["S3_SECRET_KEY"]
    assert not settings.s3_tls
