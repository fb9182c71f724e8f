"""What the product does: verbs, each a function or two."""
