"""``genre benchmark``: compares models, features and protocols in one table, beside the published figures."""
