CREATE TABLE attempts (
	id INTEGER NOT NULL,
	user VARCHAR(64) NOT NULL,
	"key" VARCHAR(192) NOT NULL,
	source VARCHAR(64) NOT NULL,
	level FLOAT NOT NULL,
	counted FLOAT NOT NULL,
	proved FLOAT,
	PRIMARY KEY (id),
	UNIQUE ("key", source)
);
CREATE TABLE bundles (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	user VARCHAR(64) NOT NULL,
	"key" VARCHAR(192) NOT NULL,
	profile VARCHAR(64) NOT NULL,
	made FLOAT NOT NULL,
	made_by VARCHAR(255) NOT NULL,
	platforms JSON NOT NULL,
	authorities JSON NOT NULL,
	server VARCHAR(300) NOT NULL,
	connection VARCHAR(255) NOT NULL,
	language VARCHAR(2) NOT NULL,
	templates TEXT NOT NULL,
	told VARCHAR(64) NOT NULL,
	certificate VARCHAR(64) NOT NULL,
	sha256 VARCHAR(64) NOT NULL,
	mark VARCHAR(64) DEFAULT '' NOT NULL,
	path TEXT NOT NULL
);
CREATE TABLE certificates (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name VARCHAR(255) NOT NULL,
	"key" VARCHAR(765) NOT NULL,
	profile VARCHAR(16) NOT NULL,
	serial VARCHAR(40) NOT NULL,
	subject TEXT NOT NULL,
	names JSON NOT NULL,
	not_before FLOAT NOT NULL,
	not_after FLOAT NOT NULL,
	sha256 VARCHAR(64) NOT NULL,
	sha1 VARCHAR(40) NOT NULL,
	issuer_sha256 VARCHAR(64) NOT NULL,
	der BLOB NOT NULL,
	requested_by VARCHAR(255) NOT NULL,
	issued FLOAT NOT NULL,
	revoked FLOAT,
	reason VARCHAR(32),
	replaced FLOAT,
	UNIQUE (serial),
	UNIQUE (sha256)
);
CREATE TABLE pools (
	id INTEGER NOT NULL,
	profile_id INTEGER NOT NULL,
	first BIGINT NOT NULL,
	last BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(profile_id) REFERENCES profiles (id) ON DELETE CASCADE
);
CREATE TABLE profiles (
	id INTEGER NOT NULL,
	name VARCHAR(64) NOT NULL,
	local_address BIGINT NOT NULL,
	dns JSON NOT NULL,
	routes JSON NOT NULL,
	dns_suffix VARCHAR(253) NOT NULL,
	full_tunnel BOOLEAN NOT NULL,
	client JSON DEFAULT '{}' NOT NULL,
	sessions INTEGER DEFAULT 10 NOT NULL,
	reach JSON DEFAULT '[]' NOT NULL,
	inbound BOOLEAN DEFAULT 0 NOT NULL,
	weak_sign_ins JSON DEFAULT '[]' NOT NULL,
	ipv6 JSON DEFAULT '{}' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
CREATE TABLE schema (
	version INTEGER NOT NULL
);
INSERT INTO schema VALUES(8);
CREATE TABLE sessions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	worker_id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	user VARCHAR(64) NOT NULL,
	address BIGINT,
	promised BIGINT,
	prefix VARCHAR(16),
	peer VARCHAR(64) NOT NULL,
	interface VARCHAR(16) NOT NULL,
	client VARCHAR(128) NOT NULL,
	started FLOAT NOT NULL,
	heard FLOAT DEFAULT 0 NOT NULL,
	received BIGINT NOT NULL,
	sent BIGINT NOT NULL,
	kill VARCHAR(128),
	FOREIGN KEY(worker_id) REFERENCES workers (id) ON DELETE CASCADE,
	UNIQUE (address)
);
CREATE TABLE users (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name VARCHAR(64) NOT NULL,
	"key" VARCHAR(192) NOT NULL,
	nt_hash BLOB NOT NULL,
	password BLOB,
	enabled BOOLEAN NOT NULL,
	profile_id INTEGER NOT NULL,
	static_address BIGINT,
	created FLOAT NOT NULL,
	password_set FLOAT NOT NULL,
	password_expired BOOLEAN DEFAULT 0 NOT NULL,
	static_prefix VARCHAR(16),
	UNIQUE ("key"),
	FOREIGN KEY(profile_id) REFERENCES profiles (id),
	UNIQUE (static_address)
);
CREATE TABLE workers (
	id INTEGER NOT NULL,
	host VARCHAR(64) NOT NULL,
	pid INTEGER NOT NULL,
	seen FLOAT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX bundles_mark ON bundles (mark);
CREATE UNIQUE INDEX certificates_current ON certificates ("key") WHERE replaced IS NULL;
CREATE INDEX ix_attempts_source ON attempts (source);
CREATE INDEX ix_bundles_key ON bundles ("key");
CREATE INDEX ix_sessions_prefix ON sessions (prefix);
CREATE INDEX ix_sessions_promised ON sessions (promised);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE INDEX ix_sessions_worker_id ON sessions (worker_id);
CREATE INDEX sessions_ending ON sessions (worker_id) WHERE kill IS NOT NULL;
CREATE UNIQUE INDEX users_static_prefix ON users (static_prefix);
