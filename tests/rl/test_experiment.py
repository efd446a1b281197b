"""An experiment says everything and nothing wrong: unknown fields, slips of units and impossible values are refused with their path."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arz import ArzError, Invalid
from rl.algorithms import Dqn
from rl.compare import load as outcome_of
from rl.compare import told
from rl.experiment import MOST_SEEDS, PRESETS, Evaluation, Experiment, Training, candidates, changed, load, read, title

QUICK = PRESETS["quick"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_everything(name: str) -> None:
    """Written out and read again it is the same experiment, and its name is its own."""
    preset = PRESETS[name]

    assert preset.name == name
    assert load(preset.model_dump_json(), "x.json") == preset == read(name)


def test_a_preset_is_made_when_it_is_asked_for() -> None:
    """Whoever reads a file of their own, or wants one preset, does not wait for five networks; twice asked for it is the same one."""
    code = "import sys, rl.experiment; print('arz.world.scenarios.registry' in sys.modules, *rl.experiment.PRESETS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", *PRESETS]
    assert PRESETS["quick"] is QUICK


def test_the_full_preset() -> None:
    """24,000 steps are 100 episodes of 240 decisions; Kaggle's has its time limits and is otherwise the same."""
    full, kaggle = PRESETS["full"], PRESETS["kaggle"]

    assert full.steps == 24_000 == 100 * full.task.decisions
    assert kaggle.evaluation.timeout_seconds == 300
    assert kaggle.deadline.timeout_seconds == 8.5 * 3600
    assert (kaggle.task, kaggle.training, kaggle.seeds) == (full.task, full.training, full.seeds)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("training.window_step", 3, "training.window_step: is not a field"),
        ("training.algorithm.kind", "sarsa", "training.algorithm"),
        ("training.algorithm.learning_rate", 3.0, "training.algorithm.learning_rate"),
        ("training.algorithm.learning_rate", "0.001", "training.algorithm.learning_rate"),
        ("training.algorithm.batch", 7, "training.algorithm.batch"),
        ("training.window_steps", 48, "training.window_steps"),
        ("training.worlds", 0, "training.worlds"),
        ("training.normalise", {"observations": False, "rewards": False}, "training.normalise.observations"),
        ("steps", -5, "steps"),
        ("seeds", [], "seeds"),
        ("seeds", [1, 1], "seeds"),
        ("seeds", [MOST_SEEDS], "seeds"),
        ("evaluation.timeout_seconds", -1.0, "evaluation.timeout_seconds"),
        ("simulation.timeout_seconds", 0.0, "simulation.timeout_seconds"),
        ("deadline.timeout_seconds", float("nan"), "deadline.timeout_seconds"),
        ("task.horizon_s", -900.0, "task.horizon_s"),
        ("task.horizon_s", 901.0, "task.horizon_s"),
        ("task.options", {"limit_kmh": 3.0}, "task.options"),
        ("task.scenario", "atlantis", "task.scenario"),
        ("task.action", {"kind": "rate"}, "task"),
        ("task.max_green_s", 3.0, "max_green_s"),
        ("baselines", [{"kind": "webster", "longest_s": 10.0}], "baselines[0].longest_s"),
        ("baselines", [{"kind": "alinea"}], "baselines[0]"),
        ("tuning", {"sotl": {"min_green_s": [5.0]}}, "tuning.sotl"),
        ("tuning", {"webster": {"cycle": [60.0]}}, "tuning.webster.cycle"),
        ("tuning", {"webster": {"stretch": [1.0, -1.0]}}, "tuning.webster.stretch[1]: is -1.0"),
        ("tuning", {"webster": {"stretch": []}}, "tuning.webster.stretch: has no values"),
        ("tuning", {"webster": {"kind": ["sotl"]}}, "tuning.webster.kind: is no field to be tuned"),
        ("tuning", {"webster": {"longest_s": [60.0, 10.0]}}, "tuning.webster.longest_s: is 10 s"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(path: str, value: Any, says: str) -> None:
    """Before anything runs, by the name of the field."""
    with pytest.raises(ArzError) as refused:
        changed(QUICK, {path: value})

    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("step", "did you mean steps?"),
        ("task.decisions_s", "did you mean decision_s?"),
        ("training.algorithm.learning_rte", "did you mean learning_rate?"),
        ("task.action.amber", "take it out"),
        ("task.observation.reach", "did you mean reach_m?"),
        ("task.demand.scael", "did you mean scale?"),
    ],
)
def test_a_mistyped_field_is_compared_with_those_beside_it(path: str, says: str) -> None:
    """Not with those of another record: an action has no name."""
    with pytest.raises(ArzError) as refused:
        changed(QUICK, {path: 1})

    assert f"{path}: is not a field that is known here; {says}" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("task.options", {"crossings": 10**8}, "task.options.crossings"),
        ("task.options", {"block_m": 1e9}, "task.options: make a network of about 2.13e+09 cells"),
        ("task.options", {"block_m": 1e300}, "task.options: make a network"),
        ("task", {"scenario": "grid", "options": {"n": 10**5, "m": 10**5}}, "task.options.n: times m is 10,000,000,000 crossings"),
        ("task.horizon_s", 1e12, "task.horizon_s"),
        ("task.decision_s", 1e12, "task.decision_s: is 1e+12 s, longer than horizon_s"),
        ("task.decision_s", 1e-300, "task.decision_s"),
        ("task", {"horizon_s": 600_000.0, "decision_s": 0.5}, "task.decision_s: is 0.5 s, of which horizon_s (600000 s) holds more than"),
        ("training.algorithm.net", [10**9], "training.algorithm.net[0]"),
        ("training.algorithm.net", [8] * 9, "training.algorithm.net"),
        ("training", {"algorithm": {"kind": "dqn", "buffer_steps": 10**12}}, "training.algorithm.buffer_steps: is 1,000,000,000,000: "),
        ("training", {"algorithm": {"kind": "dqn", "batch": 10**9}}, "training.algorithm.batch: is 1,000,000,000: "),
        (
            "training",
            {"worlds": 64, "window_steps": 10**9, "algorithm": {"kind": "ppo", "rollout_steps": 10**7}},
            "training.algorithm.rollout_steps",
        ),
        ("training.worlds", 10**9, "training.worlds"),
        ("evaluation.days", 10**9, "evaluation.days"),
        (
            "tuning",
            {"webster": {"stretch": [1.0 + at / 100 for at in range(40)], "longest_s": [60.0 + at for at in range(40)]}},
            "tuning.webster: makes 1,600 combinations",
        ),
    ],
)
def test_what_would_eat_the_machine_is_refused(path: str, value: Any, says: str) -> None:
    """Sizes that no laptop bears, before anything of that size is made, by the name of the field and with what fits."""
    with pytest.raises(ArzError) as refused:
        changed(QUICK, {path: value})

    assert str(refused.value).startswith(says)


def test_more_worlds_of_a_large_network_than_fit_are_refused() -> None:
    """Each of both would be fine alone."""
    large = {"scenario": "corridor", "options": {"crossings": 50}, "agents": "shared", "horizon_s": 900.0}
    with pytest.raises(Invalid, match=r"training\.worlds: is 4096, which makes about"):
        changed(QUICK, {"task": large, "training": {"worlds": 4096, "window_steps": 10**6}})


def test_dqn_makes_one_choice() -> None:
    """One agent with a slot for each signal is for PPO."""
    with pytest.raises(Invalid, match=r"training\.algorithm\.kind"):
        changed(QUICK, {"training.algorithm": {"kind": "dqn"}, "task.agents": "multi"})


def test_a_file_may_begin_with_a_preset(tmp_path: Path) -> None:
    """What it does not say is the preset's; JSON and TOML say the same."""
    toml, json_ = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text('preset = "quick"\nname = "mine"\n[training.algorithm]\ngamma = 0.9\n', encoding="utf-8")
    json_.write_text(json.dumps({"preset": "quick", "name": "mine", "training": {"algorithm": {"gamma": 0.9}}}), encoding="utf-8")

    expected = changed(QUICK, {"name": "mine", "training.algorithm.gamma": 0.9})
    assert read(str(toml)) == read(str(json_)) == expected


def test_another_kind_takes_nothing_over(tmp_path: Path) -> None:
    """A file that chooses another algorithm than the preset gets that one's defaults, not a mixture."""
    place = tmp_path / "a.toml"
    place.write_text('preset = "quick"\n[training.algorithm]\nkind = "a2c"\n', encoding="utf-8")

    assert read(str(place)).training.algorithm == Training(algorithm={"kind": "a2c"}).algorithm  # type: ignore[arg-type]


def test_a_change_of_kind_takes_nothing_over() -> None:
    """`--set training.algorithm.kind=dqn` is dqn as it comes, and what else is set is dqn's, in whatever order it is said."""
    made = changed(QUICK, {"training.algorithm.updates": 2, "training.algorithm.kind": "dqn"})

    assert Dqn(updates=2) == made.training.algorithm
    assert QUICK == changed(QUICK, {"training.algorithm.kind": "ppo"})


@pytest.mark.parametrize("text", ["", "[", "[1]", '{"name": 3}', '{"preset": "none"}'])
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    """In a sentence with its name or its field."""
    place = tmp_path / "broken.json"
    place.write_text(text, encoding="utf-8")

    with pytest.raises(ArzError):
        read(str(place))


def test_days_are_for_one_purpose() -> None:
    """No day that is learned from is tuned on or measured on, for any seed and number of worlds."""
    last = Training(worlds=4096, window_steps=1_000_000).days(MOST_SEEDS - 1)[-1]
    most = Evaluation(days=4096, validation_days=4096)

    assert set(Evaluation().held_out).isdisjoint(Evaluation(held_out_set=1).held_out)
    assert Evaluation(days=4096, held_out_set=1).held_out[0] > most.held_out[-1]
    assert last < most.validation[0]
    assert most.validation[-1] < most.held_out[0]
    assert set(Training().days(1)).isdisjoint(Training().days(2))


def test_the_protocol_is_an_experiment() -> None:
    """The files of the comparison are read, have five seeds, and measure on more than twenty days."""
    for place in sorted((Path(__file__).parents[2] / "experiments").glob("*.toml")):
        protocol = read(str(place))

        assert len(protocol.seeds) >= 5
        assert protocol.evaluation.days >= 20
        assert {each.kind for each in protocol.baselines} >= {"webster", "actuated", "max_pressure"}
        assert set(protocol.tuning) >= {"webster", "actuated", "max_pressure"}


def test_the_length_is_no_part_of_the_training() -> None:
    """Steps, seeds, baselines and evaluation are asked for; only `task` and `training` say what is learned."""
    longer = changed(QUICK, {"steps": 50_000, "evaluation.days": 40, "baselines": []})

    assert (longer.task, longer.training) == (QUICK.task, QUICK.training)
    assert isinstance(longer, Experiment)


def test_what_came_out_is_what_was_fixed_before() -> None:
    """Every kept result is of its protocol: the same experiment, all seeds, every held-out day, and the rules tuned within the range."""
    folder = Path(__file__).parents[2] / "experiments"
    for place in sorted((folder / "results").glob("*.json")):
        outcome, protocol = outcome_of(str(place)), read(str(folder / f"{place.stem}.toml"))

        assert outcome.complete
        assert Experiment.load(json.dumps(outcome.experiment)) == protocol  # fields that came later have their defaults in both
        assert list(outcome.ground.days) == protocol.evaluation.held_out
        assert [row.name for row in outcome.rows if row.group] == [f"{protocol.training.algorithm.kind}, seed {n}" for n in protocol.seeds]
        for base in protocol.baselines:
            tried = {title(each) for each in candidates(base, protocol.tuning.get(base.kind, {}))}
            assert {row.name for row in outcome.rows if row.kind == base.kind} <= tried
        page = (folder / "README.md").read_text(encoding="utf-8")
        assert all(line in page for line in told(outcome))
