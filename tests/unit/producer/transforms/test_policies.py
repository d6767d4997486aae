"""RandAugment and AugMix against the Keras layers of their names, and against the formula of AugMix.

What chance does in the layers cannot be compared draw by draw: they draw the operations once for a batch, and
AugMix by Python's own generator. So the operations are compared, one by one with all their arguments, and
then the pixels, when Keras is told which operations to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, Array, ours

from feedline import from_keras_layers
from feedline.common.declarations.catalogue import num_draws
from feedline.common.job.images import Job
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline as Prepared
from feedline.transforms import AugMix, RandAugment, RandomContrast, RandomPosterization, Transform

PHOTO = PHOTOS["astronaut"]
SIZE = PHOTO.shape[:2]
BATCH = PHOTO[np.newaxis].astype(np.float32)
STRENGTH = 0.37
POINT = (STRENGTH, STRENGTH)


def name_in_keras(transform: Transform) -> str:
    return re.sub(r"(?<=.)(?=[A-Z])", "_", type(transform).__name__).lower()


def chosen(policy: Any, which: int, own: Sequence[float], num_others: int = 0) -> list[float]:
    """Draws of one place of a policy, by which it does one operation with draws of its own."""
    operations = policy.operations
    draws = [(which + 0.5) / (len(operations) + num_others)]
    for place, operation in enumerate(operations):
        draws += own if place == which else [0.123] * operation.num_draws
    return draws


def draws_of(
    policy: Any, *places: tuple[int, list[float]], own: Sequence[float] = (), num_others: int = 0
) -> list[float]:
    """Draws of its own, and those by which each place does one operation with draws of its own."""
    return [*own, *(draw for which, drawn in places for draw in chosen(policy, which, drawn, num_others))]


_ONE_CHAIN = AugMix(num_chains=1, chain_depth=2)
GOLDEN: list[Golden] = [
    (RandAugment(), draws_of(RandAugment(), (3, [0.2123]), (7, [0.7])), SMALL, "ea1ce834f04dff37"),
    (
        _ONE_CHAIN,
        draws_of(_ONE_CHAIN, (7, [0.7123]), (3, [0.1]), own=[0.3, 0.6], num_others=1),
        SMALL,
        "69c8c2ba76ba7a82",
    ),
]


def draws_of_point(transform: Transform, drawn: Mapping[str, Any] | None) -> list[float]:
    """Draws by which an operation of `POINT` does what the Keras layer has drawn."""
    to_draws: dict[str, Callable[[Any], list[float]]] = {
        "RandomShear": lambda drawn: [0.2 if np.ravel(drawn["shear_factor"])[0] > 0 else 0.7, 0.5, 0.5],
        "RandomContrast": lambda drawn: [
            (float(np.ravel(drawn["contrast_factor"])[0]) - (1 - STRENGTH)) / (2 * STRENGTH)
        ],
        "RandomPosterization": lambda drawn: [
            (8 - int(np.ravel(drawn["shift_factor"])[0]) - 0.5) / transform.factor[1]  # type: ignore[attr-defined]
        ],
        "Solarization": lambda drawn: [
            (float(np.ravel(drawn[name])[0]) - STRENGTH) / (255 * STRENGTH - STRENGTH)
            for name in ("additions", "thresholds")
        ],
    }
    return to_draws.get(type(transform).__name__, lambda _: [0.5] * transform.num_draws)(drawn)


POLICIES: list[tuple[Any, Any]] = [
    (RandAugment(), keras.layers.RandAugment()),
    (RandAugment((0, 1), 3, 0.9, "nearest"), keras.layers.RandAugment((0, 1), 3, 0.9, "nearest")),
    (RandAugment(factor=(0.2, 0.6)), keras.layers.RandAugment(factor=(0.2, 0.6))),
    (AugMix(), keras.layers.AugMix()),
    (AugMix(all_ops=False, factor=0.8), keras.layers.AugMix(all_ops=False, factor=0.8)),
    (AugMix((-1, 1), 2, 4, (0.1, 0.2), 0.5), keras.layers.AugMix((-1, 1), 2, 4, (0.1, 0.2), 0.5)),
]


@pytest.mark.parametrize(("policy", "layer"), POLICIES, ids=lambda value: type(value).__name__)
def test_the_operations_are_those_of_the_layer_with_all_their_arguments(policy: Any, layer: Any) -> None:
    names = getattr(layer, "_augment_layers", None) or layer._AUGMENT_LAYERS
    assert policy.operations == from_keras_layers([getattr(layer, name) for name in names])
    assert [name_in_keras(operation) for operation in policy.operations] == names


# --- RandAugment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(11))
def test_each_operation_makes_the_pixels_that_keras_makes_when_it_draws_it(which: int) -> None:
    layer = keras.layers.RandAugment(factor=POINT, num_ops=1)
    policy = RandAugment(factor=POINT, num_ops=1)
    drawn = layer.get_random_transformation(BATCH)
    expected = np.asarray(layer.transform_images(BATCH, drawn | {"layer_idxes": np.array([which])}))[0]
    operation = policy.operations[which]
    own = draws_of_point(operation, drawn["transforms"][name_in_keras(operation)])
    difference = np.abs(ours([policy], PHOTO, chosen(policy, which, own)) - expected)
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 2) >= 0.99


def test_operations_follow_one_another_each_with_draws_of_its_own() -> None:
    policy = RandAugment(num_ops=3)
    first, second, third = (policy.operations[which] for which in (2, 7, 2))
    draws = draws_of(policy, (2, [0.9]), (7, [0.4]), (2, [0.1]))
    assert policy.num_draws == len(draws)
    np.testing.assert_array_equal(
        ours([policy], PHOTO, draws),
        ours([third], ours([second], ours([first], PHOTO, [0.9]), [0.4]), [0.1]),
    )


def test_boxes_and_masks_follow_the_operations_that_move_pixels() -> None:
    policy = RandAugment(factor=POINT)
    boxes = np.array([[110, 120, 210, 190, 3], [150, 100, 290, 290, 1]], np.float32)
    classes = (PHOTO[:, :, :1] // 8).copy()
    translation, brightness = policy.operations[1], policy.operations[3]
    draws = np.array(draws_of(policy, (3, [0.5]), (1, [0.5, 0.5])))
    plain = Prepared([translation], SIZE, 3, "uint8", "uint8")
    prepared = Prepared([policy], SIZE, 3, "uint8", "uint8")
    own = np.array([0.5] * translation.num_draws)
    np.testing.assert_array_equal(prepared.move(boxes, draws, SIZE), plain.move(boxes, own, SIZE))
    assert brightness.num_draws == 1
    masks = [Prepared([one], SIZE, 1, "uint8", "uint8", Role.MASK) for one in (policy, translation)]
    made, expected = np.empty((2, *classes.shape), np.uint8)
    masks[0].apply(classes, draws, made)
    masks[1].apply(classes, own, expected)
    np.testing.assert_array_equal(made, expected)


# --- AugMix --------------------------------------------------------------------------------------


def literal_augmix(
    image: Array,
    own: float,
    weights: Sequence[float],
    chains: Sequence[Sequence[tuple[Transform, list[float]]]],
) -> Array:
    """Algorithm 1 of arXiv 1912.02781, with m the share of the image itself."""
    mixed = np.zeros(image.shape)
    for weight, chain in zip(weights, chains, strict=True):
        augmented = image
        for operation, draws in chain:
            augmented = ours([operation], augmented, draws)
        mixed += weight * augmented
    return own * image + (1 - own) * mixed


def test_what_is_blended_is_the_formula_of_the_paper() -> None:
    policy = AugMix(factor=(0.1, 0.4), num_chains=3, chain_depth=2)
    nothing = len(policy.operations)
    rotation, posterization, contrast = (policy.operations[which] for which in (2, 3, 9))
    assert isinstance(posterization, RandomPosterization)
    assert isinstance(contrast, RandomContrast)
    places = [(2, [0.9]), (3, [0.6]), (9, [0.7]), (nothing, []), (nothing, []), (nothing, [])]
    draws = draws_of(policy, *places, own=[0.3, 0.6], num_others=1)
    own, *weights = policy.shares(np.array(draws))
    chains = [[(rotation, [0.9]), (posterization, [0.6])], [(contrast, [0.7])], []]
    expected = literal_augmix(PHOTO, own, np.array(weights) / (1 - own), chains)
    assert policy.num_draws == len(draws)
    np.testing.assert_allclose(ours([policy], PHOTO, draws), expected, atol=0.501)
    floats = ours([policy], PHOTO, draws, "float32")
    assert np.mean(np.abs(floats - expected) <= 2) >= 0.99


def test_the_blend_is_that_of_keras() -> None:
    layer, policy = keras.layers.AugMix(factor=POINT), AugMix(factor=POINT, chain_depth=1)
    translation, brightness = policy.operations[1], policy.operations[7]
    places = [(1, [0.5, 0.5]), (7, [0.5]), (len(policy.operations), [])]
    draws = draws_of(policy, *places, own=[0.3, 0.6], num_others=1)
    own, *weights = policy.shares(np.array(draws))
    told = {
        "weight_sample": own,
        "chain_mixing_weights": np.array(weights) / (1 - own),
        "chain_transforms": [
            [
                {
                    "layer_name": name_in_keras(operation),
                    "transformation": getattr(layer, name_in_keras(operation)).get_random_transformation(
                        BATCH
                    ),
                }
                for operation in chain
            ]
            for chain in ([translation], [brightness], [])
        ],
    }
    difference = np.abs(ours([policy], PHOTO, draws) - np.asarray(layer.transform_images(BATCH, told))[0])
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 2) >= 0.99


def test_shares_add_up_and_are_drawn_from_beta_and_dirichlet() -> None:
    draws = np.random.default_rng(0).random((2000, 2))
    shares = np.array([AugMix(alpha=1.0, num_chains=4).shares(own) for own in draws])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    # Beta(1, 1) is even: mean 1/2, variance 1/12. Dirichlet(1, 1, 1, 1) has mean 1/4, variance 3/80.
    assert shares[:, 0].mean() == pytest.approx(1 / 2, abs=0.02)
    assert shares[:, 0].var() == pytest.approx(1 / 12, abs=0.01)
    of_chains = shares[:, 1:] / (1 - shares[:, :1])
    np.testing.assert_allclose(of_chains.mean(axis=0), 1 / 4, atol=0.02)
    np.testing.assert_allclose(of_chains.var(axis=0), 3 / 80, atol=0.005)


@pytest.mark.parametrize(
    ("follows", "text"),
    [
        ({"companions": (Companion("mask0", "mask"),)}, "mask would not follow"),
        ({"companions": (Companion("y", "target"),)}, "target would not follow"),
        ({"boxes": BoxSpec(3)}, "boxes would not follow"),
    ],
)
def test_nothing_can_follow_pixels_that_are_blended_from_several_places(follows: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"AugMix blends images .* different ways, and {text}"):
        Job(1, 0, 2, ImageSpec(8, 8), (AugMix(),), "uint8", (), **follows)
    assert Job(1, 0, 2, ImageSpec(8, 8), (RandAugment(),), "uint8", (), **follows).x.shape == (8, 8, 3)


def test_images_that_an_operation_cannot_take_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"RandAugment: RandomColorDegeneration changes colours"):
        Job(1, 0, 2, ImageSpec(8, 8, "grayscale"), (RandAugment(),), "uint8", ())
    with pytest.raises(ConfigurationError, match=r"RandAugment would clip uint16 .*value_range=\(0, 65535\)"):
        RandAugment().output_dtype("uint16")


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda: RandAugment(num_ops=0), "num_ops of RandAugment.*0"),
        (lambda: RandAugment(factor=1.5), "factor of RandAugment.*1.5"),
        (lambda: AugMix(alpha=0), "alpha of AugMix must be above 0.*0"),
        (lambda: AugMix(num_chains=0), "num_chains of AugMix.*0"),
        (lambda: AugMix(chain_depth=1.5), "chain_depth of AugMix.*1.5"),
        (lambda: AugMix(all_ops=1), "all_ops must be True or False.*1"),
    ],
)
def test_what_cannot_work_is_refused(make: Callable[[], Any], quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        make()


def test_a_model_is_judged_without_them() -> None:
    assert RandAugment().without_chance is None
    assert AugMix().without_chance is None
    assert num_draws([AugMix(num_chains=1, chain_depth=1)]) == 2 + 1 + num_draws(AugMix().operations)
