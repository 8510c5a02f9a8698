"""The arguments of classes that options take, with types where they are known."""

from typing import Any

import pytest
from torch.optim import lr_scheduler

from genre.cli.classes import describe_type, parameters


class Base:
    def __init__(self, rate: int = 1, root: str = "music") -> None: ...


class Derived(Base):
    def __init__(self, root, **options) -> None: ...  # type: ignore[no-untyped-def]


def test_a_class_leaves_types_to_its_base() -> None:
    assert {name: item.annotation for name, item in parameters(Derived).items()} == {"root": str, "rate": int}
    assert parameters(lr_scheduler.LambdaLR)["last_epoch"].annotation is int


@pytest.mark.parametrize("annotation", ["number of units", "np.float", "pytest.no_such_name", "[int]", "Missing"])
def test_an_annotation_without_a_value_is_any_type(annotation: str) -> None:
    def build(units: Any = 1) -> None: ...

    build.__annotations__["units"] = annotation
    assert parameters(build)["units"].annotation is Any
    assert describe_type(parameters(build)["units"].annotation) == "any value"
