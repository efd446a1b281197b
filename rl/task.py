"""The decision process: many worlds of one scenario, decided at together; the only place where an episode begins by itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, JsonValue, model_validator

import arz
from arz.given import integer, of_kind, several
from rl.actions.agents import AGENTS, Agents, AgentsName
from rl.actions.base import Lever
from rl.actions.phase import PhaseChoice
from rl.actions.registry import AnyAction
from rl.errors import Foreign, NotBegun
from rl.guard import Guard, guard
from rl.layout import Layout, Site
from rl.moment import Moment
from rl.observations.base import Sensor
from rl.observations.detectors import Detectors
from rl.observations.registry import AnyObservation
from rl.rewards.base import own, whole
from rl.rewards.delay import Delay
from rl.rewards.registry import AnyReward
from rl.setting import Setting
from rl.sizes import LONGEST_S, MOST_DECISIONS, SHORTEST_S, require_cells
from rl.worlds import AT_LEAST, Worlds, kept

Array = NDArray[Any]

SNAPSHOT_FORMAT = 1
RESERVED = {"decision_s": "decision_s", "horizon_s": "horizon_s", "seed": "the seeds of reset()"}
"""Options of a scenario that the task says itself."""
ROUNDING = 1e-9
FEWEST = 3
"""Decisions of an episode: a first, a last, and one in between."""
DERIVED = np.uint64(1 << 63)
"""Marks the seeds of later episodes, which therefore are never seeds that somebody gave."""

Seconds = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class DemandVariation(Setting):
    """How days differ by their seed. What is None is as the scenario has it."""

    scale: NotNegative = 1.0
    """Multiplies all inflows, for every seed alike."""
    noise: NotNegative | None = None
    """The spread of each inflow from minute to minute."""
    spread: NotNegative = 0.1
    """The spread of each entry from day to day."""
    surges: Annotated[tuple[arz.Surge, ...], Field(strict=False)] = ()
    """Rushes, each at a moment that the seed chooses."""


class TaskSpec(Setting):
    """What is decided, by what is seen, and for what: equal specs are the same decision process, to the last bit."""

    scenario: str = "victoria_island"
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Of the scenario's kind, or fields of `arz.Scenario`."""
    decision_s: Annotated[float, Field(ge=SHORTEST_S)] = 15.0
    horizon_s: Annotated[float, Field(gt=0, le=LONGEST_S)] = 3600.0
    """An episode; after it every world begins anew."""
    observation: AnyObservation = Detectors()
    reward: Annotated[tuple[AnyReward, ...], Field(min_length=1, strict=False)] = (Delay(),)
    """Terms that are added up."""
    action: AnyAction = PhaseChoice()
    agents: AgentsName = "multi"
    """`multi`: one agent with a choice for each site; `joint`: one agent with one number for all; `shared`: an agent at each site."""
    sees: Literal["own", "all"] = "own"
    """Whether a shared agent sees its own site only, or all of them, and which one is its own."""
    common: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How much of a shared agent's reward is the mean of all agents' instead of its own."""
    min_green_s: NotNegative = 5.0
    """For every signal; one that asks for more keeps more."""
    max_green_s: Seconds = 120.0
    amber_s: NotNegative = 3.0
    all_red_s: NotNegative = 2.0
    demand: DemandVariation = DemandVariation()
    dtype: Literal["float32", "float64"] = "float32"

    @property
    def decisions(self) -> int:
        """In an episode."""
        return round(self.horizon_s / self.decision_s)

    @cached_property
    def world(self) -> arz.Scenario:
        """The scenario with this demand, these horizons and lights that change as said here."""
        made = self._scenario()
        nodes = [
            node
            if node.signal is None
            else node.model_copy(update={"signal": node.signal.model_copy(update={"amber_s": self.amber_s, "all_red_s": self.all_red_s})})
            for node in made.network.nodes
        ]
        vary = self.demand
        demand = {
            "scale": made.demand.scale * vary.scale,
            "noise": made.demand.noise if vary.noise is None else vary.noise,
            "spread": vary.spread,
            "surges": vary.surges,
        }
        fields = {field: getattr(made, field) for field in arz.Scenario.model_fields}
        fields |= {
            "network": arz.Network(name=made.network.name, roads=made.network.roads, nodes=tuple(nodes), notes=made.network.notes),
            "demand": {**dict(made.demand), **demand},  # and not a changed copy, which nobody would check
            "horizon_s": self.horizon_s,
            "decision_s": self.decision_s,
            "fields": False,
        }
        return arz.Scenario(**fields)

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.world, self.min_green_s, self.max_green_s)

    @cached_property
    def guard(self) -> Guard:
        return guard(self.layout.signals, self.decision_s)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """What is controlled."""
        return self.layout.sites_of(self.action.site_kind)

    @cached_property
    def lever(self) -> Lever:
        return self.action.lever(self.layout, self.sites, self.guard, self.decision_s)

    @cached_property
    def sensor(self) -> Sensor:
        return self.observation.sensor(self.layout, self.sites, self.guard)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What an agent's observation holds; all between 0 and 1."""
        of_site, names = self.sensor.names, [site.name for site in self.sites]
        if self.narrow:
            return (*of_site, "clock")
        whose = [f"at {name}" for name in names] if self.agents == "shared" else []
        return (*(f"{name}: {feature}" for name in names for feature in of_site), *whose, "clock")

    @property
    def narrow(self) -> bool:
        """Whether an agent sees its own site only."""
        return self.agents == "shared" and self.sees == "own"

    @property
    def cells(self) -> float:
        """About how many cells one world is computed in; infinite where that is no number any more."""
        return sum(max(1.0, road.length_m / self.world.scheme.cell_m) for road in self.world.network.roads)

    @cached_property
    def choosers(self) -> Agents:
        return AGENTS[self.agents]([site.name for site in self.sites], self.lever.options)

    def _scenario(self) -> arz.Scenario:
        for option, instead in RESERVED.items():
            if option in self.options:
                raise arz.Invalid(f"options.{option}", "is said by the task itself", f"give {instead} instead")
        try:
            return arz.scenario(self.scenario, **self.options)
        except arz.Unknown as error:
            raise arz.Invalid("scenario", f"is {self.scenario!r}, which is no kind", f"choose among {', '.join(error.known)}") from None
        except arz.Invalid as error:
            raise arz.Invalid(f"options.{error.path}", error.problem, error.remedy) from None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.horizon_s > MOST_DECISIONS * self.decision_s:
            problem = f"is {self.decision_s:g} s, of which horizon_s ({self.horizon_s:g} s) holds more than {MOST_DECISIONS:,}"
            raise arz.Invalid("decision_s", problem, "decide less often, or let an episode be shorter")
        if self.decision_s > self.horizon_s:
            problem = f"is {self.decision_s:g} s, longer than horizon_s ({self.horizon_s:g} s)"
            raise arz.Invalid("decision_s", problem, f"give at most {self.horizon_s / FEWEST:g} s")
        if self.decisions < FEWEST or abs(self.horizon_s / self.decision_s - self.decisions) > ROUNDING:
            problem = f"is {self.horizon_s:g} s, which is not {FEWEST} or more whole decisions of {self.decision_s:g} s"
            raise arz.Invalid("horizon_s", problem, f"give {max(self.decisions, FEWEST) * self.decision_s:g} s")
        for field in ("sees", "common"):
            if self.agents != "shared" and getattr(self, field) != type(self).model_fields[field].default:
                raise arz.Invalid(field, f"is {getattr(self, field)!r}, but agents are {self.agents}", "make them shared, or leave it out")
        require_cells("options", "make a network of about", self.cells, "let it be smaller, or its cells (scheme.cell_m) longer")
        # Whatever cannot be made ready is refused here, before anything runs.
        _ = self.sensor, self.choosers
        return self


@dataclass(frozen=True)
class Stepped:
    """What came of a decision: arrays [world, agent, …] and [world]."""

    observation: Array
    """float32[world, agent, feature]; of the new episode where one has begun."""
    reward: Array
    """float32[world, agent]."""
    terminated: Array
    """bool[world]; traffic never ends, so this is always False."""
    truncated: Array
    """bool[world]: the horizon was reached, and a new episode has begun."""
    final_observation: Array | None
    """What was seen at the end of the episode, if it has ended: then in all worlds."""
    moment: Moment
    """All that was measured, before any new beginning."""
    episode_return: Array | None
    """float64[world, agent]: the sum of the rewards of the episode that has ended."""


class Task:
    """Many worlds at one decision process. Worlds end together, since all have one horizon, and begin anew within the same step.

    Not for several threads. Tasks of one scenario and as many worlds share one simulator, which changes nothing that can be seen.
    """

    def __init__(self, spec: TaskSpec, worlds: int = 1, device: str = "cpu") -> None:
        self.spec = of_kind(TaskSpec, "spec", spec, "give a TaskSpec, such as rl.ready('Corridor')")
        require_cells("worlds", f"is {worlds}, which makes about", integer("worlds", worlds, AT_LEAST) * spec.cells, "have fewer of them")
        layout, self.sites, self.lever, self.agents = spec.layout, spec.sites, spec.lever, spec.choosers
        self.worlds = Worlds(layout, spec.guard, worlds, dtype=spec.dtype, device=device)
        areas = [own(layout, site) for site in self.sites] if spec.agents == "shared" else [whole(layout, self.sites)]
        self._sensor = spec.sensor
        self._gauges = [(term.weight, term.gauge(layout, areas)) for term in spec.reward]
        self._seeds = np.zeros(worlds, np.uint64)
        self._episodes = np.full(worlds, -1, np.int64)
        self._decisions = 0
        self._mine = 0
        self._returns = np.zeros((worlds, len(self.agents.names)))

    @property
    def count(self) -> int:
        """How many worlds."""
        return self.worlds.count

    @property
    def agent_count(self) -> int:
        """How many agents are in each world."""
        return len(self.agents.names)

    @property
    def begun(self) -> bool:
        return bool((self._episodes >= 0).all())

    @property
    def features(self) -> tuple[str, ...]:
        """What an agent's observation holds; all between 0 and 1."""
        return self.spec.features

    @property
    def action_sizes(self) -> tuple[int, ...]:
        """How many numbers each slot of an agent's action has."""
        return self.agents.sizes

    @property
    def seeds(self) -> Array:
        """uint64[world]: of the demand in the episode that goes on."""
        return _episode_seeds(self._seeds, self._episodes)

    def reset(self, seeds: Sequence[int] | None = None) -> Array:
        """Begins an episode in every world: of these seeds, or the next of each world's own row of episodes; gives the observation.

        One seed is one day, the same in every world and every time; the days after it follow from it.
        """
        if seeds is None:
            self._require_begun("there is no next episode")
            self._episodes = self._episodes + 1
        else:
            self._seeds = _checked(seeds, self.count)
            self._episodes = np.zeros(self.count, np.int64)
        return self._begin()

    def step(self, actions: Array) -> Stepped:
        """Does what the agents chose, int[world, agent, slot], for one decision interval; at the horizon begins the next episode."""
        self._require_begun("there is nothing to step")
        if self._mine != self.worlds.beginnings:
            raise NotBegun("these worlds were taken for another episode; there is nothing to step")
        moment = self.worlds.advance(self.controls(actions, self.worlds.moment), self.spec.decision_s)
        self._decisions += 1
        reward = self._reward(moment)
        self._returns = self._returns + reward
        seen = self.observe(moment)
        over = self._decisions == self.spec.decisions
        final, whole_return = (seen, self._returns) if over else (None, None)
        if over:
            self._episodes = self._episodes + 1
            seen = self._begin()
        nobody = np.zeros(self.count, bool)
        return Stepped(seen, reward.astype(np.float32), nobody, np.full(self.count, over), final, moment, whole_return)

    def action_masks(self) -> Array:
        """bool[world, agent, all slots' numbers in a row]: what changes nothing by being asked is left out; one of each slot is left."""
        return self.agents.masks(self.lever.allowed(self.worlds.moment))

    def observe(self, moment: Moment) -> Array:
        """What the agents see of a moment."""
        worlds, agents = moment.worlds, self.agent_count
        seen = [self._sensor.read(moment)]
        if not self.spec.narrow:
            seen = [np.repeat(seen[0].reshape(worlds, 1, -1), agents, axis=1)]
            if self.spec.agents == "shared":
                seen.append(np.repeat(np.eye(agents, dtype=np.float32)[None], worlds, axis=0))
        seen.append(np.full((worlds, agents, 1), moment.time_s / self.spec.horizon_s, np.float32))
        return np.concatenate(seen, axis=2)

    def controls(self, actions: Array, moment: Moment) -> arz.Controls:
        """What the agents' choices ask of lights, meters and signs."""
        shape = (self.count, self.agent_count, len(self.action_sizes))
        try:
            given = np.asarray(actions)
        except ValueError:
            raise arz.Invalid("actions", "have rows of several lengths", f"give whole numbers [world, agent, slot]: {shape}") from None
        if given.size != math.prod(shape) or given.dtype.kind not in "iu":
            problem = f"are {given.dtype} of shape {given.shape}"
            raise arz.Invalid("actions", problem, f"give whole numbers [world, agent, slot]: {shape}")
        given = given.reshape(shape)
        wrong = (given < 0) | (given >= np.array(self.action_sizes))
        if wrong.any():
            world, agent, slot = np.argwhere(wrong)[0].tolist()
            problem = f"is {given[world, agent, slot]}"
            raise arz.Invalid(f"actions[{world}, {agent}, {slot}]", problem, f"give a number from 0 to {self.action_sizes[slot] - 1}")
        return self.lever.controls(self.agents.choices(given), moment)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a later process needs to go on to the last bit: arrays and numbers, storable without pickle."""
        self._require_begun("there is nothing to keep")
        if self._mine != self.worlds.beginnings:
            raise NotBegun("these worlds were taken for another episode; there is nothing to keep")
        return {
            "task_format": SNAPSHOT_FORMAT,
            "task_seeds": self._seeds.copy(),
            "task_episodes": self._episodes.copy(),
            "task_decisions": self._decisions,
            "task_returns": self._returns.copy(),
            **self.worlds.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> Array:
        """Goes back, or on, to where a snapshot was taken; gives the observation there."""
        of_kind(Mapping, "snapshot", snapshot, "give what snapshot() gave")  # type: ignore[type-abstract]
        if snapshot.get("task_format") != SNAPSHOT_FORMAT:
            raise Foreign("task_format", f"is {snapshot.get('task_format')}, this version reads {SNAPSHOT_FORMAT}")
        returns = np.array(snapshot.get("task_returns"))
        if returns.shape != (self.count, self.agent_count) or returns.dtype.kind != "f":
            raise Foreign("task_returns", f"is of {returns.shape} worlds and agents, not {(self.count, self.agent_count)}")
        seeds, episodes = kept(snapshot, "task_seeds", (self.count,), "u"), kept(snapshot, "task_episodes", (self.count,), "i")
        decisions = int(kept(snapshot, "task_decisions", (), "i"))
        self.worlds.restore(snapshot)
        self._mine = self.worlds.beginnings
        self._seeds, self._episodes, self._decisions, self._returns = seeds, episodes, decisions, returns
        return self.observe(self.worlds.moment)

    def _begin(self) -> Array:
        self._decisions = 0
        self._returns = np.zeros_like(self._returns)
        moment = self.worlds.begin(self.seeds.tolist())
        self._mine = self.worlds.beginnings
        return self.observe(moment)

    def _reward(self, moment: Moment) -> Array:
        total = np.zeros_like(self._returns)
        for weight, gauge in self._gauges:
            total += weight * gauge(moment)
        common = self.spec.common
        return total if common == 0 else (1 - common) * total + common * total.mean(axis=1, keepdims=True)

    def _require_begun(self, what: str) -> None:
        if not self.begun:
            raise NotBegun(what)


def _checked(seeds: Sequence[int], worlds: int) -> Array:
    given = several("seeds", seeds, "give one whole number for each world")
    if len(given) != worlds:
        raise arz.Invalid("seeds", f"has {len(given)} numbers for {worlds} worlds", "give one for each world")
    remedy = "give a whole number from 0 to 2**63 - 1"
    checked = [integer(f"seeds[{at}]", seed, remedy) for at, seed in enumerate(given)]
    for at, seed in enumerate(checked):
        if not 0 <= seed < 2**63:
            raise arz.Invalid(f"seeds[{at}]", f"is {seed}", remedy)
    return np.array(checked, np.uint64)


def _episode_seeds(seeds: Array, episodes: Array) -> Array:
    """The first episode has the seed itself; those after it unrelated numbers, in the other half of all numbers.

    The mixing function is SplitMix64's, Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195.
    """
    with np.errstate(over="ignore"):
        x = seeds + episodes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = (x ^ (x >> np.uint64(31))) | DERIVED
    chosen: Array = np.where(episodes == 0, seeds, x)
    return chosen
