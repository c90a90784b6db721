"""`analognas spaces`: which networks can be searched."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analognas.search_spaces import SearchSpace


def spaces(
    name: Annotated[str | None, typer.Argument(help="One space, with its genes; else all.")] = None,
    task: Annotated[
        str, typer.Option(help="The task whose input shape and classes the networks have.")
    ] = "kws",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the search spaces: their genes, the exact number of networks, the named members."""
    from analognas.cli.output import show_json
    from analognas.errors import checking, lookup
    from analognas.plugins import SPACE_PLUGINS, plugin_names
    from analognas.search_spaces import SPACES, make_space
    from analognas.tasks import load_task

    if name is not None and name not in plugin_names(SPACE_PLUGINS):
        lookup(SPACES, name, "search space")
    loaded = load_task(task, data=data)
    with checking("search space"):
        made = [
            make_space(known, input_shape=loaded.input_shape, n_classes=loaded.n_classes)
            for known in ([name] if name else SPACES)
        ]
    if json:
        described = [describe(space) for space in made]
        show_json(described[0] if name else described)
        return
    shape = " x ".join(map(str, loaded.input_shape))
    where = f"for {loaded.name} (inputs {shape}, {loaded.n_classes} classes)"
    if name:
        _show_genes(made[0], where)
    else:
        _show_spaces(made, where)
    _show_named(made, where)


def describe(space: "SearchSpace") -> dict[str, object]:
    """Everything about a space as JSON types; numbers are exact."""
    return {
        "space": space.name,
        "title": space.title,
        "input": list(space.input_shape),
        "classes": space.n_classes,
        "networks": space.count(),
        "genes": {gene: list(values) for gene, values in space.genes.items()},
        "named": [
            {
                "name": known,
                "key": network.key,
                "family": network.space,
                "parameters": space.parameters(network),
                "multiplications": space.multiplications(network),
            }
            for known, network in space.named.items()
        ],
    }


def _show_spaces(made: "list[SearchSpace]", where: str) -> None:
    from analognas.cli.output import show_table

    columns = ["space", "networks it holds", "genes", "networks, exactly"]
    rows = [[space.name, space.title, len(space.genes), f"{space.count():,}"] for space in made]
    note = "Counted without limits. `analognas spaces NAME` shows the genes of a space."
    show_table(f"Search spaces {where}", columns, rows, note=note)


def _show_genes(space: "SearchSpace", where: str) -> None:
    from analognas.cli.output import show_table

    alike: dict[tuple[str, tuple[int | str, ...]], list[str]] = {}
    for gene, values in space.genes.items():
        alike.setdefault((gene.rstrip("0123456789"), values), []).append(gene)
    rows = [
        [" ... ".join(dict.fromkeys((genes[0], genes[-1]))), ", ".join(map(str, values))]
        for (_, values), genes in alike.items()
    ]
    note = (
        f"{space.count():,} distinct networks, counted without limits. Values that are impossible "
        "where they stand become the nearest possible ones."
    )
    title = f"Search space {space.name}, {space.title}, {where}"
    show_table(title, ["gene", "values"], rows, note=note)


def _show_named(made: "list[SearchSpace]", where: str) -> None:
    from analognas.cli.output import show_table

    found: dict[str, list[object]] = {}
    for space in made:
        for known, network in space.named.items():
            sizes = [space.parameters(network), space.multiplications(network)]
            found[known] = [known, network.space, network.key, *sizes]
    columns = ["network", "space", "key", "parameters", "multiplications"]
    formats = {"parameters": ",", "multiplications": ","}
    show_table(f"Named networks {where}", columns, list(found.values()), formats=formats)
