import pytest
from visiona.stores.s3_address import NoAddress, S3Address, parsed


def test_an_address_is_read_with_what_is_escaped_in_it() -> None:
    assert parsed("s3://AK:a%2Fb%40c@store.example:9000/models/of/visiona?region=eu-central-1") == S3Address(
        "https://store.example:9000", "models", "of/visiona", "eu-central-1", "AK", "a/b@c"
    )
    plain = parsed("s3+http://AK:SK@[::1]/models")
    assert (plain.endpoint, plain.prefix, plain.region) == ("http://[::1]", "", "us-east-1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://AK:SK@host/bucket",
        "s3://host/bucket",
        "s3://AK@host/bucket",
        "s3://AK:HUSH@host",
        "s3://AK:HUSH@host/B_",
        "s3://AK:HUSH@host:x/bucket",
        "s3://AK:HUSH@host/bucket?acl=public",
        "s3://AK:HUSH@[::1/bucket",
    ],
)
def test_what_is_none_is_one_sentence_without_the_secret(url: str) -> None:
    with pytest.raises(NoAddress) as refused:
        parsed(url)
    assert "HUSH" not in str(refused.value)


def test_the_secret_is_never_shown() -> None:
    assert "HUSH" not in repr(parsed("s3://AK:HUSH@host/bucket"))
