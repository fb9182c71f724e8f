"""The certificate on disk, used as it is now."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
import trio
import trio.testing
from visiona.relay.certificates import LOOK_SECONDS, Certificates, CertificateUnusable

SAMPLES = Path(__file__).parents[1] / "support" / "certificates"


def install(folder: Path, name: str, *, key: str | None = None) -> tuple[Path, Path]:
    """Puts a pair in place as a renewal does: written beside, then renamed."""
    for source, target in ((f"{name}.pem", "cert.pem"), (f"{key or name}.key", "cert.key")):
        shutil.copyfile(SAMPLES / source, folder / "new")
        os.replace(folder / "new", folder / target)
    return folder / "cert.pem", folder / "cert.key"


async def test_s10_a_renewed_certificate_is_used_for_new_connections(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    certificates = Certificates(*install(tmp_path, "one"))
    first = certificates.context()
    assert certificates.context() is first
    install(tmp_path, "two")
    await trio.sleep(LOOK_SECONDS)
    second = certificates.context()
    assert second is not first
    await trio.sleep(LOOK_SECONDS)
    assert certificates.context() is second


async def test_s10_a_pair_that_does_not_match_leaves_the_old_one_and_says_so_once(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(*install(tmp_path, "one"))
    first = certificates.context()
    install(tmp_path, "one", key="two")
    for _ in range(3):
        await trio.sleep(LOOK_SECONDS)
        assert certificates.context() is first
    assert len(caplog.records) == 1
    (tmp_path / "cert.key").unlink()
    await trio.sleep(LOOK_SECONDS)
    assert certificates.context() is first
    install(tmp_path, "two")
    await trio.sleep(LOOK_SECONDS)
    assert certificates.context() is not first


async def test_s10_old_versions_of_tls_are_not_spoken(tmp_path: Path) -> None:
    context = Certificates(*install(tmp_path, "one")).context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        ("absent.pem", "one.key", "absent.pem: No such file or directory"),
        ("one.pem", "absent.key", "absent.key: No such file or directory"),
        ("one.pem", "two.key", "the key is not that of the certificate"),
        ("one.key", "one.key", "both PEM"),
        ("one.pem", "one.pem", "both PEM"),
    ],
)
def test_s10_a_pair_that_is_wrong_from_the_start_names_its_settings(
    certificate: str, key: str, why: str
) -> None:
    with pytest.raises(CertificateUnusable) as caught:
        Certificates(SAMPLES / certificate, SAMPLES / key)
    said = str(caught.value)
    assert said.startswith(
        f"relay.tls_certificate ({SAMPLES / certificate}) and relay.tls_key ({SAMPLES / key})"
    )
    assert why in said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to lock a key")
def test_s10_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    order = ["openssl", "pkey", "-in", SAMPLES / "one.key", "-aes128", "-passout", "pass:x", "-out", locked]
    subprocess.run(order, check=True, capture_output=True)
    with pytest.raises(CertificateUnusable, match="without a password"):
        Certificates(SAMPLES / "one.pem", locked)
