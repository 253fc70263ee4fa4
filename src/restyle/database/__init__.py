"""The tables, and how a database is opened, read and written."""

from restyle.database.opening import MIGRATION_LOCK as MIGRATION_LOCK
from restyle.database.opening import may_pass as may_pass
from restyle.database.opening import migrate as migrate
from restyle.database.opening import open_database as open_database
from restyle.database.opening import reading as reading
from restyle.database.opening import time_of as time_of
from restyle.database.opening import unavailable as unavailable
from restyle.database.opening import writing as writing
from restyle.database.tables import Raw as Raw
from restyle.database.tables import accounts as accounts
from restyle.database.tables import keys as keys
from restyle.database.tables import machines as machines
from restyle.database.tables import metadata as metadata
from restyle.database.tables import requests as requests
from restyle.database.tables import run_items as run_items
from restyle.database.tables import runs as runs
from restyle.database.tables import styles as styles
from restyle.database.tables import tasks as tasks
from restyle.database.tables import uploads as uploads
