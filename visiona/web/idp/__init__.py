"""The built-in identity provider: an ordinary OpenID Connect issuer below `/idp/`, off where another is configured."""
