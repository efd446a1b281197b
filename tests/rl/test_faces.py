"""The four faces of a task: Gymnasium, its vector environments, Stable-Baselines3, PettingZoo; each package's own checks pass."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from pettingzoo.test import parallel_api_test
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import arz
from rl import Env, ParallelEnv, Task, VecEnv, VectorEnv
from rl.registered import NAMES
from rl.tasks import TASKS
from rl.worlds import Bench
from tests.rl.makers import spec


def test_every_ready_task_has_a_name_in_gymnasium() -> None:
    assert set(NAMES) == set(TASKS)


@pytest.mark.parametrize("name", NAMES)
def test_the_checkers_are_content(name: str) -> None:
    """Gymnasium's and Stable-Baselines3's own."""
    env = gymnasium.make(f"rl:{name}-v0", horizon_s=300.0)
    check_env(env.unwrapped, skip_render_check=True)
    check_env_of_sb3(env.unwrapped)

    assert env.spec.id == f"{name}-v0"


def test_ten_environments_build_one_plan() -> None:
    """And take the device's memory once: environments of one scenario stand on one simulator."""
    before = Bench.built
    made = [Env(spec=spec(agents="multi", decision_s=10.0)) for _ in range(10)]

    assert len(made) == 10
    assert Bench.built <= before + 1


def test_the_names_are_there_when_gymnasium_asks_first() -> None:
    """In a program that imports nothing of ours, and in one that imports rl before gymnasium."""
    for before in ("", "import rl; "):
        code = f"{before}import gymnasium; print(gymnasium.make('rl:Corridor-v0', horizon_s=60.0).reset(seed=1)[0].shape)"
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("("), done.stderr
        assert done.stderr == ""


def test_importing_rl_brings_no_torch() -> None:
    """Who looks at settings or scores does not wait for the learner's packages."""
    code = "import sys, rl.tasks, rl.scores, rl.checks; print(sorted({'torch', 'stable_baselines3', 'pettingzoo'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_env_goes_from_day_to_day() -> None:
    """After the end: a step is refused, reset() gives the next day without leaving one out, a seed gives that day again."""
    env = Env(spec=spec(horizon_s=60.0))
    env.reset(seed=4)
    episodes = []
    for _ in range(2):
        steps = [env.step(np.array([1, 0])) for _ in range(4)]
        assert [(terminated, truncated) for _, _, terminated, truncated, _ in steps] == [(False, False)] * 3 + [(False, True)]
        assert steps[-1][0][-1] == 1
        episodes.append([(seen.tobytes(), reward, info["left_veh"]) for seen, reward, _, _, info in steps])
        with pytest.raises(ResetNeeded):
            env.step(np.array([0, 0]))
        again, _ = env.reset()
        assert again[-1] == 0
    first = env.task.seeds
    env.reset(seed=4)
    straight = Task(env.task.spec)
    straight.reset([4])
    for _ in range(2):
        straight.reset()

    assert (first == straight.seeds).all()
    assert episodes[0] != episodes[1]
    assert [env.step(np.array([1, 0]))[0].tobytes() for _ in range(4)] == [row[0] for row in episodes[0]]


def test_a_first_reset_without_a_seed_is_left_to_chance() -> None:
    """Two programs see two days; the numbers drawn are Gymnasium's own."""
    days = []
    for _ in range(2):
        env = Env(spec=spec())
        env.reset()
        days.append(int(env.task.seeds[0]))

    assert days[0] != days[1]


def test_one_agent_is_asked_for_where_there_is_one() -> None:
    with pytest.raises(arz.Invalid, match="agents"):
        Env(spec=spec(agents="shared"))
    with pytest.raises(arz.Invalid, match="no ready task"):
        Env("Manhattan")


@pytest.mark.parametrize("agents", ["multi", "joint", "shared"])
def test_the_vec_env_resets_within_the_step(agents: str) -> None:
    """Stable-Baselines3's contract: what was seen last, that only time ended it, and a fresh array every step."""
    env = VecEnv(Task(spec(agents=agents, horizon_s=60.0), 3))
    env.seed(7)
    first = env.reset()
    kept = [first]
    total = np.zeros(env.num_envs)
    for number in range(8):
        seen, rewards, dones, infos = env.step(np.array([env.action_space.sample() for _ in range(env.num_envs)]))
        assert all(not np.shares_memory(seen, before) for before in kept)
        kept.append(seen)
        total += rewards
        assert (seen.dtype, seen.shape, rewards.shape) == (np.float32, first.shape, (env.num_envs,))
        assert dones.all() == (number in {3, 7})
        assert len({id(info) for info in infos}) == env.num_envs
        if dones.all():
            assert all(info["TimeLimit.truncated"] for info in infos)
            assert all(info["terminal_observation"][-1] == 1 for info in infos)
            assert (seen == first).all()
            assert np.allclose([info["episode"]["r"] for info in infos], total, rtol=1e-5)
            assert {info["episode"]["l"] for info in infos} == {4}
            total[:] = 0
        else:
            assert infos == [{}] * env.num_envs


def test_the_vec_env_gives_each_world_its_seed() -> None:
    """seed(s): world w has s + w, its agents share it, and a second reset goes on instead of beginning again."""
    env = VecEnv(Task(spec(agents="shared"), 3))

    assert env.seed(7) == [7, 7, 8, 8, 9, 9]
    env.reset()
    assert env.task.seeds.tolist() == [7, 8, 9]
    env.reset()
    assert (env.task.seeds >= 2**63).all()
    env.seed(None)
    env.reset()
    assert len(set(env.task.seeds.tolist())) == 3


def test_the_vec_env_answers_for_each_environment() -> None:
    """Attributes, masks by row, and methods called once; a part of the environments cannot be told apart."""
    env = VecEnv(Task(spec(agents="shared"), 2))
    env.seed(0)
    env.reset()

    masks = env.env_method("action_masks")
    assert np.stack(masks).shape == (4, 2)
    assert np.array_equal(np.stack(env.env_method("action_masks", indices=[1, 3])), np.stack(masks)[[1, 3]])
    assert env.get_attr("render_mode") == [None] * 4
    assert env.get_attr("task", indices=2) == [env.task]
    assert env.has_attr("action_masks")
    assert not env.has_attr("nothing of the kind")
    assert env.env_is_wrapped(gymnasium.Wrapper) == [False] * 4
    env.set_attr("colour", "red")
    assert env.get_attr("colour") == ["red"] * 4
    with pytest.raises(NotImplementedError, match="one object"):
        env.set_attr("colour", "blue", indices=[0])


def test_options_of_a_reset_are_refused_and_not_passed_over() -> None:
    """`Env.reset(options=…)` forgot them without a word."""
    for refused in (
        lambda: Env(spec=spec()).reset(options={"demand": 2}),
        lambda: VectorEnv(spec=spec()).reset(options={"demand": 2}),
        lambda: VecEnv(Task(spec(), 2)).set_options({"demand": 2}),
    ):
        with pytest.raises(arz.Invalid, match=r"options: are \{'demand': 2\}, but nothing can be chosen at a reset"):
            refused()


@pytest.mark.parametrize("wrap", [VecMonitor, VecNormalize])
def test_the_usual_wrappers_fit(wrap: type) -> None:
    """Rollouts under wrappers, as training uses them."""
    env = wrap(VecEnv(Task(spec(agents="shared", horizon_s=60.0), 2)))
    env.seed(0)
    env.reset()

    assert all(np.isfinite(env.step(np.zeros(4, int))[0]).all() for _ in range(5))


def test_maskable_policies_and_evaluation_run() -> None:
    """MaskablePPO reads the masks through a wrapper, and the evaluation of Stable-Baselines3 counts whole episodes."""
    from sb3_contrib import MaskablePPO

    env = VecMonitor(VecEnv(Task(spec(horizon_s=60.0), 2)))
    model = MaskablePPO("MlpPolicy", env, n_steps=4, batch_size=8, n_epochs=1, seed=0, device="cpu")
    model.set_logger(Logger(None, []))  # its own would leave a folder behind
    model.learn(16)
    returns, lengths = evaluate_policy(model, env, n_eval_episodes=2, return_episode_rewards=True, warn=False)

    assert lengths == [4, 4]
    assert all(value < 0 for value in returns)


def test_the_vec_env_goes_on_where_it_was() -> None:
    """A snapshot through the face, over an end of an episode."""
    one, other = (VecEnv(Task(spec(agents="shared"), 2)) for _ in range(2))
    one.seed(3)
    one.reset()
    seen = [one.step(np.full(4, number % 2))[0] for number in range(15)][-1]
    restored = other.restore(one.snapshot())
    assert restored.tobytes() == seen.tobytes()
    for number in range(10):
        expected, actual = one.step(np.full(4, number % 2)), other.step(np.full(4, number % 2))
        assert expected[0].tobytes() == actual[0].tobytes()
        assert expected[1].tobytes() == actual[1].tobytes()


@pytest.mark.parametrize("agents", ["multi", "shared"])
def test_the_vector_env_resets_within_the_step(agents: str) -> None:
    """Gymnasium's SAME_STEP contract, in the shapes of its own vector environments."""
    env = VectorEnv(spec=spec(agents=agents, horizon_s=60.0), num_envs=2)
    first, infos = env.reset(seed=5)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert infos == {}
    assert env.observation_space.contains(first)
    seen = first
    for number in range(4):
        seen, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert rewards.dtype == np.float64
        assert truncated.all() == (number == 3)
        assert not terminated.any()
    assert (seen == first).all()
    assert all(last[-1] == 1 for last in infos["final_obs"])
    assert infos["_final_obs"].all()
    assert infos["final_info"]["episode"]["l"].tolist() == [4] * env.num_envs
    env.reset(seed=[8, 9])
    assert env.task.seeds.tolist() == [8, 9]
    for wrong in ([1, None], [1]):
        with pytest.raises(arz.Invalid, match="seed"):
            env.reset(seed=wrong)


def test_gymnasium_makes_vectors_of_our_own() -> None:
    """make_vec gives one batched simulator, not many environments."""
    env = gymnasium.make_vec("rl:Corridor-v0", num_envs=3, horizon_s=60.0)

    assert isinstance(env.unwrapped, VectorEnv)
    assert env.num_envs == 3


def test_pettingzoo_is_content() -> None:
    """Its own test of parallel environments, with an agent at every signal."""
    env = ParallelEnv(spec=spec(horizon_s=300.0))
    parallel_api_test(env, num_cycles=50)

    assert env.possible_agents == ["c0_0", "c1_0"]


def test_agents_in_parallel_are_the_shared_ones() -> None:
    """What they see and are praised for is what the batched task says; an agent without an action is missed."""
    env, task = ParallelEnv(spec=spec()), Task(spec(agents="shared"))
    seen, infos = env.reset(seed=2)
    expected = task.reset([2])
    truncated: dict[str, bool] = {}
    for number in range(20):
        assert [seen[agent].tobytes() for agent in env.possible_agents] == [row.tobytes() for row in expected[0]]
        assert all(infos[agent]["action_mask"].any() for agent in env.agents)
        actions = {agent: (number + at) % 2 for at, agent in enumerate(env.agents)}
        seen, rewards, _, truncated, infos = env.step(actions)
        done = task.step(np.array([list(actions.values())]))
        expected = done.observation if done.final_observation is None else done.final_observation
        assert list(rewards.values()) == done.reward[0].tolist()
    assert all(truncated.values())
    assert env.agents == []
    with pytest.raises(arz.Invalid, match="over"):
        env.step({})
    env.reset()
    with pytest.raises(arz.Invalid, match="c1_0"):
        env.step({"c0_0": 0})
