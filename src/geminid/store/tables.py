"""The tables, as they are after the last migration. A test holds the two against each other.

Times of files are microseconds since 1970 and sizes are bytes, all whole numbers in every database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData()

files = Table(
    "files",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("display_name", String(512), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256_hex", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("duration_ms", BigInteger),
    Column("fault", Text, nullable=False),
    Column("blob", String(64), nullable=False),
    Column("source", String(16), nullable=False, server_default="uploaded"),
    Index("files_by_creation", "project", "created_us", "id"),
    Index("files_by_expiry", "expires_us"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("file_id", String(40), nullable=False),
    Column("display_name", String(512), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("declared_bytes", BigInteger),
    Column("received_bytes", BigInteger, nullable=False),
    Column("reserved_bytes", BigInteger, nullable=False),
    Column("touched_us", BigInteger, nullable=False),
    Column("blob", String(64), nullable=False),
    Index("uploads_by_project", "project"),
    Index("uploads_by_touch", "touched_us"),
)

# ---- projects, keys and who administers them; times from here on are milliseconds since 1970 --------------

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("title", String(256), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("limits", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("replaced_by", String(40), nullable=False),
    Index("keys_by_project", "project", "created_ms", "id"),
)

admin_tokens = Table(
    "admin_tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
)

prices = Table(
    "prices",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("nano_per_million", BigInteger),
    Column("effective_from_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("author", String(160), nullable=False),
    Index("prices_by_key", "key", "seq"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("target", String(128), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("retires_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("action", String(64), nullable=False),
    Column("project", String(64), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("details", Text, nullable=False),
    Index("audit_by_project", "project", "seq"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# ---- money, limits and usage -------------------------------------------------------------------------------

balances = Table(
    "balances",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("posted_nano", BigInteger, nullable=False),
    Column("held_nano", BigInteger, nullable=False),
    Column("holds", BigInteger, nullable=False),
    Column("payments_nano", BigInteger, nullable=False),
    Column("grants_nano", BigInteger, nullable=False),
    Column("revenue_nano", BigInteger, nullable=False),
    Column("expired_nano", BigInteger, nullable=False),
    Column("adjustments_nano", BigInteger, nullable=False),
    Column("grants", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

transfers = Table(
    "transfers",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("debit", String(16), nullable=False),
    Column("credit", String(16), nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("subject", String(128), nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("pending", String(200), nullable=False),
    Column("expires_ms", BigInteger),
    Column("owner", String(64), nullable=False),
    Column("unpaid_nano", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Index("transfers_by_id", "project", "id", unique=True),
    sqlite_with_rowid=False,
)

holds = Table(
    "holds",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("request", String(128), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

quotas = Table(
    "quotas",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

usage = Table(
    "usage",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("request", String(128), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("key_name", String(128), nullable=False),
    Column("labels", Text, nullable=False),
    Column("model", String(128), nullable=False),
    Column("asked", String(256), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("candidates_tokens", BigInteger, nullable=False),
    Column("thoughts_tokens", BigInteger, nullable=False),
    Column("text_tokens", BigInteger, nullable=False),
    Column("image_tokens", BigInteger, nullable=False),
    Column("video_tokens", BigInteger, nullable=False),
    Column("audio_tokens", BigInteger, nullable=False),
    Column("document_tokens", BigInteger, nullable=False),
    Column("lines", Text, nullable=False),
    Column("cost_nano", BigInteger),
    Column("bound_nano", BigInteger),
    Column("unpaid_nano", BigInteger, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("read_ms", BigInteger),
    Column("accepted_ms", BigInteger),
    Column("admitted_ms", BigInteger),
    Column("begun_ms", BigInteger),
    Column("first_token_ms", BigInteger),
    Column("took_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger, nullable=False),
    Column("entry", BigInteger),
    Column("verb", String(16), nullable=False, server_default="generate"),
    Column("cache", String(40), nullable=False, server_default=""),
    Column("cached_image_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_video_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_audio_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_document_tokens", BigInteger, nullable=False, server_default="0"),
    Column("saved_nano", BigInteger, nullable=False, server_default="0"),
    Index("usage_by_time", "project", "settled_ms", "id"),
    Index(
        "usage_by_cache",
        "project",
        "cache",
        sqlite_where=text("cache <> ''"),
        postgresql_where=text("cache <> ''"),
    ),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("tier", String(16), primary_key=True),
    Column("key_id", String(40), primary_key=True),
    Column("key_name", String(128), primary_key=True),
    Column("outcome", String(32), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("candidates_tokens", BigInteger, nullable=False),
    Column("thoughts_tokens", BigInteger, nullable=False),
    Column("text_tokens", BigInteger, nullable=False),
    Column("image_tokens", BigInteger, nullable=False),
    Column("video_tokens", BigInteger, nullable=False),
    Column("audio_tokens", BigInteger, nullable=False),
    Column("document_tokens", BigInteger, nullable=False),
    Column("cached_image_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_video_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_audio_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_document_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cost_nano", BigInteger, nullable=False),
    Column("credits_nano", BigInteger, nullable=False),
    Column("unpaid_nano", BigInteger, nullable=False),
    Column("saved_nano", BigInteger, nullable=False, server_default="0"),
)

usage_hour_lines = Table(
    "usage_hour_lines",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("tier", String(16), primary_key=True),
    Column("item", String(16), primary_key=True),
    Column("modality", String(16), primary_key=True),
    Column("nano_per_million", BigInteger, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("period", String(16), nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    Column("thresholds_permille", Text, nullable=False),
    Column("webhook", Text, nullable=False),
    Column("told_start_ms", BigInteger, nullable=False),
    Column("told_permille", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("fault", Text, nullable=False),
    Column("guarded", BigInteger, nullable=False, server_default="0"),
    Index("outbox_by_due", "due_ms"),
)

owners = Table(
    "owners",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(256), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("born_ms", BigInteger, nullable=False),
    Column("heartbeat_ms", BigInteger, nullable=False),
)

# ---- cached contents; their times are nanoseconds since 1970 -----------------------------------------------

caches = Table(
    "caches",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("model", String(128), nullable=False),
    Column("asked", String(256), nullable=False),
    Column("display_name", String(512), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("key_name", String(128), nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("image_tokens", BigInteger, nullable=False),
    Column("video_tokens", BigInteger, nullable=False),
    Column("audio_tokens", BigInteger, nullable=False),
    Column("document_tokens", BigInteger, nullable=False),
    Column("nano_per_million", BigInteger),
    Column("holds", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Index("caches_by_creation", "project", "created_ns", "id"),
    Index("caches_by_expiry", "expires_ns"),
)

cache_contents = Table(
    "cache_contents",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# ---- batches; their times are milliseconds since 1970 ----------------------------------------------------

batches = Table(
    "batches",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("model", String(256), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("display_name", String(512), nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("file_id", String(40), nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("output_id", String(40), nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("fault_code", String(32), nullable=False),
    Column("fault", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("webhook", Text, nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("key_name", String(128), nullable=False),
    Column("blob", String(40), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("closed", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
    Index("batches_by_creation", "project", "created_ms", "id"),
    Index("batches_by_closing", "closed", "ended_ms"),
)
