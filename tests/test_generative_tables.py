"""The published tables of generative models are the raw figures, and nothing else."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import gan_tables  # noqa: E402
import make_generative_tables as tables  # noqa: E402
import pixel_tables  # noqa: E402
import window_tables  # noqa: E402
from demonstration_tables import OTHERS, not_shipped  # noqa: E402

RECORDS = [json.loads(path.read_text()) for path in sorted(tables.FOLDER.glob("*.json"))]


def test_the_page_is_generated() -> None:
    assert (tables.FOLDER / "README.md").read_text() == tables.render()


def test_records_are_whole() -> None:
    for record in RECORDS:
        assert record["kind"] in tables.TABLES or record["kind"] in tables.JOINT
        assert record["commit"]
        assert record["versions"]
        if record["kind"] == "gmm-speed":
            for result in record["results"]:
                medians = {
                    name: statistics.median(all_) for name, all_ in result["seconds"].items()
                }
                assert result["median"] == pytest.approx(medians)


def test_tables_of_made_up_figures() -> None:
    names = ("scikit-learn float64", "float64", "float32")
    speed = {
        "rows": 25_000,
        "features": 105,
        "threads": 2,
        "results": [
            {
                "components": 32,
                "median": dict(zip(names, (2.0, 1.0, 0.5), strict=True)),
                "times": dict(zip(names, (1.0, 2.0, 4.0), strict=True)),
            }
        ],
    }
    assert "| 32 | 2.000 s | 1.000 s (2.0 ×) | 0.500 s (4.0 ×) |" in tables.speed_table(speed)
    case = {"d": 2, "rows": 2000, "spread": 12.0, "true": 8, "start": 24}
    counts = {"results": [case | {"alive": 8, "scikit-learn alive": 9}, case | {"alive": 7}]}
    assert "| 2 | 2,000 | 12 | 8 | 24 | 8, 7 | 9, – |" in tables.counts_table(counts)
    result = {"live_dimensions": 3, "log_prob": 1.0, "rows_per_second": 1e5}
    density = {
        "environment": "Ant-v5",
        "demonstrations": {"name": "a.npz", "hash": "0123456789abcdef"},
        "rows": 10,
        "held_out_rows": 5,
        "kernel_rows_per_second": 300.0,
        "results": [
            result | {"components": 1, "held_out_log_prob": 1.0},
            result | {"components": 16, "held_out_log_prob": 3.5},
        ],
    }
    row = "| 16 | 3 | 1.00 | 3.50 | +2.50 | 100,000 |"
    assert row in tables.density_table(density)
    assert "a.npz (01234567): 10 rows" in tables.density_table(density)


def test_a_file_that_is_not_the_shipped_one_is_told() -> None:
    record = {"environment": "toy/PointMass-v0", "demonstrations": {"name": "a.npz", "hash": "0"}}
    assert not_shipped([record, {"demonstrations": None}]) == ""
    named = {"name": "toy-pointmass-v0.npz", "hash": "0123456789abcdef"}
    told = not_shipped([record | {"demonstrations": [named]}] * 2)
    assert told.startswith("toy-pointmass-v0.npz (01234567) is not the file of that name")
    assert told.count("not shipped") == 1
    (known,) = OTHERS
    page = tables.render()
    assert f"ant-v5.npz ({known}) is not the file" in page


def test_table_of_made_up_bounds() -> None:
    record = {
        "model": "vae",
        "seed": 0,
        "epochs": 400,
        "mnist_sha256": "0123456789abcdef",
        "settings": {
            "network": {"settings": {"hidden": [400, 400]}},
            "latent": {"settings": {"width": 40}},
        },
        "results": {
            "negative_elbo": 91.234,
            "negative_bound": 87.5,
            "draws": 200,
            "active": 25,
        },
        "speed": {"median": {"ours": 5.0, "plain": 6.25}},
        "file": "a.json",
    }
    sphere = {
        "model": "svae",
        "settings": record["settings"] | {"latent": {"settings": {"width": 11}}},
        "speed": None,
    }
    table = tables.mnist_table([record | sphere, record])
    first = "| VAE | 40 | 0 | 400 | 91.23 | 87.50 (200) | 25 | 5.0 | 6.2 | [file](a.json) |"
    second = "| hyperspherical VAE | 10 | 0 | 400 | 91.23 | 87.50 (200) | 25 | – | – |"
    assert table.index(first) < table.index(second)


def test_tables_of_made_up_windows_and_energies() -> None:
    tests = {"logistic": [0.5, 0.6], "mlp": [0.7, 0.8]}
    windows = {
        "environment": "Ant-v5",
        "demonstrations": {"name": "a.npz", "hash": "0123456789abcdef"},
        "settings": {"steps": 32, "sample_steps": 25, "threads": 2, "missing": 0.3, "draws": 2},
        "windows": {"fitted": 1000, "held_out": 50},
        "parameters": 12,
        "speed": {"training_seconds": 60.0, "seconds_of_1000_windows": 5.0},
        "elbo": -7.0,
        "samples": {"diffusion": tests},
        "completions": {"diffusion": 0.12345},
    }
    table = window_tables.diffusion_table(windows)
    assert "| samples of diffusion | 0.550 ± 0.050 | 0.750 ± 0.050 |" in table
    assert "| diffusion | 0.1235 |" in table
    found = {"score": 0.08, "discrepancy": 0.0, "discrepancy_of_data": 0.001, "seconds": 9.0}
    energies = {
        "plane": {"diffusion": found},
        "digits": {"completions": {"mean": 20.0}, "accuracy_by_energy": 0.97},
    }
    table = tables.energies_table(energies)
    assert "| diffusion | – | 0.080 | – | 0.00000 | 0.00100 | 9 |" in table
    assert "97.0%" in table


def test_tables_of_made_up_gans() -> None:
    distances = {"fid": 1.5, "kid": 0.25, "precision": 0.75, "recall": 0.5}
    mnist = {
        "settings": {
            "minutes": 10.0,
            "threads": 1,
            "samples": 10_000,
            "half_precision": False,
            "dense": 0,
        },
        "classifier_accuracy": 0.99,
        "mnist_sha256": "0123456789abcdef",
        "records": [
            {"model": "training images", **distances},
            {"model": "vaegan", **distances, "reconstruction": 0.02, "steps": 9},
            {"model": "vaegan", **distances, "fid": 2.5, "reconstruction": 0.04, "steps": 11},
        ],
    }
    table = gan_tables.mnist_gans_table(mnist)
    assert "products in float32" in table
    assert "a dense layer" not in table
    assert "| training images | 1 | 1.5 | 0.2 | 0.75 | 0.50 | – | – |" in table
    assert "| vaegan | 2 | 2.0 (1.5–2.5) | 0.2 (0.2–0.2) |" in table
    assert "| 0.0300 (0.0200–0.0400) | 10 (9–11) |" in table
    row = {"data": "ring", "game": "hinge", "of": 8, "seconds": 9.6}
    rows = [row | {"modes": 8, "good": 0.9}, row | {"modes": 7, "good": 0.8}]
    table = gan_tables.modes_table({"std": 0.05, "records": rows})
    assert "| ring | hinge | 8, 7 of 8 | 90%, 80% | 10 |" in table
    windows = {
        "environment": "Ant-v5",
        "demonstrations": {"name": "a.npz", "hash": "0123456789abcdef"},
        "settings": {"steps": 32, "threads": 1},
        "windows": {"fitted": 1000, "held_out": 50},
        "parameters": 12,
        "speed": {"training_seconds": 60.0, "seconds_of_1000_windows": 5.0},
        "samples": {"WGAN-GP": {"logistic": [0.5, 0.6], "mlp": [0.7, 0.8]}},
    }
    assert "| samples of WGAN-GP | 0.550 | 0.750 |" in window_tables.gan_table(windows)
    speed = {
        "settings": {"batch_size": 64, "threads": 1},
        "results": {"DCGAN": {"ours": [1.0, 3.0], "plain": [2.0, 2.0], "ratio": 1.0}},
    }
    assert "| DCGAN | 2.0 | 2.0 | 1.00 |" in gan_tables.speed_table(speed)


def test_sampling_of_pixels_is_told_in_medians() -> None:
    row = {"network": "gated", "batch": 1, "parameters": 9, "cached_seconds": [0.2, 0.3, 0.9]}
    row |= {"naive_seconds": 9.0, "times_faster": 30.0, "identical": False}
    settings = {"side": 28, "levels": 2, "blocks": 7, "channels": 64, "threads": 1}
    made = pixel_tables.sampling_table({"settings": settings, "results": [row]})
    assert "| gated | 1 | 0.30 | 9.0 | 30 | no |" in made


def test_tables_of_made_up_pixels() -> None:
    curve = [{"epoch": i, "seconds": 60.0 * i, "test_nats": 90.0 - i} for i in range(1, 9)]
    record = {
        "model": "rowlstm",
        "mnist_sha256": "0123456789abcdef",
        "settings": {"shape": [1, 14, 14]},
        "results": {"nats": 80.5, "standard_error": 0.25, "bits_per_dimension": 0.148},
        "seconds": {"training": 600.0},
        "parameters": 1000,
        "epochs": 8,
        "threads": 1,
        "curve": curve,
        "file": "a.json",
    }
    larger = record | {"model": "pixelcnn", "settings": {"shape": [1, 28, 28]}}
    table = pixel_tables.mnist_table([record, larger])
    row = "| 14×14 | PixelRNN, rows | 1,000 | 8 | 10 (1) | 80.50 ± 0.25 | 0.1480 | 89.0 (1 min), "
    assert table.index("| 28×28 | PixelCNN, gated |") < table.index(row)
    row = {"model": "pixelcnn", "parameters": 10, "nats": [1.0, 2.0], "seconds": 9.0}
    row |= {"mean": 1.5, "standard_error": 0.5}
    digits = {"settings": {"seeds": 2, "epochs": 3}, "results": [row]}
    assert "| pixelcnn | 10 | 1.500 ± 0.500 | 1.00, 2.00 | 9 |" in pixel_tables.digits_table(digits)
    bits = {"bits": 1.5, "standard_error": 0.25, "train_bits": 1.4, "random_bits": 2.0}
    alone = {"bits": 3.0, "random_bits": 4.0, "auroc": 0.75}
    frames = {
        "environment": "Ant-v5",
        "settings": {"side": 32, "every": 5, "epochs": 15, "threads": 1},
        "frames": {"train": 100, "held_out": 50, "random": 20},
        "parameters": 12,
        "seconds": 600.0,
        "results": bits | {"auroc": 0.99, "independent": alone},
    }
    table = pixel_tables.frames_table(frames)
    assert "| PixelCNN | 1.500 ± 0.250 | 1.400 | 2.000 | 0.9900 |" in table
