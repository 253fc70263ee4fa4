"""Key pairs: a public key names an account, its private key signs. Private keys are stored sealed."""

import base64
import hashlib
import hmac
import os
import secrets
import string
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from restyle.database import accounts, keys, reading, writing
from restyle.private import make_data_folder, may_be_read_by_others
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

ALPHABET = string.ascii_letters + string.digits
"""Of both keys: one word to a double click, and no leading dash to a shell."""

NONCE_BYTES = 12
MASTER_BYTES = 32
MOST_NAME = 64
"""Characters of a key's name."""
MOST_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key pair, the one time that the private key is shown."""

    public_key: str
    private_key: str
    account_id: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key as a request is checked against it."""

    public_key: str
    private_key: str
    account_id: int
    disabled: bool
    requires_timestamp: bool
    priority: int = 0


@dataclass(frozen=True, slots=True)
class KeySummary:
    """A key as the operator sees it. ``created`` is Unix seconds."""

    public_key: str
    account_id: int
    name: str
    disabled: bool
    requires_timestamp: bool
    unlimited: bool
    total_credits: int
    used_credits: int
    created: float
    priority: int
    operator: bool = False


class KeyStore:
    """The keys of one database, sealed (AES-256-GCM) under the master key in ``key_file``.

    The file is made, readable by its owner only, with the first key of an empty database, unless ``make`` is False, as
    on machines that all need the same one. Raises :class:`RestyleError` (5000) where it is missing all the same, where
    it is damaged, and where it is not the one that sealed the keys in the database.
    """

    def __init__(self, db: sa.Engine, key_file: Path, *, make: bool = True) -> None:
        self._db = db
        self._master = _master_key(db, key_file, make)
        self._cipher = AESGCM(self.derive(b"private keys"))
        self._key_file = key_file
        sample = sa.select(keys.c.public_key, keys.c.sealed_private_key).limit(1)
        with reading(db) as connection:
            row = connection.execute(sample).one_or_none()
        if row is not None:
            self._open(row.public_key, row.sealed_private_key)

    def create(
        self,
        *,
        credits: int,
        unlimited: bool = False,
        requires_timestamp: bool = False,
        name: str = "",
        operator: bool = False,
    ) -> KeyPair:
        """Make an account with ``credits`` and its first pair. ``unlimited`` accounts are never refused for credits.

        An ``operator`` may change in the Studio what belongs to the service. ``name``, of 64 printable characters at
        most, is for people alone. Raises :class:`RestyleError` (230).
        """
        if credits < 0:
            raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"credits must be 0 or more, not {credits}")
        account = {
            "total_credits": credits,
            "unlimited": unlimited,
            "operator": operator,
            "created": time.time(),
        }
        with writing(self._db) as connection:
            account_id: int = connection.execute(
                sa.insert(accounts).values(account).returning(accounts.c.id)
            ).scalar_one()
            return self._add(connection, account_id, name, requires_timestamp)

    def add(self, account_id: int, *, requires_timestamp: bool = False, name: str = "") -> KeyPair:
        """Make one more pair for an account. Raises :class:`RestyleError`: 230, 172 where there is no such account."""
        with writing(self._db) as connection:
            known = sa.select(accounts.c.id).where(accounts.c.id == account_id)
            if connection.execute(known).one_or_none() is None:
                raise RestyleError(
                    Code.KEY_NOT_FOUND, f"there is no account {account_id}; `restyle keys list` shows all"
                )
            return self._add(connection, account_id, name, requires_timestamp)

    def find(self, public_key: str) -> Key | None:
        """The key of that name, disabled ones too. One indexed read, so that disabling works at once everywhere."""
        with reading(self._db) as connection:
            row = connection.execute(sa.select(keys).where(keys.c.public_key == public_key)).one_or_none()
        if row is None:
            return None
        private_key = self._open(row.public_key, row.sealed_private_key)
        return Key(row.public_key, private_key, row.account_id, row.disabled, row.requires_timestamp, row.priority)

    def list(self, account_id: int | None = None) -> list[KeySummary]:
        """All keys, or those of one account, oldest first."""
        query = (
            sa.select(
                keys.c.public_key,
                keys.c.account_id,
                keys.c.name,
                keys.c.disabled,
                keys.c.requires_timestamp,
                accounts.c.unlimited,
                accounts.c.total_credits,
                accounts.c.used_credits,
                keys.c.created,
                keys.c.priority,
                accounts.c.operator,
            )
            .join_from(keys, accounts)
            .order_by(keys.c.created, keys.c.public_key)
        )
        if account_id is not None:
            query = query.where(keys.c.account_id == account_id)
        with reading(self._db) as connection:
            return [KeySummary(**row._asdict()) for row in connection.execute(query)]

    def disable(self, public_key: str) -> None:
        """Refuse the key from now on. Raises :class:`RestyleError` (172) for one that does not exist."""
        self._change(public_key, disabled=True)

    def enable(self, public_key: str) -> None:
        """Take the key again. Raises :class:`RestyleError` (172) for one that does not exist."""
        self._change(public_key, disabled=False)

    def make_operator(self, account_id: int, *, operator: bool = True) -> None:
        """Let the account change in the Studio what belongs to the service, or no longer. Raises RestyleError (172)."""
        change = sa.update(accounts).where(accounts.c.id == account_id).values(operator=operator)
        with writing(self._db) as connection:
            if connection.execute(change).rowcount != 1:
                raise RestyleError(
                    Code.KEY_NOT_FOUND, f"there is no account {account_id}; `restyle keys list` shows all"
                )

    def is_operator(self, account_id: int) -> bool:
        """Whether the account is an operator's."""
        with reading(self._db) as connection:
            query = sa.select(accounts.c.operator).where(accounts.c.id == account_id)
            return bool(connection.execute(query).scalar_one_or_none())

    def rename(self, public_key: str, name: str) -> None:
        """Give the key another name. Raises :class:`RestyleError`: 230, 172 for one that does not exist."""
        self._change(public_key, name=_checked_name(name))

    def prefer(self, public_key: str, priority: int) -> None:
        """Have the key's later tasks go before those of keys with a lower priority, -100..100.

        Raises :class:`RestyleError`: 230, 172 for a key that does not exist.
        """
        if abs(priority) > MOST_PRIORITY:
            raise RestyleError(
                Code.PARAMETER_NOT_AVAILABLE,
                f"a priority is from -{MOST_PRIORITY} to {MOST_PRIORITY}, not {priority}",
                field="priority",
            )
        self._change(public_key, priority=priority)

    def rotate(self, public_key: str) -> str:
        """A new private key in the place of the key's old one, which signs nothing from now on.

        Raises :class:`RestyleError` (172) for a key that does not exist.
        """
        private_key = _random_text(44)
        self._change(public_key, sealed_private_key=self._seal(public_key, private_key))
        return private_key

    def reseal(self, new_file: Path) -> int:
        """Seal all private keys under the master key in ``new_file``, made if need be, in one transaction.

        Returns how many. Every service goes on with ``new_file`` from then on; URLs of results made under the old one
        end. Raises :class:`RestyleError` (5000) where either file does not fit.
        """
        try:
            master = read_master_key(new_file)
        except FileNotFoundError:
            master = _create_master_key(new_file)
        fresh = AESGCM(_derive(master, b"private keys"))
        with writing(self._db) as connection:
            rows = connection.execute(sa.select(keys.c.public_key, keys.c.sealed_private_key).with_for_update()).all()
            for row in rows:
                private_key = self._open(row.public_key, row.sealed_private_key)
                nonce = os.urandom(NONCE_BYTES)
                sealed = nonce + fresh.encrypt(nonce, private_key.encode(), row.public_key.encode())
                change = sa.update(keys).where(keys.c.public_key == row.public_key)
                connection.execute(change.values(sealed_private_key=sealed))
        return len(rows)

    def derive(self, purpose: bytes) -> bytes:
        """A 32-byte secret for ``purpose``, the same after a restart, that tells nothing of another's."""
        return _derive(self._master, purpose)

    def _add(self, connection: sa.Connection, account_id: int, name: str, requires_timestamp: bool) -> KeyPair:
        public_key, private_key = _random_text(32), _random_text(44)
        key = {
            "public_key": public_key,
            "account_id": account_id,
            "name": _checked_name(name),
            "sealed_private_key": self._seal(public_key, private_key),
            "requires_timestamp": requires_timestamp,
            "created": time.time(),
        }
        connection.execute(sa.insert(keys).values(key))
        return KeyPair(public_key, private_key, account_id)

    def _change(self, public_key: str, **values: object) -> None:
        with writing(self._db) as connection:
            found = connection.execute(sa.update(keys).where(keys.c.public_key == public_key).values(values)).rowcount
        if found != 1:
            raise RestyleError(
                Code.KEY_NOT_FOUND, f"there is no public key {public_key}; `restyle keys list` shows all"
            )

    def _seal(self, public_key: str, private_key: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        # The public key is bound in, so that a sealed private key moved to another row does not open.
        return nonce + self._cipher.encrypt(nonce, private_key.encode(), public_key.encode())

    def _open(self, public_key: str, sealed: bytes) -> str:
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, text, public_key.encode()).decode()
        except InvalidTag as error:
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"{self._key_file} does not open the keys in this database; restore the file that was made with it",
            ) from error


def _derive(master: bytes, purpose: bytes) -> bytes:
    return hmac.digest(master, b"restyle:" + purpose, hashlib.sha256)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checked_name(name: str) -> str:
    if len(name) > MOST_NAME or not name.isprintable():
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f"the name of a key is {MOST_NAME} printable characters at most, not {name[: 2 * MOST_NAME]!r}",
            field="name",
        )
    return name


def _master_key(db: sa.Engine, key_file: Path, make: bool) -> bytes:
    try:
        return read_master_key(key_file)
    except FileNotFoundError:
        with reading(db) as connection:
            orphans = connection.execute(sa.select(sa.func.count()).select_from(keys)).scalar_one()
        if orphans:
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"{key_file} is missing, and it sealed the {orphans} keys in the database; restore it from a backup",
            ) from None
        if not make:
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"{key_file} is missing; every api of a fleet needs the same one: `restyle keys create` makes it once, "
                "then copy it, and name it in RESTYLE_KEY_FILE",
            ) from None
        return _create_master_key(key_file)


def read_master_key(key_file: Path) -> bytes:
    """The key in ``key_file``. Raises FileNotFoundError, and :class:`RestyleError` (5000) for what is no such file."""
    try:
        text = key_file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"the key file {key_file} cannot be read: {error.strerror or error}; give it to this user with chown",
        ) from error
    try:
        master = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        master = b""
    if len(master) != MASTER_BYTES:
        raise RestyleError(
            Code.INTERNAL_ERROR, f"{key_file} is no key file (44 characters of Base64); restore it from a backup"
        )
    if may_be_read_by_others(key_file.stat()):
        raise RestyleError(Code.INTERNAL_ERROR, f"{key_file} can be read by others; mend it with: chmod 600 {key_file}")
    return master


def _create_master_key(key_file: Path) -> bytes:
    """Written whole beside its place (``mkstemp`` makes it 0600) and linked there: of several makers, one wins."""
    make_data_folder(key_file.parent)
    master = os.urandom(MASTER_BYTES)
    handle, temporary = tempfile.mkstemp(prefix=".key-", dir=key_file.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(master) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, key_file)
        except FileExistsError:
            return base64.b64decode(key_file.read_bytes().strip())
    finally:
        os.unlink(temporary)
    return master
