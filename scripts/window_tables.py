"""The tables of windows of demonstrations in benchmarks/generative/README.md."""

from __future__ import annotations

import statistics
from typing import Any

from demonstration_tables import named

Record = dict[str, Any]


def sequence_vae_table(record: Record) -> str:
    """What a sequence VAE makes of windows, beside linear models."""
    settings, windows, episodes = record["settings"], record["windows"], record["episodes"]
    mse, bounds = record["reconstruction"], record["bounds"]
    lines = [
        f"{record['environment']}, {named(record['demonstrations'])}: {windows['fitted']:,} "
        f"windows of {settings['steps']} steps from {episodes['fitted']} episodes fitted to, "
        f"{windows['held_out']:,} from {episodes['held_out']} others held out; states and actions, "
        f"{record['live_dimensions']} dimensions that vary, standardised, clipped at "
        f"{settings['clip']:g} standard deviations. {record['parameters']:,} parameters, "
        f"{record['training_seconds']:,.0f} s of training, {settings['threads']} thread(s).\n",
        f"| {settings['latent']} numbers a window | mean squared error |",
        "|---|---|",
        f"| sequence VAE | {mse['model']:.4f} |",
        f"| principal components | {mse['pca']:.4f} |",
        f"| mean | {mse['variance']:.4f} |\n",
        *two_sample_lines(record),
        *forecast_lines(record["forecasts"], settings["steps"] // 2),
        f"Held-out ELBO {bounds['held_out_elbo']:,.0f} nats a window (fitted to "
        f"{bounds['elbo']:,.0f}); {bounds['active']} of {settings['latent']} latents active.",
    ]
    return "\n".join(lines)


def two_sample_lines(record: Record) -> list[str]:
    """Accuracies of two-sample tests: means over draws with their standard errors."""
    names = {
        "model": "samples of the sequence VAE",
        "pca gaussian": "samples of a Gaussian by principal components",
        "sequence VAE": "samples of the sequence VAE",
        "windows fitted to": "windows fitted to",
    }
    draws = record["settings"].get("draws", 1)  # of old records; they list folds
    lines = ["| told from held-out windows by | logistic regression | MLP |", "|---|---|---|"]
    for name, tests in record["samples"].items():
        told = [_told(tests[test], draws) for test in ("logistic", "mlp")]
        lines.append(f"| {names.get(name, f'samples of {name}')} | {told[0]} | {told[1]} |")
    over = "one draw" if draws == 1 else f"{draws} draws, with standard errors over draws"
    return [
        *lines,
        f"\nShare of windows that are told, on other episodes, of {over}; 0.5 is chance.\n",
    ]


def _told(accuracies: list[float], draws: int) -> str:
    mean = statistics.mean(accuracies)
    if draws == 1:
        return f"{mean:.3f}"
    return f"{mean:.3f} ± {statistics.stdev(accuracies) / len(accuracies) ** 0.5:.3f}"


def forecast_lines(errors: Record, past: int) -> list[str]:
    """Errors of forecasts by horizon."""
    names = {
        "model": "sequence VAE",
        "linear_autoregression": "linear autoregression",
        "linear_by_horizon": "linear, each horizon for itself",
        "last_value": "last value",
        "mean_of_fitted": "mean",
    }
    steps = [at for at in (1, 2, 4, 8, 16, 32, 64) if at <= len(errors["model"])]
    lines = [
        f"| mean squared error after {past} steps, horizon | {' | '.join(map(str, steps))} |",
        "|---" * (len(steps) + 1) + "|",
    ]
    for name, text in names.items():
        lines.append(f"| {text} | {' | '.join(f'{errors[name][at - 1]:.3f}' for at in steps)} |")
    end = "\nLinear forecasts have the penalty that is best on the held-out windows themselves.\n"
    return [*lines, end]


def diffusion_table(record: Record) -> str:
    """What diffusion makes of windows, beside a sequence VAE and a mixture of steps."""
    settings = record["settings"]
    about = about_windows(record, f" in {settings['sample_steps']} steps")
    missing = f"{settings['missing']:.0%} of dimensions hidden, completed by"
    lines = [
        f"{about} Held-out ELBO {record['elbo']:,.0f} nats a window.\n",
        *two_sample_lines(record),
        f"| {missing} | mean squared error |",
        "|---|---|",
    ]
    lines += [f"| {name} | {error:.4f} |" for name, error in record["completions"].items()]
    return "\n".join(lines)


def gan_table(record: Record) -> str:
    """How well windows of a GAN are told from data, beside others."""
    return "\n".join([f"{about_windows(record)}\n", *two_sample_lines(record)])


def about_windows(record: Record, how: str = "") -> str:
    """The data, and how long training and drawing took."""
    settings, windows, speed = record["settings"], record["windows"], record["speed"]
    return (
        f"{record['environment']}, {named(record['demonstrations'])}: {windows['fitted']:,} "
        f"windows of {settings['steps']} steps fitted to, {windows['held_out']:,} of other "
        "episodes held out, as in the table of the sequence VAE. "
        f"{record['parameters']:,} parameters; {speed['training_seconds']:,.0f} s of training, "
        f"{speed['seconds_of_1000_windows']:.1f} s for 1,000 windows{how}, {settings['threads']} "
        "thread(s)."
    )
