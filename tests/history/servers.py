"""Fresh run-logs on the servers that the environment names, as `tests/servers/run` starts them and sets it.

Each is a schema or a database of its own, so that no two histories meet; it goes with its server.
"""

import os
import secrets
import subprocess
import sys
from urllib.parse import unquote, urlsplit

VARIABLES = {"postgres": "TICKWARD_TEST_POSTGRES_URL", "mysql": "TICKWARD_TEST_MYSQL_URL"}
# What cargo builds for them all: one program, whichever of them is tried.
FEATURES = ("--features", ",".join(VARIABLES))


def reachable():
    """The kinds of servers that there are."""
    return [kind for kind, variable in VARIABLES.items() if os.environ.get(variable)]


def is_server(url):
    return urlsplit(url).scheme in (*VARIABLES, "postgresql", "mariadb")


def features(urls):
    """The arguments of cargo for a program that opens these."""
    return FEATURES if any(map(is_server, urls)) else ()


def fresh(kind):
    """The address of a run-log that is not there yet."""
    server = os.environ.get(VARIABLES[kind])
    if not server:
        sys.exit(f"{VARIABLES[kind]} is not set: tests/servers/run starts a server and sets it")
    name = f"tickward_{secrets.token_hex(6)}"
    base, mark, parameters = server.partition("?")
    if kind == "postgres":
        return f"{server}{'&' if mark else '?'}schema={name}"
    ask_mysql(server, f"CREATE DATABASE {name}")
    return base.rpartition("/")[0] + f"/{name}{mark}{parameters}"


def mysql_client(url):
    """The command line and the environment of a client of this server."""
    server = urlsplit(url)
    line = ["mariadb", "--protocol=tcp", "-h", server.hostname, "-P", str(server.port or 3306), "-u", server.username]
    return [*line, server.path.lstrip("/")], {**os.environ, "MYSQL_PWD": unquote(server.password or "")}


def ask_mysql(url, statement):
    line, env = mysql_client(url)
    subprocess.run([*line, "-e", statement], env=env, stdin=subprocess.DEVNULL, check=True)
