"""``restyle serve`` on an empty folder, and the commands that work beside it."""

import json
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import restyle as package
from tests.support.command import restyle, serving
from tests.support.patience import PATIENCE


def test_an_empty_folder_becomes_a_service(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    with serving(tmp_path, lines=12, terminal=True, RESTYLE_DATA_DIR=str(data)) as said:
        address = next(word for word in said[0].split() if word.startswith("http"))
        assert httpx.get(f"{address}/healthz", timeout=PATIENCE).status_code == 200
        (curl,) = (line.strip() for line in said if "curl" in line)
        private_key = next(line.split()[1] for line in said if "PrivateKey  " in line)
        assert private_key not in curl
        program, *arguments = shlex.split(curl)
        assert program == "curl"
        body = arguments[arguments.index("-d") + 1]
        headers = dict([arguments[arguments.index("-H") + 1].split(": ")])
        answer = httpx.post(arguments[1], content=body, headers=headers, timeout=PATIENCE).json()
        assert (answer["RetCode"], answer["TotalCredits"]) == (0, 300)
        link = said[11].strip()
        assert link.startswith(f"{address}/studio/open?token=")
        assert "Enter the Studio" in httpx.get(link, timeout=PATIENCE).text
    assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600
    assert private_key.encode() not in (data / "restyle.sqlite3").read_bytes()
    with serving(tmp_path, "--json", RESTYLE_DATA_DIR=str(data)) as said:
        assert json.loads(said[0])["HasKeys"] is True


def test_no_private_key_goes_where_it_is_kept(tmp_path: Path) -> None:
    """Into a pipe, as a journal is one: the service says how to get keys, and makes none."""
    data = tmp_path / "da ta"
    with serving(tmp_path, lines=2, RESTYLE_DATA_DIR=str(data)) as said:
        assert said[1].endswith(f"restyle keys create --data-dir '{data}'")
    assert restyle("keys", "list", "--json", folder=tmp_path, RESTYLE_DATA_DIR=str(data)).json() == []
    assert "PrivateKey" not in (tmp_path / "serve.log").read_text()


def test_keys_and_credits_while_it_runs(tmp_path: Path) -> None:
    data = {"RESTYLE_DATA_DIR": str(tmp_path / "data")}

    with serving(tmp_path, "--json", RESTYLE_DATA_DIR=data["RESTYLE_DATA_DIR"]) as said:
        address = json.loads(said[0])["Address"]
        assert json.loads(said[0])["HasKeys"] is False
        made = restyle("keys", "create", "--credits", "5", "--json", folder=tmp_path, **data).json()
        assert set(made) == {"PublicKey", "PrivateKey", "AccountID"}

        def balance(key: dict[str, str] = made) -> tuple[int, int]:
            try:
                with package.Client(address, key["PublicKey"], key["PrivateKey"]) as client:
                    found = client.balance()
            except package.RestyleError as error:
                return int(error.code), 0
            return found.total, found.used

        assert balance() == (5, 0)
        added = restyle("credits", "give", made["PublicKey"], "7", "--json", folder=tmp_path, **data).json()
        assert added == {"TotalCredits": 12, "UsedCredits": 0, "Unlimited": False}
        assert balance() == (12, 0)
        taken = restyle("credits", "take", made["PublicKey"], "2", "--json", folder=tmp_path, **data).json()
        assert (taken["TotalCredits"], balance()) == (10, (10, 0))
        ran = restyle("credits", "take", made["PublicKey"], "11", folder=tmp_path, **data)
        assert (ran.code, "the account has 10 left" in ran.err) == (7, True)
        assert "10 left" in restyle("credits", "show", made["PublicKey"], folder=tmp_path, **data).out
        unlimited = restyle("keys", "create", "--unlimited", "--timestamps", "--json", folder=tmp_path, **data).json()
        listed = restyle("keys", "list", "--json", folder=tmp_path, **data).json()
        assert [key["Unlimited"] for key in listed] == [False, True]
        assert listed[1]["PublicKey"] == unlimited["PublicKey"]
        assert listed[1]["Timestamps"]
        assert restyle("keys", "disable", made["PublicKey"], folder=tmp_path, **data).code == 0
        assert balance() == (172, 0)
        assert "disabled" in restyle("keys", "list", folder=tmp_path, **data).out

        # a second pair of the same account, with a name, and a new private key for the first
        more = ("keys", "create", "--account", str(made["AccountID"]), "--name", "phone", "--json")
        phone = restyle(*more, folder=tmp_path, **data).json()
        assert (phone["AccountID"], balance(phone)) == (made["AccountID"], (10, 0))
        assert restyle("keys", "rename", phone["PublicKey"], "tablet", folder=tmp_path, **data).code == 0
        assert restyle("keys", "enable", made["PublicKey"], folder=tmp_path, **data).code == 0
        rotated = restyle("keys", "rotate", made["PublicKey"], "--json", folder=tmp_path, **data).json()
        assert (balance(made), balance(rotated), balance(phone)) == ((171, 0), (10, 0), (10, 0))
        listed = restyle("keys", "list", "--json", folder=tmp_path, **data).json()
        named = {key["PublicKey"]: (key["AccountID"], key["Name"], key["Disabled"]) for key in listed}
        assert named[phone["PublicKey"]] == (made["AccountID"], "tablet", False)
        assert named[made["PublicKey"]] == (made["AccountID"], "", False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("keys", "disable", "nobody"), "there is no public key nobody"),
        (("credits", "show", "nobody"), "there is no public key nobody"),
        (("credits", "give", "nobody", "0"), "greater than or equal to 1"),
        (("credits", "take", "nobody", "1"), "there is no public key nobody"),
        (("keys", "rotate", "nobody"), "there is no public key nobody"),
        (("keys", "rename", "nobody", "x\n"), "64 printable characters"),
        (("keys", "create", "--account", "7"), "there is no account 7"),
        (("keys", "create", "--account", "7", "--credits", "1"), "are for a new account"),
        (("keys", "create", "--credits", "-1"), "greater than or equal to 0"),
        (("nonsense",), "nonsense"),
        (("models", "list", "--url", "http://127.0.0.1:9"), "--public-key"),
    ],
)
def test_errors_are_one_line_and_code_2(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    ran = restyle(*arguments, folder=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert says in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("serve", "--port", "70000"), "RESTYLE_PORT is 70000"),
        (("serve", "--host", "no.such.host.invalid"), "cannot bind no.such.host.invalid"),
    ],
)
def test_what_cannot_be_served_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    ran = restyle(*arguments, folder=tmp_path)
    assert (ran.code, ran.out) == (5, "")
    assert len(ran.err.splitlines()) == 1
    assert says in ran.err


def test_a_port_that_is_taken_costs_no_keys(tmp_path: Path) -> None:
    data = {"RESTYLE_DATA_DIR": str(tmp_path / "data")}
    with serving(tmp_path, "--json", RESTYLE_DATA_DIR=str(tmp_path / "other")) as said:
        port = json.loads(said[0])["Address"].rpartition(":")[2]
        ran = restyle("serve", "--port", port, folder=tmp_path, **data)
    assert ran.code == 5
    assert f"cannot bind 127.0.0.1 port {port}" in ran.err
    assert restyle("keys", "list", "--json", folder=tmp_path, **data).json() == []


def test_version_and_help_come_at_once(tmp_path: Path) -> None:
    assert restyle("--version", folder=tmp_path).out.strip() == f"restyle {package.__version__}"
    for arguments in ((), ("--help",), ("keys",), ("models", "--help"), ("convert", "--help")):
        ran = restyle(*arguments, folder=tmp_path)
        assert (ran.code, ran.err) == (0, "")
        assert "Usage: " in ran.out
    program = "import sys; from restyle.cli import app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "PIL", "httpx", "pydantic", "sqlalchemy", "fastapi", "onnxruntime"} & set(loaded)


def test_models_of_the_installation(tmp_path: Path) -> None:
    shown = restyle("models", "list", "--json", folder=tmp_path).json()
    assert {"Restyle Brush", "Restyle Painter", "PICPIK Interior Design"} < set(shown["MainModels"])
    assert list(shown["LoraModels"]) == ["ink"]
    assert "MODELCODE" in restyle("models", "list", folder=tmp_path).out
