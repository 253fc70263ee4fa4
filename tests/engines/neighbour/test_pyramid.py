import torch

from restyle.engines.neighbour.pyramid import with_contrast


def test_lines_become_as_strong_as_the_references_and_a_grain_between_them_weaker() -> None:
    drawn, wanted = torch.full((1, 3, 64, 64), 0.5), torch.full((1, 3, 64, 64), 0.5)
    drawn += 0.02 * torch.randn(drawn.shape, generator=torch.Generator().manual_seed(0))
    drawn[..., 16::32] -= 0.3
    wanted[..., 8::32] -= 0.4

    def grain_and_line(picture: torch.Tensor) -> tuple[float, float]:
        flat = torch.cat([picture[..., 22:42], picture[..., 54:]], dim=3)
        return float(flat.std()), float(flat.mean() - picture[..., 16::32].mean())

    before, after = grain_and_line(drawn), grain_and_line(with_contrast(drawn, wanted, 1.0))
    assert after[0] < 0.7 * before[0]
    assert after[1] > 1.1 * before[1]
    half = grain_and_line(with_contrast(drawn, wanted, 0.5))
    assert after[0] < half[0] < before[0]
    assert torch.allclose(with_contrast(drawn, wanted, 0.0), drawn, atol=1e-6)
