"""The tables. Times are seconds since 1970 (UTC), IPv4 addresses integers.

An IPv6 prefix of a session or a user is a /64, and its upper half is kept: 16 hexadecimal digits in
lower case, which sort as the numbers do; as integers they would not fit into 63 bits.

Each is written by one module of its name alone; whoever reads may join them. What changes here needs
a step in migrations.py.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

metadata = sa.MetaData()

schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, nullable=False))

profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    # the server's address in the tunnel
    sa.Column("local_address", sa.BigInteger, nullable=False),
    # JSON arrays of text: addresses, prefixes
    sa.Column("dns", sa.JSON, nullable=False),
    sa.Column("routes", sa.JSON, nullable=False),
    sa.Column("dns_suffix", sa.String(253), nullable=False),
    sa.Column("full_tunnel", sa.Boolean, nullable=False),
    # JSON object, see access/connection_settings.py
    sa.Column("client", sa.JSON, nullable=False, server_default="{}"),
    # how many sessions one user may have at a time
    sa.Column("sessions", sa.Integer, nullable=False, server_default=sa.text("10")),
    # JSON array of text, see access/reach.py
    sa.Column("reach", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("inbound", sa.Boolean, nullable=False, server_default=sa.false()),
    # JSON array of text, see access/weak_sign_ins.py
    sa.Column("weak_sign_ins", sa.JSON, nullable=False, server_default="[]"),
    # JSON object, see access/ipv6.py
    sa.Column("ipv6", sa.JSON, nullable=False, server_default="{}"),
    # JSON object, see access/limits.py
    sa.Column("limits", sa.JSON, nullable=False, server_default="{}"),
    # JSON array of text: where its users may go; empty for everywhere
    sa.Column("allow", sa.JSON, nullable=False, server_default="[]"),
)

pools = sa.Table(
    "pools",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("profile_id", sa.ForeignKey("profiles.id", ondelete="CASCADE"), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    # the name as it is compared: case-folded, NFC
    sa.Column("key", sa.String(192), nullable=False, unique=True),
    # AES-256-GCM: 12 bytes of nonce, ciphertext, 16 bytes of tag; see secrets.py
    sa.Column("nt_hash", sa.LargeBinary, nullable=False),
    # the same of the password itself; NULL unless the access profile takes CHAP-MD5
    sa.Column("password", sa.LargeBinary),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("profile_id", sa.ForeignKey("profiles.id"), nullable=False),
    sa.Column("static_address", sa.BigInteger, unique=True),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("password_set", sa.Float, nullable=False),
    # whether it has to be changed before it lets its user in
    sa.Column("password_expired", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("static_prefix", sa.String(16)),
    # JSON object, see access/limits.py: what differs from the access profile's
    sa.Column("limits", sa.JSON, nullable=False, server_default="{}"),
    # when the account is over
    sa.Column("ends", sa.Float),
    # JSON array of text: the IPv4 and IPv6 prefixes behind the client
    sa.Column("networks", sa.JSON, nullable=False, server_default="[]"),
    # a removed user's number is not given to the next: a session may still have it
    sqlite_autoincrement=True,
)

sa.Index("users_static_prefix", users.c.static_prefix, unique=True)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # which machine: its boot id, so that a reboot ends what it left
    sa.Column("host", sa.String(64), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
)

# A session's row is also the lease of its address, or what keeps it until the binding holds.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "worker_id", sa.ForeignKey("workers.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("user_id", sa.Integer, nullable=False, index=True),
    sa.Column("user", sa.String(64), nullable=False),
    # NULL once a newer login of the same user has taken the address over, and while one of the
    # user's sessions still has the address that this login was promised
    sa.Column("address", sa.BigInteger, unique=True),
    # the address that was promised; NULL once the crypto binding holds, and it is a session
    sa.Column("promised", sa.BigInteger, index=True),
    # the IPv6 prefix that goes with the address, promised or not; NULL where there is none
    sa.Column("prefix", sa.String(16), index=True),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("interface", sa.String(16), nullable=False),
    sa.Column("client", sa.String(128), nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    # when the client last sent an IP packet, as far as its worker has written that
    sa.Column("heard", sa.Float, nullable=False, server_default=sa.text("0")),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    # the prefixes behind its client, with blanks between them
    sa.Column("networks", sa.Text, nullable=False, server_default=""),
    # until when its time is in ``usage``
    sa.Column("counted", sa.Float, nullable=False, server_default=sa.text("0")),
    # whether its limits have changed since its worker has read them
    sa.Column("relimit", sa.Boolean, nullable=False, server_default=sa.false()),
    # why the session is to end; its worker looks at it every second
    sa.Column("kill", sa.String(128)),
    sqlite_autoincrement=True,
)

# those that are to end, and those with other limits: none, mostly
sa.Index("sessions_ending", sessions.c.worker_id, sqlite_where=sessions.c.kill.is_not(None))
sa.Index("sessions_relimit", sessions.c.worker_id, sqlite_where=sessions.c.relimit)

# What each user has used on each day; see usage.py.
usage = sa.Table(
    "usage",
    metadata,
    # the user may be gone
    sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
    # days since 1970-01-01 in the server's local time
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    # bytes of IP packets, from the server's side
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    # how long the sessions lasted on that day, together, and how many began on it
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("sessions", sa.Integer, nullable=False),
)

# Every session that there was; see history.py.
history = sa.Table(
    "history",
    metadata,
    # the session's number
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.Integer, nullable=False),
    # whose, and the same as it is compared (names.user_key); the user may be gone
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("key", sa.String(192), nullable=False, index=True),
    sa.Column("address", sa.BigInteger, index=True),
    sa.Column("prefix", sa.String(16)),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("client", sa.String(128), nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    # NULL while it goes on
    sa.Column("ended", sa.Float),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    # why it ended
    sa.Column("reason", sa.String(128), nullable=False),
)
# who was there at some time: the index alone answers
sa.Index("history_times", history.c.started, history.c.ended)
sa.Index("history_prefix", history.c.prefix, sqlite_where=history.c.prefix.is_not(None))

# Logins that failed; see failures.py.
failures = sa.Table(
    "failures",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    # who was claimed, fit for a log, and the same as it is compared (names.user_key); of many
    # together, nobody
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("key", sa.String(192), nullable=False, index=True),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("client", sa.String(128), nullable=False),
    sa.Column("reason", sa.String(128), nullable=False),
    # how many this stands for: of a flood, not each has a row
    sa.Column("count", sa.Integer, nullable=False, server_default=sa.text("1")),
)

# Every certificate that was issued or taken in; see certificates.py. Digests and the serial are
# lower-case hexadecimal.
certificates = sa.Table(
    "certificates",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # what the pair is called, and the same as it is compared (names.user_key)
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("key", sa.String(765), nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("serial", sa.String(40), nullable=False, unique=True),
    sa.Column("subject", sa.Text, nullable=False),
    # JSON array of text: "DNS x", "IP y", "UPN z"
    sa.Column("names", sa.JSON, nullable=False),
    sa.Column("not_before", sa.Float, nullable=False),
    sa.Column("not_after", sa.Float, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("sha1", sa.String(40), nullable=False),
    # of the authority in this home at that time; empty if another one issued it
    sa.Column("issuer_sha256", sa.String(64), nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    # the local login of who asked
    sa.Column("requested_by", sa.String(255), nullable=False),
    sa.Column("issued", sa.Float, nullable=False),
    sa.Column("revoked", sa.Float),
    # RFC 5280 5.3.1, as it is spelt there
    sa.Column("reason", sa.String(32)),
    # when a newer one took its place
    sa.Column("replaced", sa.Float),
    sqlite_autoincrement=True,
)
# a name has one current certificate
sa.Index(
    "certificates_current",
    certificates.c.key,
    unique=True,
    sqlite_where=certificates.c.replaced.is_(None),
)

# Every bundle that was made; see bundles.py.
bundles = sa.Table(
    "bundles",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # whose, and the same as it is compared (names.user_key); the user may be gone
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("key", sa.String(192), nullable=False, index=True),
    sa.Column("profile", sa.String(64), nullable=False),
    sa.Column("made", sa.Float, nullable=False),
    # the local login of who made it
    sa.Column("made_by", sa.String(255), nullable=False),
    # JSON arrays of text: what it is for; SHA-256 of the authorities in it
    sa.Column("platforms", sa.JSON, nullable=False),
    sa.Column("authorities", sa.JSON, nullable=False),
    # what the client connects to, as Windows' ServerAddress
    sa.Column("server", sa.String(300), nullable=False),
    sa.Column("connection", sa.String(255), nullable=False),
    # what else it was made from, so that it can be compared with what it would be now: two
    # letters; the folder of own templates; a digest, see bundle/ledger/freshness.py; the SHA-256 of the
    # user's certificate in it. Empty where there is none.
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("templates", sa.Text, nullable=False),
    sa.Column("told", sa.String(64), nullable=False),
    sa.Column("certificate", sa.String(64), nullable=False),
    # of the zip, and where it was written; the SHA-256 is empty where a password is in it, which it
    # would help to guess. The other one takes the key of the home; see secrets.Sealer.mark
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("mark", sa.String(64), nullable=False, server_default=""),
    sa.Column("path", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("bundles_mark", bundles.c.mark)


# Wrong passwords; see attempts.py.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # whose, and the same as it is compared (names.user_key); empty for all users together
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("key", sa.String(192), nullable=False),
    # an IPv4 address or an IPv6 prefix; empty for everywhere
    sa.Column("source", sa.String(64), nullable=False, index=True),
    # of the bucket when it was last written, and when that was
    sa.Column("level", sa.Float, nullable=False),
    sa.Column("counted", sa.Float, nullable=False),
    # when the right password last came from there
    sa.Column("proved", sa.Float),
    sa.UniqueConstraint("key", "source"),
)

# Traces that somebody waits for; see traces.py.
traces = sa.Table(
    "traces",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # which session; 0: the user's, by name
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("octets", sa.Integer, nullable=False),
    # when whoever waits last said so
    sa.Column("seen", sa.Float, nullable=False),
    sqlite_autoincrement=True,
)

# What came of them and was not fetched yet, without secrets; see server/trace/records.py.
trace_records = sa.Table(
    "trace_records",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "trace_id", sa.ForeignKey("traces.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("records", sa.LargeBinary, nullable=False),
)


@compiles(sa.schema.CreateIndex, "postgresql")
def _index_for_postgresql(create: Any, compiler: Any, **options: Any) -> str:
    """Give an index the same condition in PostgreSQL as in SQLite.

    As ``postgresql_where`` in the table, it would load PostgreSQL's dialect with every command.
    """
    where = create.element.dialect_options["sqlite"]["where"]
    create.element.dialect_options["postgresql"]["where"] = where
    text: str = compiler.visit_create_index(create, **options)
    return text
