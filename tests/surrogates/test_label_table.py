"""Reading, checking and condensing label tables."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import NOMINAL, LabelTable

Broken = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]


def test_what_is_written_is_read_back(
    made_up: tuple[LabelTable, pd.DataFrame], tmp_path: Path
) -> None:
    table, _ = made_up
    table.write(tmp_path / "labels")
    again = LabelTable.read(tmp_path / "labels")
    pd.testing.assert_frame_equal(again.targets(), table.targets())
    assert again.description() == table.description()
    assert again.architectures() == table.architectures()
    assert again.card == table.card
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == [
        "card.md",
        "labels.parquet",
        "networks.jsonl",
    ]


def test_written_bytes_do_not_depend_on_the_order_of_rows(
    made_up: tuple[LabelTable, pd.DataFrame], tmp_path: Path
) -> None:
    table, _ = made_up
    table.write(tmp_path / "a")
    LabelTable(table.labels[::-1], table.networks[::-1]).write(tmp_path / "b")
    for name in ("labels.parquet", "networks.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_networks_may_also_be_parquet(
    made_up: tuple[LabelTable, pd.DataFrame], tmp_path: Path
) -> None:
    table, _ = made_up
    table.write(tmp_path)
    (tmp_path / "networks.jsonl").unlink()
    table.networks.to_parquet(tmp_path / "networks.parquet")
    assert LabelTable.read(tmp_path).description() == table.description()


def test_few_chips_give_a_low_value_from_the_spread(
    made_up: tuple[LabelTable, pd.DataFrame],
) -> None:
    table, _ = made_up
    means = table.means()
    assert table.low_name == "mean - 1.645 sd"
    np.testing.assert_allclose(means["low"], means["mean"] - 1.645 * means["sd"])
    first = table.labels.query("key == @means.key[0] and seed == 0 and t_s == 1.0")["accuracy"]
    assert means["mean"][0] == pytest.approx(first.mean())
    assert means["sd"][0] == pytest.approx(first.std(ddof=1))


def test_forty_chips_give_an_empirical_quantile(
    make_table: Callable[..., tuple[LabelTable, pd.DataFrame]],
) -> None:
    table, _ = make_table(3, chips=40)
    means = table.means()
    one = table.labels.query("key == @means.key[0] and seed == 0 and t_s == 1.0")["accuracy"]
    assert table.low_name == "5 % quantile"
    assert means["low"][0] == pytest.approx(one.quantile(0.05))


def test_targets_average_over_seeds_and_count_them(
    made_up: tuple[LabelTable, pd.DataFrame],
) -> None:
    table, _ = made_up
    targets = table.targets()
    assert len(targets) == 40 * 5
    assert targets.groupby("key")["seeds"].first().value_counts().to_dict() == {1: 32, 3: 8}
    first = targets[targets["seeds"] == 3].iloc[0]
    means = table.means()
    trainings = means[(means["key"] == first["key"]) & (means["t_s"] == first["t_s"])]
    assert first["mean"] == pytest.approx(trainings["mean"].mean())
    assert first["sd"] == pytest.approx(np.sqrt((trainings["sd"] ** 2).mean()))
    assert set(targets["variant"]) == {NOMINAL}


def test_targets_hold_every_network_on_all_its_hardware(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    table, _ = on_variants
    targets = table.targets()
    assert table.variants is not None
    assert table.description().variants == table.variants["variant"].nunique() == 8
    assert "on 8 variants of the hardware" in table.description().summary()
    for (key, variant, t_s), row in targets.groupby(["key", "variant", "t_s"]):
        frame = table.labels if variant == NOMINAL else table.variants
        here = frame[(frame["key"] == key) & (frame["t_s"] == t_s)]
        if variant != NOMINAL:
            here = here[here["variant"] == variant]
        assert row["mean"].item() == pytest.approx(here["accuracy"].mean())
        assert row["clips"].item() == here["clips"].iloc[0]


BROKEN: dict[str, Broken] = {
    r"columns.*missing": lambda labels, networks: (labels.drop(columns="t_s"), networks),
    r"hardware_hash": lambda labels, networks: (labels, networks.drop(columns="hardware_hash")),
    r"empty": lambda labels, networks: (labels[:0], networks),
    r"fraction from 0 to 1": lambda labels, networks: (labels.assign(accuracy=93.0), networks),
    r"`accuracy` must be": lambda labels, networks: (labels.assign(accuracy=np.nan), networks),
    r"`t_s` must be positive": lambda labels, networks: (labels.assign(t_s=0.0), networks),
    r"`accuracy`.*numbers": lambda labels, networks: (labels.assign(accuracy="high"), networks),
    r"`seed`.*whole": lambda labels, networks: (labels.assign(seed=0.5), networks),
    r"labels, row 1,.*`key` must be text": lambda labels, networks: (
        labels.assign(key=7),
        networks,
    ),
    r"labels, row \d+, network \w+: the same key, seed, chip": lambda labels, networks: (
        pd.concat([labels, labels[:1]]),
        networks,
    ),
    r"same times": lambda labels, networks: (labels[1:], networks),
    r"networks, row \d+, network \w+: the same key, seed appears": lambda labels, networks: (
        labels,
        pd.concat([networks, networks[:1]]),
    ),
    r"one `hardware_hash`": lambda labels, networks: (
        labels,
        networks.assign(hardware_hash=[f"{i:012x}" for i in range(len(networks))]),
    ),
    r"one `split`": lambda labels, networks: (
        labels,
        networks.assign(split=["random"] * (len(networks) - 1) + ["speaker:theo"]),
    ),
    r"networks, row 1,.*must be a JSON object, but Expecting": lambda labels, networks: (
        labels,
        networks.assign(architecture="{"),
    ),
    r"JSON object, but it is none": lambda labels, networks: (
        labels,
        networks.assign(architecture="[]"),
    ),
    r"it has no labels": lambda labels, networks: (
        labels[labels["key"] != labels["key"][0]],
        networks,
    ),
    r"the networks table lacks it": lambda labels, networks: (labels, networks[1:]),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_table_is_refused(message: str, made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, _ = made_up
    labels, networks = BROKEN[message](table.labels, table.networks)
    with pytest.raises(ValueError, match=message):
        LabelTable(labels, networks)


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}"):
        LabelTable.read(tmp_path)


@pytest.mark.parametrize("name", ["labels.parquet", "networks.jsonl"])
def test_a_torn_file_is_named(
    name: str, made_up: tuple[LabelTable, pd.DataFrame], tmp_path: Path
) -> None:
    made_up[0].write(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"`{name}` cannot be read"):
        LabelTable.read(tmp_path)


def test_half_a_label_set_is_refused(
    made_up: tuple[LabelTable, pd.DataFrame], tmp_path: Path
) -> None:
    made_up[0].write(tmp_path)
    (tmp_path / "networks.jsonl").unlink()
    with pytest.raises(ValueError, match=r"networks\.jsonl"):
        LabelTable.read(tmp_path)


def test_a_failed_write_leaves_the_old_files(
    made_up: tuple[LabelTable, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made_up[0].write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def disk_is_full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        made_up[0].write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
