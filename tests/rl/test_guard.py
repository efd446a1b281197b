"""The interlock: amber, all-red, minimum and maximum green hold whatever anybody asks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arz import Controls
from rl.guard import Guard, guard
from rl.layout import Green, Lights
from rl.task import Task
from rl.worlds import Worlds
from tests.rl.makers import spec

CLOSE = 1e-6


def play(guard_: Guard, lost_s: float, decision_s: float, wishes: list[int]) -> list[tuple[int, float]]:
    """The greens (phase, seconds) of one signal whose lights are kept by a clock of their own; the last one is not finished."""
    phase, begun, time_s, greens = 0, 0.0, 0.0, []
    for wish in wishes:
        age = time_s - begun
        granted = int(guard_.grant(np.array([[wish]]), np.array([[phase]]), np.array([[age]]), decision_s)[0, 0])
        if granted != phase:
            assert age >= -CLOSE, "a change was cut short"
            greens.append((phase, age))
            phase, begun = granted, time_s + lost_s
        time_s += decision_s
    return [*greens, (phase, time_s - begun)]


@given(
    wishes=st.lists(st.integers(0, 2), min_size=1, max_size=200),
    lost_s=st.sampled_from([0.0, 5.0, 7.5, 20.0]),
    decision_s=st.sampled_from([1.0, 5.0, 15.0]),
    least=st.sampled_from([0.0, 5.0, 12.0]),
    more=st.sampled_from([0.0, 10.0, 60.0]),
)
def test_no_green_is_too_short_or_too_long(wishes: list[int], lost_s: float, decision_s: float, least: float, more: float) -> None:
    """Of three phases, whatever is asked, and whatever divides what."""
    phases = tuple(Green((at,), 30.0) for at in range(3))
    made = guard((Lights("x", phases, lost_s, 0.0, least, least + decision_s + more),), decision_s)

    *greens, last = play(made, lost_s, decision_s, wishes)

    assert all(length >= least - CLOSE for _, length in greens)
    assert all(length <= least + decision_s + more + CLOSE for _, length in [*greens, last])


def test_a_signal_that_asks_for_more_keeps_more() -> None:
    """The larger of the signal's own minimum (5 s here) and the task's holds; the solver itself does not enforce it."""
    assert spec(min_green_s=0.0).guard.min_green_s.tolist() == [5.0, 5.0]
    assert spec(min_green_s=8.0).guard.min_green_s.tolist() == [8.0, 8.0]


def test_one_phase_is_always_green() -> None:
    """A signal with nothing to change to is never told to change."""
    made = guard((Lights("x", (Green((0,), 30.0),), 0.0, 0.0, 5.0, 60.0),), 15.0)

    assert not made.may_change(np.array([[1000.0]])).any()
    assert made.grant(np.array([[0]]), np.array([[0]]), np.array([[1000.0]]), 15.0).tolist() == [[0]]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    how=st.sampled_from(["random", "always the other", "never", "out of step"]),
    seconds=st.sampled_from([1.0, 4.0, 15.0]),
    phases=st.sampled_from(["corridor", "victoria_island"]),
)
def test_the_lights_obey_the_interlock(seed: int, how: str, seconds: float, phases: str) -> None:
    """In the simulator, watched second by second: between two greens everything is red for amber and all-red; both bounds hold."""
    made = spec(scenario=phases, options={}, min_green_s=7.0, max_green_s=40.0)
    worlds = Worlds(made.layout, made.guard, 1)
    worlds.begin([seed])
    rng = np.random.default_rng(seed)
    signals, lost = len(made.layout.signals), made.layout.signals[0].lost_s
    greens: list[list[float]] = [[] for _ in range(signals)]
    for number in range(round(200 / seconds)):
        now = worlds.moment.measures
        wish = {
            "random": rng.integers(0, 2, (1, signals)),
            "always the other": 1 - now.phase,
            "never": now.phase,
            "out of step": np.full((1, signals), number % 2),
        }[how]
        was = now
        now = worlds.advance(Controls(phase=wish), seconds).measures
        for signal in range(signals):
            before, after = float(was.phase_age_s[0, signal]), float(now.phase_age_s[0, signal])
            if now.phase[0, signal] != was.phase[0, signal]:
                assert after == pytest.approx(seconds - lost), "amber and all-red were not whole"
                if number:
                    greens[signal].append(before)
            else:
                assert after == pytest.approx(before + seconds)
    for signal in range(signals):
        # The first green began under the fixed plan.
        assert all(length >= 7.0 - CLOSE for length in greens[signal])
        assert all(length <= 40.0 + CLOSE for length in greens[signal][1:])
        assert worlds.moment.measures.phase_age_s[0, signal] <= 40.0 + CLOSE


@given(age=st.floats(-10, 200), phase=st.integers(0, 2), seconds=st.sampled_from([1.0, 15.0]))
def test_what_the_mask_allows_is_granted(age: float, phase: int, seconds: float) -> None:
    """An allowed phase is what comes; there is always one."""
    phases = tuple(Green((at,), 30.0) for at in range(3))
    made = guard((Lights("x", phases, 5.0, 0.0, 10.0, 60.0),), seconds)
    now, since = np.array([[phase]]), np.array([[age]])
    allowed = made.allowed(now, since, seconds)[0, 0]

    assert allowed.any()
    for wish in range(3):
        granted = made.grant(np.array([[wish]]), now, since, seconds)[0, 0]
        assert (granted == wish) == allowed[wish]


@pytest.mark.parametrize("kind", ["phase", "switch"])
@pytest.mark.parametrize("agents", ["multi", "joint", "shared"])
def test_the_masks_of_a_task_keep_their_word(kind: str, agents: str) -> None:
    """Random allowed actions are carried out as they are; one that is not allowed comes to nothing, or is overruled."""
    task = Task(spec(action={"kind": kind}, agents=agents, max_green_s=45.0), 2)
    task.reset([0, 1])
    rng = np.random.default_rng(0)
    for _ in range(18):
        now = task.worlds.moment.measures.phase
        masks = task.action_masks()
        edges = np.cumsum([0, *task.action_sizes])
        actions = np.zeros((2, task.agent_count, len(task.action_sizes)), int)
        for place in np.ndindex(actions.shape):
            options = np.flatnonzero(masks[place[0], place[1], edges[place[2]] : edges[place[2] + 1]])
            actions[place] = rng.choice(options)
        choice = task.agents.choices(actions)
        done = task.step(actions)
        meant = choice if kind == "phase" else (now + choice) % 2

        assert (done.moment.measures.phase == meant).all()


def test_the_fixed_plan_runs_on_until_somebody_asks() -> None:
    """Without a wish the plan holds, to the moment; after the first wish the phase that is, as long as the interlock lets it."""
    made = spec(max_green_s=30.0)
    worlds = Worlds(made.layout, made.guard, 1)
    worlds.begin([0])
    changes = sum(int(worlds.advance(Controls(), 1.0).changes.sum()) for _ in range(120))
    worlds.begin([0])
    worlds.advance(Controls(phase=worlds.moment.measures.phase), 1.0)
    held = [int(worlds.advance(Controls(), 1.0).changes.sum()) for _ in range(120)]

    assert changes == 8  # two signals, two cycles of 60 s
    assert 4 <= sum(held) <= 8
    assert worlds.moment.measures.phase_age_s.max() <= 30.0
