"""The search benchmark as a page, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analognas.benchmarks.search_methods import METHODS, OURS, START
from analognas.benchmarks.search_table_jobs import PATIENCE, PATIENCE_S
from analognas.benchmarks.search_table_page import (
    table_facts,
    table_losses,
    table_verdict,
    tables_of,
)
from analognas.benchmarks.search_table_report import TableReport
from analognas.benchmarks.search_training_jobs import GUIDED
from analognas.benchmarks.search_training_page import (
    training_facts,
    training_losses,
    training_tables,
)
from analognas.benchmarks.search_training_report import TrainingReport
from analognas.benchmarks.simulator_tables import Table
from analognas.benchmarks.tables import markdown_table

FORMAT_VERSION = 1
NO_TABLE = "The searches in tables are missing: `--only table` makes them."
NO_TRAINING = "The end-to-end searches are missing: `--only training` makes them."
HOW_TABLES = (
    "A search proposes genotypes of the whole space; each stands for the labelled network nearest "
    "to it in standardised features, so a strategy meets a coarse version of its space, and many "
    "of its proposals are networks that it knows already (they cost nothing; a strategy that "
    f"proposes nothing else is asked again, {PATIENCE} times a batch or for "
    f"{PATIENCE_S:g} s of the processor, and ends when that does not "
    "help: its last value is held). The tables are small: orders of strategies on them need not "
    "hold on the whole space. A search looks up one training of every network and is charged its "
    "recorded seconds; which training comes first depends on the seed. An evaluation at a fidelity "
    "below 1 counts as its share and is charged in full, also where the same training goes on. At "
    f"the end: the value when the budget is spent. On the way: its mean from {START} evaluations, "
    "or as many average ones' seconds, to the end. The horizon of seconds is half of what the "
    "budget of evaluations takes on average."
)


@dataclass(frozen=True)
class SearchReport:
    """Everything that was found; a part of which nothing is finished is None."""

    command: str
    facts: Mapping[str, str]
    table: TableReport | None
    training: TrainingReport | None

    @property
    def losses(self) -> list[str]:
        """Where other strategies are ahead of ours."""
        found = [] if self.table is None else table_losses(self.table)
        return found + ([] if self.training is None else training_losses(self.training))

    @property
    def summary(self) -> list[str]:
        """What is worth saying at once."""
        table = NO_TABLE if self.table is None else table_verdict(self.table)
        if self.training is None:
            return [table, NO_TRAINING]
        if not self.training.intervals:
            return [table, "End to end there is nothing to compare yet."]
        behind = training_losses(self.training)
        all_of_them = sum(one.other not in (OURS, GUIDED) for one in self.training.intervals)
        return [
            table,
            f"End to end, others are ahead of ours in {len(behind)} of {all_of_them} "
            "comparisons, on average over few seeds.",
        ]


def tables(report: SearchReport) -> list[Table]:
    """Everything that was found, for people."""
    found = [] if report.table is None else tables_of(report.table)
    return found + ([] if report.training is None else training_tables(report.training))


def to_json(report: SearchReport) -> dict[str, Any]:
    """Everything that was found, for machines."""
    table, training = report.table, report.training
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "command": report.command,
        "facts": dict(report.facts),
        "summary": report.summary,
        "losses": report.losses,
        "table": None
        if table is None
        else {
            "labels": [asdict(one) for one in table.benches],
            "scores": [asdict(one) for one in table.scores],
            "comparisons": [asdict(one) | {"verdict": one.verdict} for one in table.comparisons],
        },
        "training": None
        if training is None
        else {
            "effort": asdict(training.effort),
            "runs": [one.run.to_dict() | {"values": dict(one.values)} for one in training.scores],
            "intervals": [asdict(one) for one in training.intervals],
        },
    }


def to_markdown(report: SearchReport, *, files: Sequence[str]) -> str:
    """Write the page; `files` lie beside it, one of them the picture."""
    picture = next(name for name in files if name.endswith(".png"))
    facts = {
        **report.facts,
        "for machines": "every run is in " + ", ".join(f"`{n}`" for n in files if n != picture),
    }
    parts = [
        "# Which strategy finds the best networks",
        f"Made by `{report.command}`. All accuracies are simulated.",
        "\n\n".join(report.summary),
        _bullets([f"{name}: {value}" for name, value in facts.items()]),
        f"![Value of the strategies against evaluations and seconds]({picture})",
        "Curves are means over the seeds; bands of searches in tables are 95 % intervals of the "
        "mean.",
        f"## Where {OURS} loses",
        _bullets(report.losses) or "Nobody is ahead of it in any comparison.",
        "## Searches in tables of labels",
    ]
    if report.table is None:
        parts.append(NO_TABLE)
    else:
        settings = [f"{name}: {method.setting}" for name, method in METHODS.items()]
        parts += [HOW_TABLES, _bullets(table_facts(report.table)), "Strategies:"]
        parts += [_bullets(settings), *_laid_out(tables_of(report.table))]
    parts.append("## Searches that train")
    if report.training is None:
        parts.append(NO_TRAINING)
    else:
        parts += [_bullets(training_facts(report.training))]
        parts += _laid_out(training_tables(report.training))
    return "\n\n".join(parts) + "\n"


def _laid_out(found: Sequence[Table]) -> list[str]:
    parts = []
    for table in found:
        cells = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"### {table.title}", table.note, markdown_table(table.columns, cells)]
    return parts


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
