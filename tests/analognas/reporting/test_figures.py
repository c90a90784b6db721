from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analognas.deployment import read_bundles
from analognas.records import ONE_DAY_S
from analognas.reporting import plot_chip, plot_drift, plot_front, plot_gap
from analognas.reporting.contents import read_run
from analognas.reporting.figures import ShownNetwork, network_styles
from analognas.reporting.shown import shown_networks
from analognas.reporting.style import BASELINES, PICKS, layer_colours, spread, to_svg
from analognas.simulator.chip import Placement, load_chip, place_layers
from analognas.simulator.mapping import LayerShape


@pytest.fixture(scope="module")
def networks(run_folder: Path) -> tuple[ShownNetwork, ...]:
    return shown_networks(read_bundles(run_folder / "winners"))


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_the_front_shows_every_candidate_and_names_every_network(
    run_folder: Path, networks: tuple[ShownNetwork, ...]
) -> None:
    candidates = read_run(run_folder).candidates
    figure = plot_front(candidates, networks, t_s=ONE_DAY_S)
    (points,) = figure.axes[0].collections[:1]
    assert len(points.get_offsets()) == (~candidates["front"]).sum()  # type: ignore[arg-type]
    assert {network.name for network in networks} <= texts(figure)


def test_an_empty_search_can_be_drawn() -> None:
    empty = pd.DataFrame(columns=["energy_nJ", "accuracy", "front"]).astype(
        {"energy_nJ": float, "accuracy": float, "front": bool}
    )
    assert "<svg" in to_svg(plot_front(empty, (), t_s=ONE_DAY_S), "nothing")


def test_drift_curves_are_the_means_over_chips(networks: tuple[ShownNetwork, ...]) -> None:
    figure = plot_drift(networks)
    drawn = [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].lines]
    for network in networks:
        assert list(network.evaluation.analog.mean()) in drawn
        assert list(network.evaluation.analog.low()) in drawn
        assert [network.evaluation.digital_accuracy] in drawn


def test_baselines_are_dashed(networks: tuple[ShownNetwork, ...]) -> None:
    lines = plot_drift(networks).axes[0].lines
    for network in networks:
        mean = list(network.evaluation.analog.mean())
        (line,) = [line for line in lines if np.asarray(line.get_ydata()).tolist() == mean]
        assert line.get_linestyle() == ("--" if network.baseline else "-")


def test_the_gap_has_one_row_a_network(networks: tuple[ShownNetwork, ...]) -> None:
    axes = plot_gap(networks, t_s=ONE_DAY_S).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [n.name for n in networks]


def placement_of_one_layer(rows: int, columns: int) -> Placement:
    shape = LayerShape("head", "linear", rows, columns)
    return place_layers([shape], load_chip("hermes"))


def test_a_block_is_drawn_to_the_scale_of_its_core() -> None:
    figure = plot_chip(placement_of_one_layer(128, 64))
    *cells, block = figure.axes[0].patches
    assert len(cells) == 64
    assert block.get_height() == pytest.approx(cells[0].get_height() * 128 / 256)  # type: ignore[attr-defined]
    assert block.get_width() == pytest.approx(cells[0].get_width() * 64 / 256)  # type: ignore[attr-defined]
    assert texts(figure) == {"1"}


def test_blocks_that_share_a_core_are_drawn_where_they_lie_with_one_legend() -> None:
    shapes = [LayerShape("a", "linear", 512, 256), LayerShape("b", "conv2d", 64, 64, (3, 3), 64)]
    placement = place_layers(shapes, load_chip("aon-cim"))
    figure = plot_chip(placement)
    core, *blocks = figure.axes[0].patches
    for placed, block in zip(placement.cores, blocks, strict=True):
        left, top = block.get_xy()  # type: ignore[attr-defined]
        width, height = core.get_width(), core.get_height()  # type: ignore[attr-defined]
        x, y = core.get_xy()  # type: ignore[attr-defined]
        assert left == pytest.approx(x + width * placed.column_offset / 512)
        assert top == pytest.approx(y + height * placed.row_offset / 1024)
        assert height == pytest.approx(2 * width)
    opacity = [block.get_alpha() or 0.0 for block in blocks]
    assert opacity[1] < 0.5 < opacity[0] == 1.0  # zeros between groups
    assert texts(figure) == {"1", "2", "0: 25.1 %"}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["1 a", "2 b", "unused"]


def test_replicas_are_hatched() -> None:
    shapes = [LayerShape("early", "conv2d", 1, 4, mvms=3), LayerShape("late", "linear", 4, 4)]
    placement = place_layers(shapes, load_chip("hermes"), replicate=True)
    figure = plot_chip(placement)
    blocks = figure.axes[0].patches[64:]
    assert [bool(block.get_hatch()) for block in blocks] == [False, True, True, False]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][2:] == ["replica", "unused"]
    assert "<svg" in to_svg(figure, "replicas")


def test_long_names_of_layers_are_cut_in_the_legend() -> None:
    shape = LayerShape("backbone.stages.3.blocks.11.conv2", "linear", 4, 4)
    (legend,) = plot_chip(place_layers([shape], load_chip("hermes"))).legends
    assert legend.get_texts()[0].get_text() == "1 \u20263.blocks.11.conv2"


def test_svg_takes_its_colours_from_the_page_and_is_reproducible() -> None:
    first, second = (to_svg(plot_chip(placement_of_one_layer(9, 9)), "<a & b>") for _ in range(2))
    assert first == second
    assert "var(--cell)" in first
    assert "<title>&lt;a &amp; b&gt;</title>" in first
    assert "<metadata" not in first


def test_labels_that_would_overlap_are_moved_apart() -> None:
    moved = spread([1.0, 1.01, 5.0, 0.99], 0.5)
    assert sorted(moved) == pytest.approx([0.5, 1.0, 1.5, 5.0])
    assert moved[3] < moved[0] < moved[1] < moved[2]
    assert spread([], 1.0) == []
    assert spread([3.0], 1.0) == [3.0]


def test_picks_and_baselines_have_different_colours_and_layers_one_each() -> None:
    styles = network_styles([False, False, True, True])
    assert [colour for colour, _ in styles] == [*PICKS[:2], *BASELINES[:2]]
    assert len(set(layer_colours(20))) == 20
    assert len(layer_colours(1)) == 1
