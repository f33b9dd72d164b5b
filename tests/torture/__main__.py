"""Torture a stack, let it come to rest, audit it: `python -m tests.torture --minutes 20 --clips 10000`.

Exit code 1 if the audit found anything. The seed is printed; it decides what is injected and in which order, not when.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from tests.torture.audit import Auditor, Findings
from tests.torture.disturbances import Tormentor
from tests.torture.lab import TortureLab
from tests.torture.truth import Truth

REST_SECONDS = 900.0  # without any progress, after which what still waits counts as stuck
LOOK_SECONDS = 5.0
MOST_SENTENCES = 20


def main() -> None:
    options = parse_options()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    console = Console(width=120)
    console.print(
        f"torture: {options.clips} clips, {options.minutes:g} minutes of faults, seed {seed}", highlight=False
    )
    truth = Truth(seed, options.clips, options.datasets, options.poison)
    with ExitStack() as kept:
        folder = options.folder or Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        lab = TortureLab(folder, seed, options.workers, {})
        try:
            tormentor = Tormentor(lab, truth, seed)
            dropping = threading.Thread(target=lambda: [lab.drop_dataset(truth, each) for each in truth.datasets])
            dropping.start()
            tormentor.disturb_until(time.monotonic() + 60 * options.minutes)
            dropping.join()
            findings = audit_at_rest(Auditor(lab.kafka.bootstrap, lab.store.endpoint, truth), console)
        finally:
            lab.close()
    print_tables(console, tormentor, lab, findings, truth)
    sys.exit(1 if findings.count else 0)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long faults are injected")
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--datasets", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1, help="processes of each stage")
    parser.add_argument("--poison", type=float, default=0.005, help="share of the clips")
    parser.add_argument("--seed", type=int, help="default: drawn, and printed")
    parser.add_argument("--folder", type=Path, help="where the services' logs stay; default: nowhere")
    return parser.parse_args()


def audit_at_rest(auditor: Auditor, console: Console) -> Findings:
    """The audit of a stack at rest: it is repeated as long as what it finds, or what waits, still becomes less."""
    before, since = None, time.monotonic()
    while True:
        try:
            lag = auditor.measure_lag()
            findings = auditor.audit() if not any(lag.values()) else None
        except KafkaError as error:  # a broker that was restarted just now does not know its groups yet
            console.print(f"  the broker is not back: {error}", highlight=False, markup=False)
            time.sleep(LOOK_SECONDS)
            continue
        if findings and not findings.count:
            return findings
        state = (lag, findings.counts() if findings else None)
        if state != before:
            before, since = state, time.monotonic()
            console.print(f"  waiting {lag}" if findings is None else f"  found {findings.counts()}", highlight=False)
        if time.monotonic() - since > REST_SECONDS:
            return findings or auditor.audit()
        time.sleep(LOOK_SECONDS)


def print_tables(console: Console, tormentor: Tormentor, lab: TortureLab, findings: Findings, truth: Truth) -> None:
    injected = Table("injected", "times", title="What was done to the stack")
    for name, count in sorted(tormentor.done.items()):
        injected.add_row(name, str(count))
    poisons = [clip.poison for clip in truth.clips.values() if clip.poison]
    for poison in sorted(set(poisons)):
        injected.add_row(f"poison: {poison}", str(poisons.count(poison)))
    for name, count in sorted(lab.exits.items()):
        injected.add_row(name, str(count))
    console.print(injected)
    audited = Table("found", "", title="What the audit found")
    for kind, count in findings.counts().items():
        audited.add_row(kind, str(count))
    console.print(audited)
    for kind, sentences in findings.found.items():
        for sentence in sentences[:MOST_SENTENCES]:
            console.print(f"{kind}: {sentence}", highlight=False, markup=False)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
