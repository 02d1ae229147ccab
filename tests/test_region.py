import numpy as np

from deqn.evaluation.region import Region


def test_a_region_holds_its_cloud_and_little_more():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 0.1, 2000)
    states = np.stack([6 * np.exp(2 * z + rng.normal(0, 0.02, 2000)), z], 1)
    region = Region.enclose(states, np.array([True, False]))
    assert region.covers(states).all()
    assert not region.covers([[6 * np.exp(0.5), -0.25], [6 * np.exp(-0.5), 0.25]]).any()  # corners never visited
    unit = np.array([[-1, -1], [1, 1], [0.3, -0.7]])
    assert region.covers(region.to_states(0.999 * unit)).all()
    assert not region.covers(region.to_states(1.1 * unit[:2])).any()


def test_a_state_that_does_not_move_has_a_region():
    region = Region.enclose(np.stack([np.linspace(1, 2, 50), np.zeros(50)], 1), np.array([False, False]))
    assert region.covers([[1.5, 0.0]]).all() and not region.covers([[1.5, 0.1]]).any()


def test_units_do_not_matter():
    """Interest in units and wealth in thousands: the thin side is as thin as it is in equal units."""
    states = np.random.default_rng(1).normal(size=(500, 2))
    points = np.stack(np.meshgrid(*[np.linspace(-5, 5, 21)] * 2), 2).reshape(-1, 2)
    covered = []
    for units in ([1.0, 1.0], [1e4, 1e-4]):
        region = Region.enclose(states * units, np.array([False, False]))
        covered.append(region.covers(points * units))
    np.testing.assert_array_equal(*covered)


def test_a_wider_region_holds_what_it_is_given():
    states = np.random.default_rng(2).normal(size=(500, 2))
    far = np.array([[9.0, 0.0], [0.0, -7.0]])
    region = Region.enclose(states, np.array([False, False]))
    wide = region.enlarge(far)
    assert not region.covers(far).any() and wide.covers(far).all() and wide.covers(states).all()
    assert wide.covers(region.to_states(np.array([[-1.0, 1.0], [1.0, -1.0]]))).all()


def test_the_outermost_states_are_those_of_the_hull():
    ring = np.stack([np.cos(x := np.linspace(0, 2 * np.pi, 500)), np.sin(x)], 1)
    states = np.concatenate([0.5 * ring, ring])
    region = Region.enclose(states, np.array([False, False]))
    assert np.linalg.norm(region.find_outermost(states), axis=1).min() > 0.99
    line = np.linspace(-1, 3, 100)[:, None]
    region = Region.enclose(line, np.array([False]))
    np.testing.assert_allclose(np.sort(region.find_outermost(line)[:, 0]), [-1, 3])
