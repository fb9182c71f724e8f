import pytest
from visiona.stores.postgres_address import NoAddress, Tls, is_postgres, parsed


@pytest.mark.parametrize(
    ("url", "hosts", "shown"),
    [
        ("postgresql://db/visiona", (("db", 5432),), "postgresql://db:5432/visiona"),
        ("postgres://ann:hush@db:7000/v", (("db", 7000),), "postgresql://db:7000/v"),
        ("postgresql://ann:p%40ss%2F%23@db/v", (("db", 5432),), "postgresql://db:5432/v"),
        ("postgresql://[::1]:7000/v", (("[::1]", 7000),), "postgresql://[::1]:7000/v"),
        ("postgresql://[::1]/v", (("[::1]", 5432),), "postgresql://[::1]:5432/v"),
        ("postgresql://a:1,b:2/v", (("a", 1), ("b", 2)), "postgresql://a:1,b:2/v"),
        ("postgresql:///v", (), "postgresql:///v"),
        (
            "postgresql:///v?host=/run/postgresql",
            (("/run/postgresql", 5432),),
            "postgresql:///run/postgresql/v",
        ),
        ("postgresql://ann@%2Frun%2Fpg/v", (("/run/pg", 5432),), "postgresql:///run/pg/v"),
        (
            "postgresql://db/v?sslmode=verify-full&sslrootcert=/ca.pem",
            (("db", 5432),),
            "postgresql://db:5432/v",
        ),
    ],
)
def test_an_address_is_read_and_shown_without_user_and_password(
    url: str, hosts: tuple[tuple[str, int], ...], shown: str
) -> None:
    address = parsed(url)
    assert address.hosts == hosts
    assert str(address) == shown
    assert "hush" not in repr(address)
    assert is_postgres(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://db",
        "postgresql://db/",
        "postgresql:///",
        "postgresql://db/a/b",
        f"postgresql://db/{'d' * 64}",
        "postgresql://ann:hush@x@db/v",
        "postgresql://ann:hush/x@db/v",
        "postgresql://ann:hush#x@db/v",
        "postgresql://ann:hush#",
        "postgresql://ann:hush?x@db/v",
        "postgresql://ann:hush[x@db/v",
        "postgresql://ann:hush%x@db/v",
        "postgresql://ann:hush x@d b/v",
        "postgresql://db:port/v",
        "postgresql://db:0/v",
        "postgresql://db:65536/v",
        "postgresql://db/v?hush",
        "postgresql://db/v?sslmode=hush",
        "postgresql://db/v?connect_timeout=3",
        "postgresql://db/v?application_name=hush",
        "mysql://db/v",
    ],
)
def test_what_is_no_address_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(NoAddress) as caught:
        parsed(url)
    assert "hush" not in str(caught.value)


def test_what_is_special_is_said_to_be_written_in_percent() -> None:
    with pytest.raises(NoAddress, match="%2F for /"):
        parsed("postgresql://ann:hush/x@db/v")


@pytest.mark.parametrize("url", ["postgresql:///v", "postgresql:///v?host=/run/pg"])
def test_a_socket_of_this_machine_needs_no_tls(url: str) -> None:
    assert "sslmode=disable" in parsed(url).dsn


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", None),
        ("?sslmode=prefer&sslrootcert=/ca.pem", None),
        ("?sslmode=require", None),
        ("?sslmode=require&sslrootcert=/ca.pem", Tls("/ca.pem", None, None, checks_name=False)),
        ("?sslmode=verify-ca", Tls(None, None, None, checks_name=False)),
        ("?sslmode=verify-full&sslcert=/c&sslkey=/k", Tls(None, "/c", "/k", checks_name=True)),
    ],
)
def test_what_is_to_be_checked_is_known(query: str, tls: Tls | None) -> None:
    assert parsed(f"postgresql://db/v{query}").tls == tls


def test_what_is_said_about_tls_is_kept() -> None:
    assert parsed("postgresql://db/v?sslmode=require").dsn == "postgresql://db/v?sslmode=require"
    assert parsed("postgresql://db/v").dsn == "postgresql://db/v"


@pytest.mark.parametrize("url", ["memory:", "sqlite:///x", "", "postgresqlx://db"])
def test_other_stores_are_other_stores(url: str) -> None:
    assert not is_postgres(url)
