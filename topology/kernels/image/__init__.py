"""The guest kernel's image: kernel, initrd and read-only root file system of a QEMU microVM.

``python -m topology.kernels.image build | where | export FILE | import FILE``
"""

from __future__ import annotations

from topology.kernels.image.recipe import (
    ANSIBLE_RECIPE,
    KERNEL_ARGUMENTS,
    RECIPE,
    STUDENT_RECIPE,
    TCG_ARGUMENTS,
    Recipe,
    image_key,
)
from topology.kernels.image.store import Image, ensure_image, find_image

__all__ = [
    "ANSIBLE_RECIPE",
    "KERNEL_ARGUMENTS",
    "RECIPE",
    "STUDENT_RECIPE",
    "TCG_ARGUMENTS",
    "Image",
    "Recipe",
    "ensure_image",
    "find_image",
    "image_key",
]
