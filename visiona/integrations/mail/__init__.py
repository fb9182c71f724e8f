"""Mail to people, through a mail server that the operator names. Nothing here knows what the mail is about."""
