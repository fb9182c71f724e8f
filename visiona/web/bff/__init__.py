"""People's sign-in, on behalf of their browser: tokens of the identity provider never leave the server."""
