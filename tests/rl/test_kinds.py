"""What every observation, reward, action and controller promises; a new kind is tested by being registered."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

import arz
from rl.actions.base import Action
from rl.actions.registry import ACTIONS
from rl.controllers.alinea import Alinea
from rl.controllers.base import Controller
from rl.controllers.fixed_time import FixedTime
from rl.controllers.max_pressure import MaxPressure
from rl.controllers.plans import Plans
from rl.controllers.policy import Policy
from rl.controllers.registry import CONTROLLERS
from rl.controllers.webster import Webster, flows
from rl.observations.base import Observation
from rl.observations.registry import OBSERVATIONS
from rl.rewards.base import Reward
from rl.rewards.registry import REWARDS
from rl.scores import METRICS, drive, paired
from rl.setting import Setting
from rl.task import Task, TaskSpec
from rl.tasks import ready
from tests.rl.makers import at, chance, spec

if TYPE_CHECKING:
    from rl.layout import Layout

SITES = ("signal", "meter", "section")
ACTION_AT = {action.site_kind: action.model_fields["kind"].default for action in reversed(ACTIONS)}


def task_at(site: str, worlds: int = 2, **changes: object) -> Task:
    return Task(at(site, **changes), worlds)


@pytest.mark.parametrize("kind", [*OBSERVATIONS, *REWARDS, *ACTIONS, *CONTROLLERS])
def test_a_kind_is_a_record(kind: type[Setting]) -> None:
    """Frozen, told by its `kind`, the same from JSON, with unknown fields refused."""
    made = kind()

    assert made.model_dump()["kind"] == kind.model_fields["kind"].default
    assert kind.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(arz.Invalid, match="colour"):
        kind(colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_an_observation_is_bounded_and_of_the_moment(kind: type[Observation], site: str) -> None:
    """Between 0 and 1 for every site of any kind, one number for each name, and nothing but the moment goes into it."""
    task = task_at(site, observation=kind())
    task.reset([0, 1])
    sensor = task.spec.observation.sensor(task.spec.layout, task.sites, task.worlds.guard)
    rows = []
    for number in range(8):
        task.step(chance(task, number))
        seen = sensor.read(task.worlds.moment)
        assert seen.dtype == np.float32
        assert seen.shape == (2, len(task.sites), len(sensor.names))
        assert 0 <= seen.min()
        assert seen.max() <= 1
        assert seen.tobytes() == sensor.read(task.worlds.moment).tobytes()
        rows.append(seen)
    assert np.ptp(np.stack(rows), axis=0).max() > 0.01
    assert len(set(task.features)) == len(task.features)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("kind", REWARDS)
def test_a_reward_adds_up(kind: type[Reward], site: str) -> None:
    """Weights multiply, terms add up, and every world is rewarded as if it were alone."""
    once, thrice = task_at(site, reward=(kind(weight=1.0),)), task_at(site, reward=(kind(weight=2.5), kind(weight=0.5)))
    alone = task_at(site, worlds=1, reward=(kind(weight=1.0),))
    for task, seeds in ((once, [4, 5]), (thrice, [4, 5]), (alone, [5])):
        task.reset(seeds)
    for number in range(6):
        actions = chance(once, number)
        first, second, third = once.step(actions), thrice.step(actions), alone.step(actions[1:])
        assert np.isfinite(first.reward).all()
        assert np.allclose(second.reward, 3 * first.reward, rtol=1e-5, atol=1e-7)
        assert third.reward[0].tobytes() == first.reward[1].tobytes()


def test_what_agents_are_praised_for_is_theirs() -> None:
    """Local delays add up to no more than the delay of all; throughput is everybody's."""
    shared, all_ = Task(spec(agents="shared")), Task(spec())
    for task in (shared, all_):
        task.reset([1])
    total = 0.0
    for number in range(10):
        actions = chance(shared, number)
        mine, whole = shared.step(actions), all_.step(actions.reshape(1, 1, -1))
        assert mine.reward.sum() >= whole.reward.sum() - 1e-6
        assert (mine.reward <= 0).all()
        total += float(whole.reward.sum())
    assert total < 0


def test_agents_may_see_all_and_share_their_praise() -> None:
    """Each sees every site, and which is its own; with a common reward of 1 all get the mean, with a half the middle."""
    own, seeing, half, one = (Task(spec(agents="shared", **more), 2) for more in ({}, {"sees": "all"}, {"common": 0.5}, {"common": 1.0}))
    for task in (own, seeing, half, one):
        task.reset([1, 2])
    wide = seeing.step(chance(own, 99))
    for task in (own, half, one):
        task.step(chance(own, 99))
    for number in range(6):
        actions = chance(own, number)
        mine, wide, mixed, same = (task.step(actions) for task in (own, seeing, half, one))
        flat = mine.observation[:, :, :-1].reshape(2, 1, -1)
        assert (wide.observation[:, :, : flat.shape[2]] == flat).all()
        assert (wide.observation[:, :, flat.shape[2] : -1] == np.eye(2)).all()
        assert (wide.observation[:, :, -1] == mine.observation[:, :, -1]).all()
        mean = mine.reward.mean(axis=1, keepdims=True)
        assert np.allclose(same.reward, mean, rtol=1e-5)
        assert np.allclose(mixed.reward, (mine.reward + mean) / 2, rtol=1e-5)
        assert wide.reward.tobytes() == mine.reward.tobytes()
    assert len(seeing.features) == len(set(seeing.features)) == wide.observation.shape[2]


@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.parametrize("agents", ["multi", "joint", "shared"])
def test_an_action_has_masks_and_a_way_back(kind: type[Action], agents: str) -> None:
    """Every agent can always do something; from choices to actions and back nothing changes; unknown options keep what is."""
    task = task_at(kind.site_kind, action=kind(), agents=agents)
    task.reset([0, 1])
    rng = np.random.default_rng(1)
    for _ in range(5):
        choice = rng.integers(0, np.array(task.lever.options), (2, len(task.sites)))
        actions = task.agents.actions(choice)
        assert np.array_equal(task.agents.choices(actions), choice)
        assert task.action_masks().shape == (2, task.agent_count, sum(task.action_sizes))
        assert task.action_masks().any(axis=2).all()
        task.step(actions)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_a_controller_is_the_same_in_any_batch(kind: type[Controller]) -> None:
    """An episode under a rule has the same scores alone, among others, and a second time; scores are sound."""
    task = task_at(kind.drives or "signal", worlds=3)
    layout, guard = task.spec.layout, task.spec.guard
    driver = kind().driver(layout, guard)
    three = drive(task.worlds, driver, [1, 2, 3], task.spec.decision_s)
    again = drive(task.worlds, driver, [3, 1, 2], task.spec.decision_s)
    one = drive(task_at(kind.drives or "signal", worlds=1).worlds, kind().driver(layout, guard), [2, 3], task.spec.decision_s)

    for metric in METRICS:
        values = three.of(metric)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        assert values[[2, 0, 1]].tolist() == again.of(metric).tolist()
        assert values[1:].tolist() == one.of(metric).tolist()
    assert np.allclose(three.came - three.waiting, three.left + three.inside, rtol=1e-5)
    assert (three.spent_s >= three.lost_s - 1e-6).all()


@pytest.mark.parametrize("kind", [kind for kind in CONTROLLERS if kind.drives])
def test_a_rule_is_refused_where_there_is_nothing_to_control(kind: type[Controller]) -> None:
    made = at("meter" if kind.drives == "signal" else "signal")

    with pytest.raises(arz.Invalid, match="has none"):
        kind().driver(made.layout, made.guard)


@pytest.mark.parametrize("kind", [kind for kind in CONTROLLERS if kind.drives == "signal"])
def test_a_rule_for_lights_uses_them(kind: type[Controller]) -> None:
    """In a busy quarter of an hour the lights change, not all the time, and traffic moves."""
    made = spec(horizon_s=900.0)
    task = Task(made)
    scores = drive(task.worlds, kind().driver(made.layout, made.guard), [0], made.decision_s)

    assert 20 <= scores.of("switches_per_h")[0] <= 3600 / (made.min_green_s + 5)
    assert scores.of("throughput_veh_per_h")[0] > 3000


def test_webster_has_the_flows_of_the_demand() -> None:
    """What the demand brings is carried on by the turning shares, and leaves: inflows equal outflows; a busier road gets more green."""
    made = spec()
    layout = made.layout
    carried = flows(layout).sum(axis=1) * 3600

    assert carried[list(layout.entries)].sum() == pytest.approx(2 * 1200 + 4 * 400)
    assert carried[list(layout.outlets)].sum() == pytest.approx(carried[list(layout.entries)].sum())
    plans = Webster().driver(layout, made.guard)
    assert isinstance(plans, Plans)
    greens = np.diff([*plans.begins[0], plans.cycle[0]]) - layout.signals[0].lost_s
    assert greens[0] > greens[1]


@pytest.mark.parametrize("stretch", [0.7, 1.0, 1.3, 2.0])
def test_signals_of_one_cycle_stay_in_step(stretch: float) -> None:
    """With `common` every signal of the twin has the same cycle to the second, whatever was rounded."""
    made = TaskSpec()
    plans = Webster(common=True, stretch=stretch).driver(made.layout, made.guard)

    assert isinstance(plans, Plans)
    assert len(set(plans.cycle.tolist())) == 1


def test_a_made_plan_is_kept_to_the_second() -> None:
    """A stretched plan changes the lights when its clock says, whatever the decisions of the task."""
    made = spec(horizon_s=300.0)
    driver = FixedTime(stretch=1.5).driver(made.layout, made.guard)  # greens of 45 and 30 s, 85 s a cycle
    task = Task(made)
    scores = drive(task.worlds, driver, [0], made.decision_s)

    # From the phase that the given plan has at first: 45 s, then 80 s, then every cycle.
    assert scores.switches[0] >= 2 * (300 // 85) * 2 - 2
    assert isinstance(driver, Plans)
    assert driver.cycle.tolist() == [85.0, 85.0]


@pytest.mark.parametrize("made", [FixedTime(offsets=0.0), Webster(common=True, offsets=0.0)])
def test_plans_may_begin_all_at_once(made: FixedTime | Webster) -> None:
    """The corridor's green wave is told by offsets; times 0 all lights change together, times 1 they do as in the plan as given."""
    task = ready("Corridor", horizon_s=300.0)
    wave, once = (each.driver(task.layout, task.guard) for each in (made.model_copy(update={"offsets": 1.0, "stretch": 0.9}), made))

    assert isinstance(wave, Plans)
    assert isinstance(once, Plans)
    assert len(set(once.offset.tolist())) == 1
    assert len(set(wave.offset.tolist())) == 5


def test_max_pressure_chooses_who_waits() -> None:
    """Where all come from the side streets, those are green nearly all the time."""
    made = spec(options={"crossings": 2, "block_m": 200.0, "demand_veh_per_h": 0.0, "side_veh_per_h": 900.0})
    task = Task(made)
    driver = MaxPressure().driver(made.layout, made.guard)
    moment = task.worlds.begin([0])
    phases = []
    for _ in range(60):
        moment = task.worlds.advance(driver.controls(moment), 5.0)
        phases.append(moment.measures.phase[0])

    assert np.mean(phases[10:]) > 0.7


def test_alinea_holds_back_what_is_too_much() -> None:
    """The denser the road behind the merge, the lower the rate, within its bounds; a full ramp is opened."""
    made = at("meter", horizon_s=1800.0)
    task = Task(made)
    driver = Alinea(target=0.2, spill=10.0).driver(made.layout, made.guard)
    held = drive(task.worlds, driver, [0], made.decision_s)
    rates = task.worlds.moment.rate_veh_per_h
    opened = drive(task.worlds, Alinea(target=0.2, spill=0.01).driver(made.layout, made.guard), [0], made.decision_s)

    assert rates.tolist() == [[240.0]]
    assert held.waiting.sum() > opened.waiting.sum()


def test_a_policy_is_a_controller() -> None:
    """What a policy does through `drive` is what it does in the task: the same episode, the same scores."""
    made = spec(agents="shared")
    task = Task(made, 2)

    def choose(seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
        assert masks.any(axis=1).all()
        return (seen[:, 0] > seen[:, 2]).astype(int)

    scores = drive(task.worlds, Policy(task, choose), [5, 6], made.decision_s)
    seen = task.reset([5, 6])
    left = np.zeros(2)
    for _ in range(made.decisions):
        done = task.step(choose(seen.reshape(4, -1), np.ones((4, 2), bool)).reshape(2, 2, 1))
        seen, left = done.observation, done.moment.measures.left.sum(axis=1)

    assert np.allclose(left, scores.left)


def test_scores_are_compared_on_the_same_days_only() -> None:
    """Pairs of other seeds or horizons are refused."""
    made, longer = spec(), spec(horizon_s=600.0)
    task = Task(made, 2)
    driver = FixedTime().driver(made.layout, made.guard)
    one, two = (drive(task.worlds, driver, seeds, 15.0) for seeds in ([1, 2, 3], [1, 2, 4]))
    three = drive(Task(longer, 2).worlds, driver, [1, 2, 3], 15.0)

    assert paired(one, one, "delay_s").tolist() == [0, 0, 0]
    for other in (two, three):
        with pytest.raises(arz.Invalid, match="scores"):
            paired(one, other, "delay_s")
    with pytest.raises(arz.Invalid, match="metric"):
        one.of("speed")


def test_the_layout_knows_what_leads_where() -> None:
    """Stretches go upstream as far as there is one way; exits are numbered; shares add up."""
    layout: Layout = spec().layout
    names = layout.roads
    west = layout.sites["signal"][0].stretches[0]

    assert [names[road] for road in west] == ["inm1_0-c0_0"]
    for road in range(len(names)):
        onward = layout.onward[road]
        assert not onward or np.allclose(sum(share for _, share in onward), 1)
    assert layout.near(west, 1.0) == west[:1]
