"""Measure prompts: whether images follow them, and whether their scores mean something.

    make quality-prompts                               some minutes on two processors
    make quality-prompts ARGUMENTS="--pieces 4"        only to see that it works; the figures mean little

It writes build/quality-prompts.json, one flat object of numbers:

    retrieval.*     rank of a prompt's own image among those of all prompts, by similarity's alignment model
    scores.*        share of cases in which a paraphrase is nearer than another text, a repetition is no
                    more elaborate, and shuffled words are less coherent; and the Vendi score of convergent
                    sets over that of divergent ones

Similarity of texts is by sentence embeddings if they are installed, or else by words, which know no
paraphrases.
A missed target is marked in the table and is no failure.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from chladni_benchmarks.reports.targets import Target
from chladni_evaluation.prompts.measures import measure_images, measure_scores
from chladni_evaluation.reports.table import figures_table
from chladni_evaluation.reports.targets import missed
from chladni_image_generation.prompts.similarity import text_similarity

REPOSITORY: Final = Path(__file__).parents[5]
TARGETS: Final = {
    "retrieval.prompts": Target("at least", 100),
    "retrieval.r5": Target("at least", 0.5),
    "scores.paraphrase_is_nearer": Target("at least", 1.0),
    "scores.repetition_adds_nothing": Target("at least", 1.0),
    "scores.shuffling_is_less_coherent": Target("at least", 0.95),
    "scores.vendi_ratio": Target("at most", 0.7),
}


def main() -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=77, help="decides music and prompts (default: 77)")
    parser.add_argument("--pieces", type=int, default=20, help="pieces of five prompts (default: 20)")
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "quality-prompts.json",
        help="where to write the figures (default: build/quality-prompts.json)",
    )
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    similarity = text_similarity()
    figures = measure_scores(similarity, seed=arguments.seed)
    figures |= measure_images(arguments.pieces, seed=arguments.seed)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True, allow_nan=False) + "\n")
    console.print(f"Similarity of texts: {similarity.name}")
    console.print(figures_table(figures, TARGETS))
    names = missed(figures, TARGETS)
    console.print(f"[bold red]Missed:[/] {', '.join(names)}" if names else "[green]All targets met.[/]")
    console.print(f"Figures: {arguments.output}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
