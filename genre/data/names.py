"""Compares names: which spellings stand for the same artist, genre or file."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

#: Signs that keyboards and taggers write in several ways: MusicBrainz has Guns N’ Roses, a keyboard Guns N' Roses.
_ONE_SIGN = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "‐": "-", "\u2011": "-", "–": "-"})


def name_key(name: str) -> str:
    """The key that all spellings of an artist's or a genre's name share; empty if the name has no visible character.

    The key is in NFC and case-folded. Every run of white space, a non-breaking space too, is one space, and characters
    without width are left out. Apostrophes have one form, and so have hyphens. Other punctuation counts: ``Fun.`` is
    not ``Fun``.
    """
    if name.isascii():
        return " ".join(name.casefold().split())
    visible = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    # Folding is defined on decomposed text, and can undo a composed form.
    folded = unicodedata.normalize("NFD", visible).casefold().translate(_ONE_SIGN)
    return " ".join(unicodedata.normalize("NFC", folded).split())


def first_spellings(names: Iterable[str]) -> dict[str, str]:
    """Maps every name to the first one that has its key."""
    first: dict[str, str] = {}
    return {name: first.setdefault(name_key(name), name) for name in names}


def same_names(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two lists hold the same names, by their keys, in the same order."""
    return list(map(name_key, some)) == list(map(name_key, others))


def unknown_names(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names whose key no known name has, in order."""
    keys = set(map(name_key, known))
    return [name for name in names if name_key(name) not in keys]


def class_indices(genres: Iterable[str], classes: Sequence[str]) -> list[int]:
    """The index of the class of each genre, by the names' keys; a ``KeyError`` if a genre is no class."""
    keys = {name_key(name): index for index, name in enumerate(classes)}
    indices = keys | {name: index for index, name in enumerate(classes)}  # the very name comes before its key
    return [indices[genre] if genre in indices else keys[name_key(genre)] for genre in genres]


def composed(name: str) -> str:
    """The name in NFC, by which file names of different systems can be compared."""
    return unicodedata.normalize("NFC", name)


def match_composed(listed: Collection[str], present: Collection[str]) -> dict[str, str]:
    """Maps listed file names to present ones; Unicode's composed and decomposed forms count as the same.

    A listed name matches the present name that equals it. Without one, it matches the present name that differs only in
    its form, if there is exactly one and it is not listed itself. Other listed names are left out.
    """
    names = set(present)
    forms: dict[str, list[str]] = {}
    for name in names.difference(listed):
        forms.setdefault(composed(name), []).append(name)
    matches = {}
    for name in listed:
        candidates = [name] if name in names else forms.get(composed(name), [])
        if len(candidates) == 1:
            matches[name] = candidates[0]
    return matches


def show_name(name: str) -> str:
    """A name in quotes, followed by its character codes if it is not plain ASCII."""
    codes = ascii(name)[1:-1]
    return f"'{name}'" if codes == name else f"'{name}' ({codes})"
