"""torchvision without its compiled part, which not every installation has beside PyTorch for the CPU: its networks
and transforms need none. `from torchvision_alone import torchvision`."""
import torch

for name in ("nms", "qnms"):  # what its Python files expect to be there
    try:
        torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
    except RuntimeError:
        pass
import torchvision  # noqa: E402, F401
