"""What a provider says about itself (OpenID Connect Discovery 1.0 §3), believed only as far as needed."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from visiona.integrations.interface import ProviderUnavailable
from visiona.integrations.oidc.fetching import Json

WELL_KNOWN = "/.well-known/openid-configuration"
MAX_URL_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class Metadata:
    """The parts we use, checked.

    Attributes:
        names_itself: whether answers carry `iss` (RFC 9207), so that its absence is an error.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    client_authentication: frozenset[str]
    names_itself: bool


def discovery_url(issuer: str) -> str:
    """Where an issuer's metadata is."""
    return issuer.rstrip("/") + WELL_KNOWN


def metadata_from(fields: Json, issuer: str) -> Metadata:
    """Reads a metadata document.

    Raises:
        ProviderUnavailable: it is another issuer's (Discovery §4.3: exactly the same text), or unusable.
    """
    said = fields.get("issuer")
    if said != issuer:
        shown = repr(said)[:200]
        raise ProviderUnavailable(f"the metadata is of issuer {shown}, and oidc.issuer is {issuer!r}")

    def needed(name: str) -> str:
        url = optional(name)
        if url is None:
            raise ProviderUnavailable(f"the metadata of {issuer} has no {name}")
        return url

    def optional(name: str) -> str | None:
        url = fields.get(name)
        if url is None:
            return None
        if not isinstance(url, str) or not is_endpoint(url, issuer):
            raise ProviderUnavailable(f"the metadata of {issuer} has a {name} that is not to be used")
        return url

    methods = fields.get("token_endpoint_auth_methods_supported")
    return Metadata(
        issuer=issuer,
        authorization_endpoint=needed("authorization_endpoint"),
        token_endpoint=needed("token_endpoint"),
        jwks_uri=needed("jwks_uri"),
        userinfo_endpoint=optional("userinfo_endpoint"),
        end_session_endpoint=optional("end_session_endpoint"),
        client_authentication=frozenset(method for method in methods if isinstance(method, str))
        if isinstance(methods, list)
        else frozenset({"client_secret_basic"}),
        names_itself=fields.get("authorization_response_iss_parameter_supported") is True,
    )


def is_endpoint(url: str, issuer: str) -> bool:
    """Whether an address from the metadata may be used: an https URL (http where the issuer itself is), without
    credentials or fragment, and not an address that only means something on our own network's inside.
    """
    if (
        len(url) > MAX_URL_CHARACTERS
        or not url.isascii()
        or not url.isprintable()
        or set(url) & set(' \\"<>')
    ):
        return False
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme != "https" and not (parts.scheme == "http" and own.scheme == "http"):
        return False
    if not host or "@" in parts.netloc or "#" in url:
        return False
    return host == own.hostname or not _is_inside(host)


def _is_inside(host: str) -> bool:
    """Link-local and the like: where clouds keep the credentials of their machines."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_link_local or address.is_multicast or address.is_unspecified or address.is_loopback
