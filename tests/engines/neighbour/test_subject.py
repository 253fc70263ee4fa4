"""The photograph's features in the reference's distribution, and still apart from each other."""

import pytest
import torch

from restyle.engines.base import File
from restyle.engines.neighbour.levels import Level, tiles
from restyle.engines.neighbour.reference import Reference, look, moments_of
from restyle.engines.neighbour.subject import CONTENT, Sight, seen, subject_of
from restyle.engines.neighbour.vgg import VGG16
from restyle.engines.neighbour.views import tensor
from restyle.engines.neighbour.weights import read_weights
from tests.support.photographs import photograph

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network(few_channels: File) -> VGG16:
    return VGG16(read_weights(few_channels.path, 8, few_channels.sha256), CPU)


@pytest.fixture(scope="module")
def reference(network: VGG16) -> Reference:
    return look(network, [tensor(photograph("coffee", 96, 72), CPU)])


@pytest.fixture(scope="module")
def sight(network: VGG16, reference: Reference) -> Sight:
    return seen(network, tensor(photograph("chelsea", 96, 64), CPU), reference, tiles(Level(96, 64, 1))[0])


def test_a_pale_photograph_is_matched_with_all_of_the_reference(reference: Reference, sight: Sight) -> None:
    """Half the contrast finds the same columns, though as it is it would lie beside few of them."""
    queries = subject_of([sight], reference).queries(sight.keys)
    spread = queries.T @ queries / len(queries)
    assert float(spread.trace()) == pytest.approx(float(reference.covariance.trace()), rel=0.1)
    pale = Sight(sight.tile, 0.5 * sight.keys + 3, sight.content)
    found = (reference.nearest(subject_of([each], reference).queries(each.keys)) for each in (sight, pale))
    same, alike = next(found), next(found)
    assert float((same == alike).float().mean()) > 0.6
    assert len(set(same.tolist())) > len(set(reference.nearest(sight.keys).tolist()))


def test_what_is_kept_goes_from_the_photographs_to_the_references_moments(reference: Reference, sight: Sight) -> None:
    subject = subject_of([sight], reference)
    assert torch.equal(subject.kept(sight.content, 0.0), sight.content)
    wanted = torch.cat(reference.moments[CONTENT])

    def far(strength: float) -> float:
        return float((torch.cat(moments_of(subject.kept(sight.content, strength))) - wanted).norm() / wanted.norm())

    assert far(1.0) < far(0.5) < far(0.0)
    assert far(1.0) < 0.2
