"""`python -m bench --work-orders 100000`: measure, print, and exit with 1 when plans or rows are wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import report, runner

QUICK = 20_000


def main() -> int:
    """Run the benchmark that the command line asks for."""
    given = _arguments().parse_args()
    number = QUICK if given.quick and given.number is None else given.number or 100_000
    outcome = runner.run(
        number,
        quick=given.quick,
        few_words=given.quick or given.few_words,
        data_dir=given.data_dir,
        keep=not given.drop,
    )
    text = report.text(outcome)
    print(text)
    if given.save:
        report.save(given.save, outcome)
    wrong = [case.name for case in outcome.cases if not (case.plans_pass and case.same_rows is not False)]
    if wrong:
        print(f"wrong plans or rows: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--work-orders", "--n", dest="number", type=_count, help="size (default 100000)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} work orders, few repetitions")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".portal/bench"), help="where the database lives"
    )
    parser.add_argument(
        "--few-words",
        action="store_true",
        help="index only the words of the measured project",
    )
    parser.add_argument("--drop", action="store_true", help="drop the database afterwards")
    parser.add_argument("--save", type=Path, help="put the table for this size into a Markdown file")
    return parser


def _count(text: str) -> int:
    number = int(text.replace("_", ""))
    if not 1_000 <= number <= 10_000_000:
        raise argparse.ArgumentTypeError("between 1,000 and 10,000,000")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
