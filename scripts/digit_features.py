"""A small classifier of digits, in whose features samples are compared with data."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from generative.fidelity import precision_recall

FEATURES = 128
BATCH = 128
_ROWS = 1000  # classified at once


class DigitClassifier(nn.Module):
    """Two strided convolutions and a hidden layer, for images (B, 1, H, W) in [0, 1]."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        places = ((height + 3) // 4) * ((width + 3) // 4)
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(32, 64, 5, stride=2, padding=2), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(64 * places, FEATURES), nn.ReLU()),
        )
        self.head = nn.Linear(FEATURES, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 10)."""
        logits: Tensor = self.head(self.body(x))
        return logits

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """What the last hidden layer tells (B, 128) of images in shades from 0 to 255."""
        return torch.cat([self.body(part / 255) for part in x.float().split(_ROWS)])

    @torch.no_grad()
    def accuracy(self, x: Tensor, labels: Tensor) -> float:
        """Share of images whose digit it knows."""
        right = self.head(self.features(x)).argmax(1) == labels
        return round(float(right.double().mean()), 4)


def trained(path: Path, x: Tensor, labels: Tensor, epochs: int) -> DigitClassifier:
    """The classifier from a file, or trained with seed 0 and kept there."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DigitClassifier(*x.shape[2:])
        if path.exists():
            model.load_state_dict(load_file(path))
            return model.eval()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for epoch in range(epochs):
            for rows in torch.randperm(len(x)).split(BATCH):
                loss = F.cross_entropy(model(x[rows] / 255), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            print(f"classifier, epoch {epoch + 1}: {float(loss.detach()):.4f}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), path)
    return model.eval()


class AsGiven(nn.Module):
    """What torchmetrics takes for its extractor where features are known already."""

    num_features = FEATURES

    def forward(self, features: Tensor) -> Tensor:
        """The features (N, F)."""
        return features


def compared(real: Tensor, fake: Tensor) -> dict[str, Any]:
    """All distances of samples from data, by features (N, F) and (M, F)."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(0)  # of KID's parts
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all")
        fid = FrechetInceptionDistance(AsGiven()).set_dtype(torch.float64)
        kid = KernelInceptionDistance(AsGiven(), subsets=50, subset_size=min(1000, len(fake) // 2))
        distance, (kernel, spread) = (_between(each, real, fake) for each in (fid, kid))
    precision, recall = precision_recall(real, fake)
    return {
        "fid": round(float(distance), 4),
        "kid": round(float(kernel), 5),
        "kid_spread": round(float(spread), 5),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
    }


def _between(metric: Metric, real: Tensor, fake: Tensor) -> Any:
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric.compute()
