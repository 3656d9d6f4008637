"""The nets of rows that a model's file may name."""

from __future__ import annotations

from generative.coders import Convolutional, Dense, Network
from generative.dcgan import DCGAN

NETWORKS: tuple[type[Network], ...] = (Dense, Convolutional, DCGAN)
