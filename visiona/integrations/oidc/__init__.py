"""The relying party's side of OpenID Connect: discovery, keys, code exchange, token checks.

Rules from OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer), RFC 9700, and
OpenID Connect Back-Channel and RP-Initiated Logout 1.0. Signatures are joserfc's; what is believed of a token is
decided here, line by line.
"""
