"""Settings: one frozen object, read once at start.

Sources, the first one wins: `MAILKEEP_<SECTION>__<KEY>` in the environment, `MAILKEEP_<SECTION>__<KEY>_FILE`
(the value is the content of that file, for secrets), the TOML file named by `MAILKEEP_CONFIG`, the defaults below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    field_validator,
    model_validator,
)

from mailkeep.domain.address import canonical_domain
from mailkeep.domain.billing import Interval
from mailkeep.domain.tier import Tier
from mailkeep.errors import ConfigurationError, InvalidInput

MIB: Final = 1024 * 1024
# RFC 6454 section 6.2, in small letters.
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.\-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class Section(BaseModel):
    """A table of the configuration file; frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _at_least_32_bytes(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value().encode()) < 32:
        raise ValueError("too short: at least 32 bytes")
    return value


class Database(Section):
    """[database]: where everything but bulk bytes lives."""

    url: str = Field(
        default="",
        description="sqlite+aiosqlite:///path or mysql+aiomysql://user:password@host/name; "
        "empty: mailkeep.db in data_dir",
    )
    pool_size: int = Field(default=10, gt=0, description="connections kept open to MySQL or MariaDB, per process")
    timeout_s: float = Field(
        default=5,
        gt=0,
        description="how long one transaction may take, the connection included; mail then gets a 451",
    )


class Blobs(Section):
    """[blobs]: message sources and attachments, as files."""

    dir: Path | None = Field(default=None, description="directory, mode 0700; empty: blobs in data_dir")

    @field_validator("dir", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None


class Http(Section):
    """[http]: the API and the pages."""

    listen: str = Field(default="127.0.0.1:8080", description="host:port")
    public_url: str = Field(
        default="",
        description="how browsers reach us, for example https://mail.example.org; empty: http:// and `listen`. "
        "With https the session cookie is Secure and carries the __Host- prefix",
    )
    max_body_bytes: int = Field(default=MIB, gt=0, description="larger request bodies get 413")
    handler_timeout_s: float = Field(
        default=30,
        gt=0,
        description="how long a request may be worked on before it gets 503; what it asks to wait is added, and "
        "downloads and event streams may last",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description="pages of other sites that may use the API with a token, as https://app.example.org; empty: none",
    )
    public_requests_per_minute: int = Field(
        default=60,
        gt=0,
        description="requests to the API from one client address (of IPv6: one /64) without valid credentials",
    )
    max_waiters: int = Field(
        default=100,
        gt=0,
        description="requests of one account that wait for mail (wait=, event streams, open inboxes), in each process; "
        "more get 429",
    )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(_ORIGIN.fullmatch(origin) is None for origin in value):
            raise ValueError("write origins as browsers do: scheme, host and port, without a path or a * in them")
        return value


class Lmtp(Section):
    """[lmtp]: the listener that takes mail from Postfix."""

    enabled: bool = Field(default=True, description="off on an MX host, where mxd only answers policy requests")
    listen: str = Field(default="127.0.0.1:8024", description="host:port, or unix:/path")
    hostname: str = Field(default="", description="the name in the greeting; empty: this machine's name")
    max_message_bytes: int = Field(default=36_700_160, gt=0, description="larger mail gets 552 5.3.4")
    max_recipients: int = Field(default=100, gt=0, description="recipients beyond this get 452 4.5.3")
    max_connections: int = Field(default=500, gt=0, description="connections beyond this get 421 4.7.0")
    max_connections_per_client: int = Field(
        default=250, gt=0, description="connections from one address beyond this get 421 4.7.0; each MX host is one"
    )
    max_commands: int = Field(
        default=100_000, gt=0, description="commands in one session, after which 421 4.7.0 ends it between messages"
    )
    max_errors: int = Field(default=20, gt=0, description="wrong commands in one session before 421 4.7.0")
    idle_timeout_s: float = Field(
        default=300, gt=0, description="silence before 421 4.4.2 (RFC 5321 section 4.5.3.2.7: at least 300)"
    )
    session_timeout_s: float = Field(
        default=3600, gt=0, description="how long a session may last before 421 4.4.2; a message under way may end"
    )
    data_timeout_s: float = Field(
        default=300, gt=0, description="how long the content of a message may be waited for before 421 4.4.2"
    )
    data_min_bytes_per_s: int = Field(
        default=10_240, gt=0, description="each time that many bytes of a message have come, it gets a second more"
    )
    memory_budget_bytes: int = Field(
        default=256 * MIB, gt=0, description="bytes of mail being received at one moment; beyond it, DATA waits"
    )
    memory_wait_s: float = Field(default=60, gt=0, description="how long DATA waits for memory before 452 4.3.1")
    tls: Literal["off", "optional", "required"] = Field(
        default="off", description="STARTTLS; required: without it every command is answered 530 5.7.0"
    )
    tls_certificate: Path | None = Field(
        default=None, description="the certificate and its chain, PEM; read again when the file changes"
    )
    tls_key: Path | None = Field(default=None, description="the key of the certificate, PEM, without a passphrase")
    tls_client_ca: Path | None = Field(
        default=None, description="certificates, PEM: whoever starts TLS must present one that these have signed"
    )
    xforward_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=LOOPBACK,
        description="clients that may say by XFORWARD whose mail they hand over; a unix socket counts as 127.0.0.1",
    )

    @field_validator("tls_certificate", "tls_key", "tls_client_ca", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if self.tls != "off" and not (self.tls_certificate and self.tls_key):
            raise ValueError("tls needs tls_certificate and tls_key")
        if self.tls == "off" and self.tls_client_ca:
            raise ValueError("tls_client_ca needs tls")
        return self


class Smtp(Section):
    """[smtp]: the same session spoken as SMTP, for development without Postfix."""

    enabled: bool = Field(default=False, description="always on in `mailkeep serve`")
    listen: str = Field(default="127.0.0.1:8025", description="host:port")


class Policy(Section):
    """[policy]: Postfix's check_policy_service."""

    enabled: bool = Field(default=True, description="off: no policy listener")
    listen: str = Field(default="127.0.0.1:10040", description="host:port; loopback only")


class Mxd(Section):
    """[mxd]: the processes of `mailkeep mxd`."""

    workers: int = Field(
        default=1,
        gt=0,
        description="processes on the same ports, with a supervisor when there are several; the limits on "
        "connections and memory hold for each",
    )
    silence_s: float = Field(
        default=30,
        ge=3,
        description="how long the event loop of one of several workers may hang before it is killed and restarted",
    )


class Recipients(Section):
    """[recipients]: how mxd learns which addresses exist."""

    api_url: str = Field(
        default="http://127.0.0.1:8080", description="where the API is; https unless it is on this machine"
    )
    token: SecretStr = Field(
        default=SecretStr(""), description="a service token, from `mailkeep token create --scope policy`"
    )
    max_age: float = Field(
        default=300, gt=0, description="seconds without an answer from the API after which every RCPT gets 451 4.4.3"
    )
    timeout_s: float = Field(default=5, gt=0, description="how long the API may take to answer one request")


MEMORY: Final = "memory://"


def _memory_or_redis(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if url != MEMORY and not url.startswith(("redis://", "rediss://", "redis+unix://")):
        raise ValueError("write memory://, redis://, rediss:// or redis+unix://")
    return value


MemoryOrRedis = Annotated[SecretStr, AfterValidator(_memory_or_redis)]


class Hints(Section):
    """[hints]: how processes tell each other that mail came or an address changed. Without it each looks by itself."""

    url: MemoryOrRedis = Field(
        default=SecretStr(MEMORY),
        description="memory://: within one process, the others notice within a second; redis://host:6379/0, rediss:// "
        "or redis+unix:///path: all processes and hosts at once (Redis or Valkey; install mailkeep[redis])",
    )
    timeout_s: float = Field(default=0.5, gt=0, description="how long Redis may take before it counts as away")

    @property
    def stays_in_process(self) -> bool:
        """Whether other processes hear of nothing."""
        return self.url.get_secret_value() == MEMORY


class Rates(Section):
    """[rates]: where the messages that an address received in the last hour are counted."""

    storage_url: MemoryOrRedis = Field(
        default=SecretStr(MEMORY),
        description="memory://: each process for itself; redis://host:6379/0, rediss:// or redis+unix:///path: all "
        "processes and hosts together (Redis or Valkey; install mailkeep[redis])",
    )
    timeout_s: float = Field(
        default=0.5, gt=0, description="how long Redis may take; without an answer each process goes by its own count"
    )

    @property
    def counts_apart(self) -> bool:
        """Whether each process counts for itself."""
        return self.storage_url.get_secret_value() == MEMORY


class Scan(Section):
    """[scan]: ClamAV looks at each message before it is stored; what it cannot look at gets 451 4.3.0."""

    UNIX_PREFIX: ClassVar[str] = "unix:"

    mode: Literal["off", "quarantine", "reject"] = Field(
        default="off",
        description="quarantine: infected mail is stored, its source and the infected attachments are given to nobody; "
        "reject: it gets 550 5.7.1",
    )
    clamd: str = Field(default="", description="host:port, or unix:/path; clamd must take streams as large as our mail")
    timeout_s: float = Field(
        default=60, gt=0, description="how long one message may take, with the wait for its turn, before 451 4.3.0"
    )
    max_parallel: int = Field(
        default=8, gt=0, description="messages scanned at once by each process; less than MaxThreads of clamd"
    )

    @field_validator("clamd")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if value and not value.startswith(cls.UNIX_PREFIX):
            try:
                split_listen(value)
            except ConfigurationError:
                raise ValueError("write host:port or unix:/path") from None
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.mode != "off" and not self.clamd.removeprefix(self.UNIX_PREFIX):
            raise ValueError(f"mode {self.mode} needs clamd, as host:port or unix:/path")
        return self


class Mail(Section):
    """[mail]: what is received."""

    domain: str = Field(default="mail.test", description="the domain under which addresses are created")

    @field_validator("domain")
    @classmethod
    def _canonical(cls, value: str) -> str:
        try:
            return canonical_domain(value)
        except InvalidInput as error:
            raise ValueError(str(error)) from error


class Auth(Section):
    """[auth]: log-ins."""

    password_cost: Literal["high", "least"] = Field(
        default="high",
        description="what hashing a password takes, with argon2id: high, 64 MiB and tens of milliseconds (RFC 9106); "
        "least, 19 MiB (OWASP's minimum), for small machines",
    )
    session_hours: int = Field(default=24, gt=0, description="how long a log-in lasts")
    secret: SecretStr | None = Field(
        default=None,
        description="signs sessions, at least 32 bytes; empty: made at first start, in data_dir/session.key",
    )
    previous_secret: SecretStr | None = Field(
        default=None, description="what `secret` was before: sessions that it signed are good still"
    )
    registration: Literal["open", "closed"] = Field(
        default="open", description="closed: only `mailkeep user create` makes accounts"
    )
    registrations_per_hour: int = Field(
        default=20, gt=0, description="how many accounts one client address may ask for in an hour; beyond it, 429"
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="networks whose X-Forwarded-For is believed"
    )

    @field_validator("secret", "previous_secret", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("secret", "previous_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        return _at_least_32_bytes(value)

    @model_validator(mode="after")
    def _previous_has_a_successor(self) -> Self:
        if self.previous_secret is not None and self.secret is None:
            raise ValueError("previous_secret needs secret")
        return self


class Audit(Section):
    """[audit]: the log of who did what."""

    key: SecretStr | None = Field(
        default=None,
        description="signs the records, at least 32 bytes, the same on all hosts; empty: made at first start, in "
        "data_dir/audit.key. Keep a copy: with another key older records cannot be verified",
    )

    @field_validator("key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        return _at_least_32_bytes(value)


class Retention(Section):
    """[retention]: the removal of messages that have been kept for as long as their tier says."""

    every_s: float = Field(
        default=900, ge=1, description="how often `serve` and `api` look for what has expired; nobody sees it meanwhile"
    )
    messages_at_once: int = Field(
        default=100, gt=0, le=1000, description="removed in one transaction, for which the account's mail waits"
    )
    pause_ms: int = Field(default=50, ge=0, description="between two transactions, for whoever else wants the database")


class Log(Section):
    """[log]: what the daemons say on standard output."""

    format: Literal["json", "console"] = Field(default="console", description="json for production")
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least to be said")


class Site(Section):
    """[site]: what the public pages say about whoever runs this."""

    operator: str = Field(
        default="",
        max_length=200,
        description="the person or company that runs this, as privacy and terms name it; empty: they say that "
        "nobody is named",
    )
    contact: str = Field(
        default="",
        max_length=254,
        description="the email address for questions; empty: the pages say that none is given",
    )
    security_contact: str = Field(
        default="",
        description="where to report a weakness, as mailto:, https: or tel:; with security_expires it makes "
        "/.well-known/security.txt (RFC 9116)",
    )
    security_expires: AwareDatetime | None = Field(
        default=None,
        description="until when security_contact holds, at best less than a year ahead, for example "
        "2027-06-30T00:00:00Z",
    )
    styleguide: bool = Field(
        default=False, description="serve /styleguide, every component in every state; for development"
    )

    @field_validator("security_expires", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("security_contact")
    @classmethod
    def _is_a_uri(cls, value: str) -> str:
        # RFC 9116 section 2.5.3: a URI, with https for the web; it is one line of a file.
        if value and re.fullmatch(r"(?:mailto:|https://|tel:)[!-~]+", value) is None:
            raise ValueError("write a URI: mailto:security@example.org, https://… or tel:…")
        return value

    @field_validator("contact")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and re.fullmatch(r"[^\s@]+@[^\s@]+", value) is None:
            raise ValueError("write an email address")
        return value

    @model_validator(mode="after")
    def _security_is_whole(self) -> Self:
        if bool(self.security_contact) != (self.security_expires is not None):
            raise ValueError("security_contact and security_expires go together")
        return self


class Billing(Section):
    """[billing]: payments by Stripe. Without `secret_key` nothing is sold, and nothing is said of it."""

    secret_key: SecretStr | None = Field(
        default=None, description="Stripe's secret or restricted key, sk_… or rk_…; empty: billing is off"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="signing secret of the webhook endpoint, whsec_…"
    )
    previous_webhook_secret: SecretStr | None = Field(
        default=None, description="the one before, accepted while a new one is rolled out"
    )
    price_monthly: str = Field(default="", description="id of the monthly price, price_…")
    price_yearly: str = Field(default="", description="id of the yearly price; empty: only monthly")
    shown_monthly: str = Field(default="£9 a month", description="what the page says it costs")
    shown_yearly: str = Field(default="", description="what the page says that the yearly price is")
    tier: str = Field(default="paid", description="the tier that is bought")
    basic_tier: str = Field(default="free", description="the tier of those who do not pay")
    grace_days: int = Field(default=14, ge=0, description="how long the tier is kept while a payment is past due")
    timeout_s: float = Field(default=10, gt=0, description="how long Stripe may take to answer")
    api_base: str = Field(default="https://api.stripe.com", description="where Stripe's API is; another one for tests")

    @field_validator("secret_key", "webhook_secret", "previous_webhook_secret", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("api_base")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        value = value.rstrip("/")
        if not value.startswith(("https://", "http://127.0.0.1:", "http://[::1]:")):
            raise ValueError("write an https:// address, or http:// on this machine")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.secret_key is not None and not (self.webhook_secret and self.price_monthly):
            raise ValueError("secret_key needs webhook_secret and price_monthly")
        return self

    @property
    def enabled(self) -> bool:
        return self.secret_key is not None

    @property
    def grace(self) -> timedelta:
        return timedelta(days=self.grace_days)

    @property
    def prices(self) -> Mapping[Interval, str]:
        """The price of each interval that is offered."""
        offered = {Interval.MONTHLY: self.price_monthly, Interval.YEARLY: self.price_yearly}
        return {interval: price for interval, price in offered.items() if price}


class Limits(Section):
    """[tiers.<name>]: what a customer of that tier gets."""

    addresses: int = Field(gt=0, description="how many addresses")
    retention_days: int = Field(gt=0, description="how long a message is kept")
    received_per_hour: int = Field(gt=0, description="messages per address in a rolling hour")
    storage_mb: int = Field(gt=0, description="megabytes (2**20 bytes) of mail")
    api_requests_per_minute: int = Field(gt=0, description="requests to the API")
    features: tuple[str, ...] = Field(default=(), description="what else it has, in words that customers are shown")
    price: str = Field(
        default="",
        max_length=40,
        description="what it costs, in words, for the pricing page, which shows the tiers that have a price; with "
        "fewer than two of them there is no such page",
    )


FREE: Final = Limits(
    addresses=3,
    retention_days=7,
    received_per_hour=100,
    storage_mb=100,
    api_requests_per_minute=60,
    price="Free of charge",
)
PAID: Final = Limits(
    addresses=50,
    retention_days=90,
    received_per_hour=1_000,
    storage_mb=5 * 1024,
    api_requests_per_minute=600,
    price="£9 a month",
)

TierName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Settings(Section):
    """Everything an operator can set."""

    data_dir: Path = Field(default=Path("var"), description="holds what the settings below do not place elsewhere")
    database: Database = Database()
    blobs: Blobs = Blobs()
    http: Http = Http()
    mxd: Mxd = Mxd()
    lmtp: Lmtp = Lmtp()
    smtp: Smtp = Smtp()
    policy: Policy = Policy()
    recipients: Recipients = Recipients()
    hints: Hints = Hints()
    rates: Rates = Rates()
    scan: Scan = Scan()
    mail: Mail = Mail()
    auth: Auth = Auth()
    audit: Audit = Audit()
    retention: Retention = Retention()
    log: Log = Log()
    site: Site = Site()
    billing: Billing = Billing()
    tiers: Mapping[TierName, Limits] = Field(default={"free": FREE, "paid": PAID})

    @field_validator("tiers", mode="before")
    @classmethod
    def _over_defaults(cls, value: object) -> object:
        """A tier in the file changes the keys it names; the others keep their defaults."""
        if not isinstance(value, Mapping):
            return value
        merged: dict[str, object] = {"free": FREE.model_dump(), "paid": PAID.model_dump()}
        for name, limits in value.items():
            known = merged.get(name, {})
            is_table = isinstance(limits, Mapping) and isinstance(known, Mapping)
            merged[name] = {**known, **limits} if is_table else limits  # type: ignore[dict-item]
        return merged

    @model_validator(mode="after")
    def _sells_what_there_is(self) -> Self:
        missing = {self.billing.tier, self.billing.basic_tier} - set(self.tiers)
        if self.billing.enabled and missing:
            raise ValueError(f"billing names a tier that is not configured: add [tiers.{min(missing)}]")
        return self

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir / 'mailkeep.db'}"

    @property
    def blob_dir(self) -> Path:
        return self.blobs.dir or self.data_dir / "blobs"

    @property
    def offers(self) -> Mapping[str, Limits]:
        """The tiers of the pricing page; fewer than two are no choice, and nothing is shown."""
        priced = {name: limits for name, limits in self.tiers.items() if limits.price}
        return priced if len(priced) > 1 else {}

    @property
    def public_url(self) -> str:
        return (self.http.public_url or f"http://{self.http.listen}").rstrip("/")

    def tier(self, name: str) -> Tier:
        """The limits of a tier. Raises ConfigurationError for a name that the configuration does not hold."""
        limits = self.tiers.get(name)
        if limits is None:
            raise ConfigurationError(f"an account has the tier {name!r}, which is not configured: add [tiers.{name}]")
        return Tier(
            name=name,
            addresses=limits.addresses,
            retention_days=limits.retention_days,
            received_per_hour=limits.received_per_hour,
            storage_bytes=limits.storage_mb * MIB,
            api_requests_per_minute=limits.api_requests_per_minute,
            features=limits.features,
        )


def split_listen(listen: str) -> tuple[str, int]:
    """`host:port`, IPv6 in brackets. Raises ConfigurationError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigurationError(f"{listen!r} is no address to listen on: write host:port, for example 127.0.0.1:8080")
    return host.strip("[]"), int(port)
