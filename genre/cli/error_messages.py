"""Messages of the argument parser, cut to the one line that helps."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

#: What the types are called that an option may have.
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "NoneType": "null",
    "list": "a list",
    "Sequence": "a list",
}

#: A class that can be given for an option, by the last part of the option's name.
EXAMPLES = {"data": "Folder", "features": "MelSpectrogram", "split": "StratifiedSplit", "network": "ResNet18"}

#: What stands before the reason in a message; the last one stands before the innermost reason.
LEADS = r"Parser key \"[^\"]+\":|Problem with given class_path '[^']+':|or a callable class:"


def one_line(message: str, classes: Mapping[str, Sequence[str]]) -> str:
    """States a parser's nested, multi-line message in one line.

    Args:
        message: What jsonargparse says.
        classes: The full names of the classes that an option takes, by the last part of the option's name.
    """
    text = re.sub(r"\n\s*- Expected a path but .*", "", message)  # a class's name could have been that of a file
    where = ".".join(re.findall(r'Parser key "([^"]+)"', text))
    reason = _innermost(text)
    line = _required(reason, where) or _classless(reason, where)
    if line is None:
        said = _unknown_class(text, where, classes) or _choices(reason) or _type(reason) or reason
        line = f"{where}: {said}" if where else said
    return line if len(line) <= 400 else f"{line[:400]} …"


def configured_class(message: str) -> str | None:
    """The class that a parser's message says could not be made, without its module."""
    names = re.findall(r"Problem with given class_path '([^']+)'", message)
    return names[-1].rpartition(".")[2] if names else None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known option that is most likely meant by a misspelt one: beside it, else of a name much like it."""
    known = [option.lstrip("-") for option in known]
    parent, _, last = name.lstrip("-").rpartition(".")
    beside = [option.rpartition(".")[2] for option in known if option.rpartition(".")[0] == parent]
    close = get_close_matches(last, beside, n=1)
    if close:
        return f"{parent}.{close[0]}" if parent else close[0]
    close = get_close_matches(name.lstrip("-"), known, n=1, cutoff=0.8)
    close += [option for option in known if option.rpartition(".")[2] == last]  # `--max_epochs`, without its group
    return close[0] if close else None


def with_hint(message: str, known: Iterable[str]) -> str:
    """Adds the name that may be meant to a message that an option is unknown."""
    found = re.search(r"unrecognized arguments: (--[\w.]+)|[Oo]ption '([\w.]+)'", message)
    close = nearest(found[1] or found[2], known) if found else None
    if found is None or close is None:
        return message
    return f"{message}; did you mean {'--' if found[1] else ''}{close}?"


def _innermost(text: str) -> str:
    reason = _block(re.split(LEADS, text)[-1]).strip().removeprefix("- ")
    reason = re.split(r"\.? Got value: Namespace", reason)[0]
    if "Subtypes: [" not in reason:  # else it is a list of reasons itself
        reason = re.split(r"\n\s+- |\n\s*Given value", reason)[0]
    return " ".join(reason.split())


def _block(text: str) -> str:
    """The lines of the innermost reason: what is indented less belongs to the reasons around it."""
    first, _, rest = text.partition("\n")
    lines = rest.split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines]
    if first.strip() or not lines[0].strip():
        return text
    outside = next((number for number, indent in enumerate(indents) if indent < indents[0]), len(lines))
    return "\n".join(lines[:outside])


def _required(reason: str, where: str) -> str | None:
    found = re.search(r"the following arguments are required: (.+)", reason)
    if not found:
        return None
    names = found[1].split(", ")
    verb = "fit" if where else names[0].partition(".")[0]
    options = [f"--{where}.{name}" if where else f"--{name.partition('.')[2]}" for name in names]
    missing = f"missing {' and '.join(options)}"
    if verb == "fit":
        return f"{missing}; give what is missing, or --config RECIPE"
    return f"{missing}; give --ckpt_path runs/<name>/version_N/checkpoints/best.ckpt, whose run has its own config.yaml"


def _classless(reason: str, where: str) -> str | None:
    """An argument of a class without the class, as ``--data.root`` without ``--data``, or a base class."""
    if "NestedArg(" not in reason and " is abstract" not in reason:
        return None
    example = EXAMPLES.get(where.rpartition(".")[2], "CLASS")
    return f"found no class for --{where} before its arguments; give --{where} too, such as --{where} {example}"


def _unknown_class(text: str, where: str, classes: Mapping[str, Sequence[str]]) -> str | None:
    found = re.search(r"Expected a dot import path string: (\S+)|given class_path '([^']+)':\s+No ", text)
    if not found and re.search(r"has no attribute|No module named", text):
        found = re.search(r"(?:Got|Given) value: (\S+)()", text)
    if not found:
        return None
    name = found[1] or found[2]
    known = classes.get(where.rpartition(".")[2]) or [path for paths in classes.values() for path in paths]
    close = get_close_matches(name.rpartition(".")[2], [path.rpartition(".")[2] for path in known], n=1)
    hint = f"did you mean {close[0]}?" if close else f"give its full path, such as {known[0]}"
    return f"no class named {name} fits here; {hint}"


def _choices(reason: str) -> str | None:
    """One of several types or values was expected."""
    found = re.search(r"Subtypes: \[(.*)\] Errors: .*Given value: (.*)", reason)
    if not found:
        return None
    kinds = re.findall(r"Literal\[([^\]]*)\]|<class '(?:\w+\.)*(\w+)'>|(\w+)\[[^\[\]]*\]", found[1])
    expected: list[str] = []
    for values, kind, container in kinds:
        expected += re.split(r",\s*", values.replace("'", "")) if values else [_type_name(kind or container)]
    return f"expected {_alternatives(expected)}; found '{found[2][:80]}'"


def _type(reason: str) -> str | None:
    """One type, or one of several values, was expected."""
    found = re.fullmatch(r"Expected a typing\.Literal\[(.*)\]\. Got value: (.*)", reason)
    if found:
        values = re.split(r",\s*", found[1].replace("'", ""))
        return f"expected {_alternatives(values)}; found '{found[2][:80]}'"
    found = re.fullmatch(r"Expected an? <class '(?:\w+\.)*(\w+)'>\. Got value: (.*)", reason)
    return f"expected {_type_name(found[1])}; found '{found[2][:80]}'" if found else None


def _type_name(kind: str) -> str:
    return TYPES.get(kind, f"a {kind}")


def _alternatives(names: Sequence[str]) -> str:
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} or {last}" if first else last
