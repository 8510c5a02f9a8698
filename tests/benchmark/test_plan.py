"""Plans: which cells they make, and what is said of one that is not understood."""

from pathlib import Path

import pytest

from genre.benchmark.plan import Cell, read_plan
from genre.benchmark.published import Published, differences, find_published
from genre.errors import GenreError

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("singh/tables", 9), ("gaitanou/table", 16), ("yaacob/table", 7), ("khamees/table", 5), ("engelkes/table", 4),
        ("ballroom/table", 1),
    ],
)  # fmt: skip
def test_every_row_of_a_papers_table_has_its_published_figure(name: str, rows: int) -> None:
    plan = read_plan(EXAMPLES / f"{name}.yaml")
    assert len(plan.rows) == rows
    assert all("accuracy" in find_published(row, plan.published).figures for row in plan.rows)
    assert len(plan.published["figures"]) == rows


def test_singhs_figures_stand_in_their_rows() -> None:
    plan = read_plan(EXAMPLES / "singh" / "tables.yaml")
    found = {row.name: find_published(row, plan.published) for row in plan.rows}
    assert found["resnet18-mel"].figures == {"accuracy": 0.5759, "precision": 0.5328, "recall": 0.5839, "f1": 0.5472}
    assert found["resnet18-mel"].conditions["weights"] == "ImageNet"
    assert "weights" not in found["spectral_cnn-mfcc"].conditions


def test_a_row_may_be_laid_over_and_have_options(plan: Path) -> None:
    plan.write_text("recipes: [[good.yaml, bad.yaml, --model.network.dropout=0.3]]\nseeds: [1]\n")
    row = read_plan(plan).rows[0]
    assert row.name == "good-bad"
    folder = plan.parent
    assert Cell(row, 1).options == [
        f"--config={folder / 'good.yaml'}", f"--config={folder / 'bad.yaml'}", "--model.network.dropout=0.3",
        "--seed_everything=1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recipes", "names"),
    [
        ("[good.yaml, [good.yaml, --model.network.dropout=0.3]]", ["good", "good-dropout=0.3"]),
        ("[[good.yaml, --x.a=1, --y.b], [good.yaml, --x.a=2, --y.b]]", ["good-a=1-b", "good-a=2-b"]),
        ("[good.yaml, [good.yaml, '--data.root=/my music/a'], bad.yaml]", ["good", "good-root=_my_music_a", "bad"]),
        ("[good.yaml, [bad.yaml, --model.network.dropout=0.3]]", ["good", "bad"]),  # the files are enough
    ],
)
def test_options_tell_rows_of_the_same_files_apart(plan: Path, recipes: str, names: list[str]) -> None:
    plan.write_text(f"recipes: {recipes}\n")
    rows = read_plan(plan).rows
    assert [row.name for row in rows] == names
    assert [row.system for row in rows] == [name.partition("-")[0] for name in names]
    split = read_plan(plan, [plan.parent / "folds.yaml"])
    assert [row.name for row in split.rows] == [f"{name}-folds" for name in names]


def test_the_shipped_plans_keep_their_names() -> None:
    names = [row.name for row in read_plan(EXAMPLES / "gaitanou" / "table.yaml").rows]
    assert names[:4] == ["cnn", "cnn-augmented", "cnn-331x40", "cnn-331x40-augmented"]
    for path in EXAMPLES.rglob("table*.yaml"):
        assert not any(row.variant for row in read_plan(path).rows)


def test_folds_and_seeds_multiply(plan: Path) -> None:
    found = read_plan(plan, [plan.parent / "folds.yaml"], [0, 3])
    assert len(found.cells) == 2 * 3 * 2
    assert [cell.name for cell in found.cells[:5]] == [
        "good-folds-fold0-seed0", "good-folds-fold1-seed0", "good-folds-fold2-seed0", "bad-folds-fold0-seed0",
        "bad-folds-fold1-seed0",
    ]  # fmt: skip
    assert "--data.split.fold=2" in found.cells[2].options


def test_one_fold_alone_is_no_cross_validation(plan: Path) -> None:
    (plan.parent / "one.yaml").write_text("class_path: KFoldSplit\ninit_args: {folds: 4, fold: 1}\n")
    assert [row.folds for row in read_plan(plan, [plan.parent / "one.yaml"]).rows] == [None, None]
    (plan.parent / "ten.yaml").write_text("class_path: KFoldSplit\n")
    assert [row.folds for row in read_plan(plan, [plan.parent / "ten.yaml"]).rows] == [10, 10]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("recipes: [absent.yaml]", "names .*absent.yaml, which does not exist"),
        ("recipes: good.yaml", "expected a list of files"),
        ("recipes: [{a: 1}]", "expected a file, or a list"),
        ("recipes: [[--model.x=1]]", "expected a file first"),
        ("title: nothing", "found recipes: None"),
        ("recipes: [good.yaml]\nrecipe: x", "found the key 'recipe'"),
        ("recipes: [good.yaml]\nseeds: [one]", "expected a list of whole numbers"),
        ("recipes: [good.yaml, good.yaml]", "two rows are called good;"),
        (
            "recipes: [[good.yaml, --a.x=1], [good.yaml, --b.x=1]]",
            "two rows are called good-x=1; .* move the options of one into a second file",
        ),
        ("recipes: [good.yaml]\nfeatures: mel.yaml", "expected a list of files"),
        ("recipes: [good.yaml]\nsplits: [good.yaml]", "good.yaml: found no class_path; expected `class_path:` and"),
        ("recipes: [good.yaml", "not a YAML file"),
        ("- good.yaml", "found no keys"),
        ("recipes: [good.yaml]\npublished: absent.yaml", "absent.yaml: cannot be read"),
    ],
)
def test_a_bad_plan_is_one_line(plan: Path, content: str, message: str) -> None:
    plan.write_text(content)
    with pytest.raises(GenreError, match=message) as caught:
        read_plan(plan)
    assert "\n" not in str(caught.value)


def test_differences_from_the_papers_conditions() -> None:
    ours = {
        "data_set": "Folder", "tracks": {"train": 30, "validation": 6, "test": 12}, "split": "StratifiedSplit",
        "epochs": 3, "trainable": 11175370, "weights": "no", "segment_seconds": None, "augmentation": None,
    }  # fmt: skip
    theirs = {
        "data_set": "GTZAN", "tracks": {"train": 443, "validation": 197, "test": 290}, "split": "OfficialSplit",
        "epochs": 50, "weights": "ImageNet", "trainable": 5130,
    }  # fmt: skip
    assert differences(ours, theirs) == [
        "no weights (paper: ImageNet)",
        "11,175,370 trainable parameters (paper: 5,130)",
        "data Folder (paper: GTZAN)",
        "30 / 6 / 12 train/validation/test (paper: 443 / 197 / 290)",
        "StratifiedSplit (paper: OfficialSplit)",
        "3 epochs (paper: 50)",
    ]
    assert differences(ours, theirs, recipe_epochs=40)[-1] == "3 epochs (paper: 50; recipe: 40)"
    assert differences(ours, theirs, recipe_epochs=50)[-1] == "3 epochs (paper: 50)"
    assert differences(ours, {}, recipe_epochs=40) == ["3 epochs (recipe: 40)"]
    assert differences(ours, {}, recipe_epochs=3) == []
    assert differences(ours | {"epochs": 50}, {"epochs": 50}, recipe_epochs=40) == []
    assert differences(ours | theirs, theirs) == []
    assert differences(ours, {}) == []


def test_differences_in_segments_augmentation_and_lists_of_epochs() -> None:
    ours = {
        "data_set": "GTZAN", "tracks": {}, "split": "StratifiedSplit", "epochs": 1, "trainable": 5, "weights": None,
        "segment_seconds": 3.0, "augmentation": "none",
    }  # fmt: skip
    sweep = list(range(5, 201, 5))
    assert differences(ours, {"epochs": sweep}, recipe_epochs=75) == ["1 epoch (paper: 5, 10, … 200; recipe: 75)"]
    assert differences(ours | {"epochs": sweep}, {"epochs": sweep}, recipe_epochs=75) == []
    assert differences(ours | {"epochs": [1, 2]}, {"epochs": sweep}, recipe_epochs=75)[0].startswith(
        "1, 2 epochs (paper: 5, 10, … 200"
    )
    assert differences(ours, {"epochs": None}, recipe_epochs=75) == ["1 epoch (paper: not stated; recipe: 75)"]
    assert differences(ours, {"weights": "ImageNet"}) == ["no weights (paper: ImageNet)"]
    assert differences(ours, {"segment_seconds": 3, "augmentation": "none"}) == []
    assert differences(ours, {"segment_seconds": 30}) == ["segments of 3 s (paper: 30 s)"]
    assert differences(ours, {"segment_seconds": None, "augmentation": "noise"}) == [
        "segments of 3 s (paper: not stated)",
        "augmentation: none (paper: noise)",
    ]


def test_a_source_is_named_where_the_paper_does_not_state_it() -> None:
    ours = {
        "data_set": "FMA", "tracks": {"train": 1}, "split": "KFoldSplit", "epochs": 1, "trainable": 5, "weights": None,
        "segment_seconds": 3.0, "augmentation": "none",
    }  # fmt: skip
    theirs = {"data_set": "GTZAN", "split": "OfficialSplit", "trainable": 7, "segment_seconds": 30}
    sources = {"split": "inferred", "trainable": "code", "segment_seconds": "Liu et al."}
    assert differences(ours, theirs, sources) == [
        "5 trainable parameters (the paper's code: 7)",
        "data FMA (paper: GTZAN)",
        "KFoldSplit (inferred from the paper: OfficialSplit)",
        "segments of 3 s (Liu et al.: 30 s)",
    ]


def found(name: str, system: str) -> Published:
    plan = read_plan(EXAMPLES / f"{name}.yaml")
    return find_published(next(row for row in plan.rows if row.system == system), plan.published)


def test_sources_of_the_papers() -> None:
    """What a paper states, what its numbers tell and what comes from code are told apart."""
    assert found("engelkes/table", "bbnn").sources["accuracy"] == "authors' logs"
    assert found("engelkes/table", "bbnn").figures["accuracy"] == 0.913
    assert "accuracy" not in found("engelkes/table", "indrnn").sources
    assert found("engelkes/sweep", "indrnn").conditions["epochs"] == list(range(5, 201, 5))
    assert found("engelkes/sweep", "lstm").conditions["tracks"] == {"train": 900, "validation": 0, "test": 100}
    singh = found("singh/tables", "resnet18")
    assert singh.sources == {"tracks": "inferred", "split": "inferred", "trainable": "code", "weights": "code"}
    assert singh.conditions["segment_seconds"] is None
    assert found("yaacob/table", "crnn_stacked").figures["training_seconds"] == 3714
    times = [row for row in read_plan(EXAMPLES / "yaacob/table.yaml").published["figures"] if "training_seconds" in row]
    assert len(times) == 1
    gaitanou = found("gaitanou/table", "crnn-3308x40-augmented")
    assert gaitanou.conditions["tracks"]["train"] == 699
    assert gaitanou.figures["parameters"] == 399050
    assert "4 versions" in gaitanou.conditions["augmentation"]
    khamees = {row: found("khamees/table", row) for row in ("mlp", "mlp_regularised", "cnn_30_epochs", "cnn", "lstm")}
    assert [entry.conditions["epochs"] for entry in khamees.values()] == [50, 50, 30, 50, 50]
    assert [entry.conditions["tracks"]["validation"] for entry in khamees.values()] == [0, 0, 1600, 1600, 1600]


def test_the_recipes_own_epochs(plan: Path) -> None:
    plan.write_text("recipes: [good.yaml, [good.yaml, --trainer.max_epochs=7], [good.yaml, none.yaml]]\n")
    (plan.parent / "none.yaml").write_text("trainer: {accelerator: cpu}\n")
    assert [row.epochs for row in read_plan(plan).rows] == [2, 7, 2]


def test_epochs_multiply(plan: Path) -> None:
    plan.write_text("recipes: [good.yaml]\nepochs: [2, 1]\nseeds: [0, 1]\n")
    assert [cell.name for cell in read_plan(plan).cells] == [
        "good-epochs1-seed0", "good-epochs2-seed0", "good-epochs1-seed1", "good-epochs2-seed1",
    ]  # fmt: skip
    assert [cell.name for cell in read_plan(plan, epochs=[]).cells] == ["good-seed0", "good-seed1"]
    assert [cell.epochs for cell in read_plan(plan, epochs=[3, 4]).cells] == [3, 4, 3, 4]
    plan.write_text("recipes: [good.yaml]\nepochs: [2, zero]\n")
    with pytest.raises(GenreError, match=r"found epochs: \[2, 'zero'\]; expected a list of whole numbers"):
        read_plan(plan)
