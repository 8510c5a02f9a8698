"""``genre benchmark``: a table of models, features and protocols by one command, beside the published figures."""
