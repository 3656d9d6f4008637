"""Benchmarks: suites of runs as Python values, raw scores in one schema, tables made of them.

>>> from gail.bench import Run, Suite
>>> suite = Suite("mine", tuple(Run("gail", "Ant-v5", steps=1000, seed=seed) for seed in (0, 1)))
>>> [run.name for run in suite.runs]
['ant-v5-gail-1000-steps-seed-0', 'ant-v5-gail-1000-steps-seed-1']

:func:`gail.bench.runner.run_suite` makes the runs, and ``gail bench`` does so for the suites in
:mod:`gail.bench.suites`.
"""

from __future__ import annotations

from gail.bench.suite import METHODS, Run, Suite, grid

__all__ = ["METHODS", "Run", "Suite", "grid"]
