"""Tables, graphs and networks of libraries that a module holds, and that a program changes in place before or after its first call."""

import re

import pytest

from tests.simcache.world import World, package

LIBRARIES = ("gymnasium", "networkx", "pandas", "torch", "xarray")
IMPORTS = {
    "array": "import array",
    "ChainMap": "from collections import ChainMap",
    "OrderedDict": "from collections import OrderedDict",
    "UserDict": "from collections import UserDict",
    "defaultdict": "from collections import defaultdict",
    "deque": "from collections import deque",
    "gymnasium": "import gymnasium",
    "dataclass": "from dataclasses import dataclass",
    "MappingProxyType": "from types import MappingProxyType",
    "namedtuple": "from collections import namedtuple",
    "ConfigParser": "from configparser import ConfigParser",
    "SimpleNamespace": "from types import SimpleNamespace",
    "nx": "import networkx as nx",
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "torch": "import torch",
    "xr": "import xarray as xr",
}
TABLE = "TABLE = pd.DataFrame({'v': [2.0, 3.0]})"
GRAPH = "GRAPH = nx.DiGraph([(1, 2), (2, 3)])"
NET = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.layer.weight, 2.0)
        torch.nn.init.constant_(self.layer.bias, 0.0)
    def forward(self, x): return self.layer(x)
NET = Net()
"""
ROADS = """
class Roads(nx.Graph):
    def count(self): return self.number_of_edges()
ROADS = Roads([(1, 2)])
"""
HOLDER = """
class Road:
    def __init__(self): self.graph = nx.Graph([(1, 2)])
ROAD = Road()
"""
CITY = """
class City:
    def __init__(self):
        self.graph = nx.Graph([(1, 2)])
        self.flows = {"a": pd.DataFrame({"v": [2.0]})}
        self.seen = []
    def add(self, a, b): self.graph.add_edge(a, b)
    def count(self):
        self.seen.append(1)
        return self.graph.number_of_edges()
    def flow(self): return self.flows["a"]["v"].sum()
CITY = City()
"""
HELD_BY = {
    "an ordered dict": ("OrderedDict(a={0})", "D['a']"),
    "a dict with defaults": ("defaultdict(list, a={0})", "D['a']"),
    "a queue": ("deque([{0}])", "D[0]"),
    "a named tuple": ("namedtuple('Pair', 'a b')({0}, 1)", "D.a"),
    "a dict of one's own": ("type('Own', (dict,), {{}})(a={0})", "D['a']"),
    "a view of a dict": ("MappingProxyType({{'a': {0}}})", "D['a']"),
    "an array of objects": ("np.array([{0}, 1], dtype=object)", "D[0]"),
}
SLOTS = """
@dataclass(slots=True)
class Slots:
    a: object
D = Slots(pd.DataFrame({'v': [2.0]}))
"""
OF_CLASS = """
class Settings:
    table = pd.DataFrame({'v': [2.0]})
    nets = {'a': nx.Graph([(1, 2)])}
"""
ENV = """
class Ring(gymnasium.Env):
    def __init__(self):
        self.table = pd.DataFrame({'v': [2.0]})
        self.t = 0
    def step(self, action):
        self.t += 1
        return self.table['v'].sum(), 0.0, False, False, {}
ENV = Ring()
"""
OWN_PICKLE = """
class Quiet(torch.nn.Linear):
    def __getstate__(self): raise RuntimeError("nobody asks")
NET = Quiet(1, 1)
"""
EQUALS = """
class Road:
    def __init__(self, name, speed): self.name, self.speed = name, speed
    def __eq__(self, other): return other.name == self.name
    __hash__ = None
"""
BESIDE = "C = SimpleNamespace(t=pd.DataFrame({'v': [1.0]}), k=1, d={'a': pd.DataFrame({'v': [1.0]})})"
NORM = """
L = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(1, 1, bias=False))
torch.nn.init.constant_(L.parametrizations.weight.original0, 2.0)
torch.nn.init.constant_(L.parametrizations.weight.original1, 1.0)
"""
CHANGES = {
    **{
        f"a table in {name}": (f"D = {held.format('pd.DataFrame(dict(v=[2.0]))')}", f"{asked}['v'].sum()", f"cfg.{asked}.loc[0, 'v'] = {{0}}.0")
        for name, (held, asked) in HELD_BY.items()
    },
    "a table in an object with slots": (SLOTS, "D.a['v'].sum()", "cfg.D.a.loc[0, 'v'] = {0}.0"),
    "a table of a class": (OF_CLASS, "Settings.table['v'].sum()", "cfg.Settings.table['v'] *= {0}"),
    "a graph in a dict of a class": (OF_CLASS, "Settings.nets['a'].number_of_edges()", "[cfg.Settings.nets['a'].add_edge(1, 2 + i) for i in range({0})]"),
    "a table in an environment": (ENV, "ENV.step(0)[0]", "cfg.ENV.table.loc[0, 'v'] = {0}.0"),
    "a network that says how it is pickled": (OWN_PICKLE, "NET.bias.item()", "torch.nn.init.constant_(cfg.NET.bias, {0})"),
    "what a parser cannot put together": ("P = ConfigParser(); P.read_string('[a]\\nf = %Y\\nk = 2\\n')", "P['a']['k']", "cfg.P.set('a', 'k', '{0}')"),
    "an attribute of a dict of a class": ("M = UserDict(k=2); M.scale = 1", "M.scale", "cfg.M.scale = {0}"),
    "a name that another module took": (TABLE, "TABLE['v'].sum()", "cfg.TABLE = cfg.TABLE * {0}"),
    "a column of a table": (TABLE, "TABLE['v'].sum()", "cfg.TABLE['v'] = {0}.0"),
    "a cell of a table": (TABLE, "TABLE['v'].sum()", "cfg.TABLE.loc[0, 'v'] = {0}.0"),
    "a column that comes": (TABLE, "TABLE.get('w', TABLE['v']).sum()", "cfg.TABLE['w'] = {0}"),
    "an index of a table": (TABLE, "TABLE.index[-1]", "cfg.TABLE.index = [1, {0}]"),
    "what is said of a table": (TABLE, "TABLE.attrs.get('k', 1)", "cfg.TABLE.attrs['k'] = {0}"),
    "a row": ("ROW = pd.Series([2.0, 3.0])", "ROW.sum()", "cfg.ROW.iloc[0] = {0}.0"),
    "a table in a list in a dict": ("D = {'a': [pd.DataFrame({'v': [2.0]})]}", "D['a'][0]['v'].sum()", "cfg.D['a'][0]['v'] *= {0}"),
    "another table in a dict": ("D = {'a': pd.DataFrame({'v': [2.0]})}", "D['a']['v'].sum()", "cfg.D['a'] = cfg.pd.DataFrame(dict(v=[{0}.0]))"),
    "a table in a pair": ("PAIR = pd.DataFrame({'v': [2.0]}), 1", "PAIR[0]['v'].sum()", "cfg.PAIR[0]['v'] *= {0}"),
    "a table in a record": ("R = SimpleNamespace(t=pd.DataFrame({'v': [2.0]}))", "R.t['v'].sum()", "cfg.R.t['v'] *= {0}"),
    "an edge of a graph": (GRAPH, "GRAPH.number_of_edges()", "[cfg.GRAPH.add_edge(1, 2 + i) for i in range({0})]"),
    "a length in a graph": ("G = nx.Graph(); G.add_edge(1, 2, length=2)", "G[1][2]['length']", "cfg.G[1][2]['length'] = {0}"),
    "the weights of a network": ("L = torch.nn.Linear(1, 1, bias=False); L.weight.data.fill_(2)", "L.weight.item()", "cfg.L.weight.data.fill_({0})"),
    "the weights of a network of one's own": (NET, "NET(torch.ones(1)).item()", "torch.nn.init.constant_(cfg.NET.layer.weight, {0})"),
    "what is loaded into a network": (NET, "NET(torch.ones(1)).item()", "cfg.NET.load_state_dict({{'layer.weight': torch.full((1, 1), {0}.0), 'layer.bias': torch.zeros(1)}})"),
    "weights of which something is said": (NET + "NET.layer.weight.decays = False\n", "NET(torch.ones(1)).item()", "torch.nn.init.constant_(cfg.NET.layer.weight, {0})"),
    "a function in a graph": ("G = nx.Graph(law=lambda: 2)", "G.graph['law']()", "cfg.G.graph['law'] = lambda: {0}"),
    "a tensor": ("WEIGHTS = torch.ones(1)", "WEIGHTS.item()", "cfg.WEIGHTS.fill_({0})"),
    "a graph of one's own": (ROADS, "ROADS.count()", "[cfg.ROADS.add_edge(1, 2 + i) for i in range({0})]"),
    "a graph in an object of one's own": (HOLDER, "ROAD.graph.number_of_edges()", "[cfg.ROAD.graph.add_edge(1, 2 + i) for i in range({0})]"),
    "a graph in an object with methods": (CITY, "CITY.count()", "[cfg.CITY.graph.add_edge(1, 2 + i) for i in range({0})]"),
    "a graph that methods of its object change": (CITY, "CITY.count()", "[cfg.CITY.add(1, 2 + i) for i in range({0})]"),
    "a table in an object with methods": (CITY, "CITY.flow()", "cfg.CITY.flows['a'].loc[0, 'v'] = {0}.0"),
    "a dict of a class": ("OPTIONS = UserDict(k=2)", "OPTIONS['k']", "cfg.OPTIONS['k'] = {0}"),
    "a chain of dicts": ("CHAIN = ChainMap({'k': 2})", "CHAIN['k']", "cfg.CHAIN['k'] = {0}"),
    "what a parser holds": ("P = ConfigParser(); P.read_string('[a]\\nk = 2\\n')", "P['a']['k']", "cfg.P['a']['k'] = '{0}'"),
    "an array with a mask": ("MASKED = np.ma.masked_array([2.0, 3.0])", "MASKED.sum().item()", "cfg.MASKED[0] = {0}"),
    "a field": ("FIELD = xr.DataArray([2.0, 3.0])", "FIELD.sum().item()", "cfg.FIELD[0] = {0}"),
    "an array of Python": ("NUMBERS = array.array('d', [2.0])", "NUMBERS[0]", "cfg.NUMBERS[0] = {0}"),
    "bytes": ("BYTES = bytearray(b'2')", "BYTES[0]", "cfg.BYTES[0] = {0}"),
    "a number beside a table": (BESIDE, "C.k", "cfg.C.k = {0}"),
    "another table in a record": (BESIDE, "C.t['v'].sum()", "cfg.C.t = cfg.C.t * {0}"),
    "another table in a dict of a record": (BESIDE, "C.d['a']['v'].sum()", "cfg.C.d['a'] = cfg.C.t * {0}"),
    "another table of a class": (OF_CLASS, "Settings.table['v'].sum()", "cfg.Settings.table = cfg.Settings.table * {0}"),
    "another graph in a dict of a class": (OF_CLASS, "Settings.nets['a'].number_of_edges()", "cfg.Settings.nets['a'] = nx.path_graph({0})"),
    "a table that lies in steps": ("TABLE = pd.DataFrame(np.ones((5, 100_000))).T", "TABLE.iloc[0, 0].item()", "cfg.TABLE.iloc[0, 0] = {0}"),
    "every second row of a table": ("TABLE = pd.DataFrame(np.ones((400_000, 2))).iloc[::2]", "TABLE.iloc[0, 0].item()", "cfg.TABLE.iloc[0, 0] = {0}"),
    "a large array with a mask": ("M = np.ma.masked_array(np.ones(200_000))", "M[0].item()", "cfg.M[0] = {0}"),
    "a mask": ("M = np.ma.masked_array([2.0, 3.0, 4.0])", "M.count()", "cfg.M[:{0} - 4] = np.ma.masked"),
    "records of numpy": ("R = np.rec.array(np.zeros(200_000, [('a', 'f8')]))", "R.a[0].item()", "cfg.R.a[0] = {0}"),
    "weights under a norm": (NORM, "L(torch.ones(1)).item()", "torch.nn.init.constant_(cfg.L.parametrizations.weight.original0, {0})"),
    "weights beside a sparse tensor": ("L = torch.nn.Linear(1, 1, bias=False); L.weight.data.fill_(2); L.mask = torch.eye(2).to_sparse()", "L.weight.item()", "torch.nn.init.constant_(cfg.L.weight, {0})"),
    "another tensor in a dict": ("D = {'w': torch.ones(2)}", "D['w'].sum().item()", "cfg.D['w'] = torch.ones(2) * {0}"),
    "another field in a dict": ("D = {'a': xr.Dataset({'v': ('x', [1.0])})}", "D['a'].v.sum().item()", "cfg.D['a'] = cfg.D['a'] * {0}"),
    "another object that says it is equal": (EQUALS + "D = [Road('a', 2)]\n", "D[0].speed", "cfg.D[0] = cfg.Road('a', {0})"),
    "another field in a view of a dict": ("D = MappingProxyType(dict(a=xr.Dataset({'v': ('x', [1.0])}))); HELD = {}; E = MappingProxyType(HELD); HELD['a'] = D['a']", "E['a'].v.sum().item()", "cfg.HELD['a'] = cfg.HELD['a'] * {0}"),
    "a list for a pair": ("L = [namedtuple('Pair', 'a b')(1, 1)]", "L[0].__class__.__name__", "cfg.L[0] = [1, 1]"),
    "pairs for a dict": ("L = [{'a': 1}]", "L[0].__class__.__name__", "cfg.L[0] = [('a', 1)]"),
    "what is set on a table": (TABLE + "; TABLE.scale = 2", "TABLE.scale", "cfg.TABLE.scale = {0}"),
    "a list in an array of objects": ("M = np.array([None, 1]); M[0] = [2]", "M[0][0]", "cfg.M[0][0] = {0}"),
}  # fmt: skip
UNTOLD = ("weights of which something is said", "weights under a norm", "weights beside a sparse tensor")
"""Those of which nobody can tell all: computed, and not stored."""
FUNCTION = "@cached\ndef f(x): return x * {asked}\n"
HERE = "where the function is"
WHERE = {
    HERE: ("import pkg.mod as cfg", "{config}" + FUNCTION, ""),
    "in a module that is asked": (
        "import pkg.config as cfg",
        "from pkg import config\n" + FUNCTION.replace("{asked}", "{of_config}"),
        "{config}",
    ),
}


def imports(text: str) -> str:
    """The statements that a text needs before it."""
    return "".join(f"{statement}\n" for name, statement in IMPORTS.items() if re.search(rf"\b{name}\b", text))


def ask(world: World, expression: str) -> str:
    """What a process that starts now gets for an expression over pkg.mod."""
    with world.live(*LIBRARIES) as fresh:
        return fresh.do(f"from pkg.mod import *; answer = {expression}")


@pytest.mark.parametrize("first", ["before", "after"])
@pytest.mark.parametrize("where", [pytest.param(where, marks=pytest.mark.deep if where == HERE else ()) for where in WHERE])
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_program_changes_in_it_counts(name: str, where: str, first: str, world: World) -> None:
    """Its results were stored as those of the text, and served to programs that had changed nothing, or something else."""
    made, asked, change = CHANGES[name]
    imported, own, config = WHERE[where]
    of_config = asked.replace("TABLE", "config.TABLE") if asked.count("TABLE") > 1 else f"config.{asked}".replace("torch.", "config.torch.")
    told = {"config": imports(f"{made} {asked}") + made + "\n", "asked": asked, "of_config": of_config}
    world.write(package(own.format(**told), config=config.format(**told)))
    plain = ask(world, "f(1)")
    for value in (5, 6):
        with world.live(*LIBRARIES) as process:
            process.do(f"{imported}\nfrom pkg.mod import f\n{imports(change)}")
            if first == "after":
                assert process.do("answer = f(1)") == plain
            process.do(change.format(value))
            assert process.do("answer = f(1), f(1)") == process.do("answer = f.compute(1), f.compute(1)")
            if name in UNTOLD:
                assert "NotStored" in process.shown
            else:
                assert process.do("answer = f.entry(1) is not None") == "True"
    assert ask(world, "f(1), f.entry(1) is not None") == f"({plain}, True)"


USES = {
    "a table": (TABLE + "; TABLE['w'] = 1.0; TABLE['s'] = 'a'", "TABLE['v'].sum()", "cfg.TABLE.values; cfg.TABLE._mgr.consolidate_inplace() if hasattr(cfg.TABLE._mgr, 'consolidate_inplace') else cfg.TABLE._mgr._consolidate_inplace(); cfg.TABLE.groupby('s').sum(); cfg.TABLE.describe()"),
    "a graph": (GRAPH, "GRAPH.number_of_edges()", "cfg.nx.shortest_path(cfg.GRAPH, 1); cfg.GRAPH.nodes, cfg.GRAPH.edges, cfg.GRAPH.adj, cfg.GRAPH.degree, cfg.GRAPH.succ"),
    "a network": (NET, "NET(torch.ones(1)).item()", "cfg.NET(torch.ones(1)); cfg.NET.state_dict(); cfg.NET.eval().train(); list(cfg.NET.parameters())"),
    "a field": ("FIELD = xr.DataArray([2.0, 3.0], dims='x')", "FIELD.sum().item()", "cfg.FIELD.mean(); cfg.FIELD.values; cfg.FIELD.sel(x=0); cfg.FIELD.load()"),
    "a field of dates": ("FIELD = xr.DataArray(pd.date_range('2026-01-01', periods=2), dims='x')", "FIELD.dt.year.sum().item()", "cfg.FIELD.dt.year"),
    "a sum of gradients": (NET, "NET(torch.ones(1)).item()", "cfg.NET.zero_grad(); cfg.NET.requires_grad_(True)"),
    "a table of days": ("TABLE = pd.DataFrame({'v': [2.0, 3.0]}, index=pd.date_range('2026-01-01', periods=2))", "TABLE['v'].sum()", "cfg.TABLE.index.day; str(cfg.TABLE); cfg.TABLE.index[0]; cfg.TABLE.resample('D').sum()"),
    "a column of durations": ("ROW = pd.Series(pd.to_timedelta([1, 2], unit='h'))", "ROW.sum()", "cfg.ROW.dt.days; str(cfg.ROW); cfg.ROW[0]"),
    "integers and nothing": ("ROW = pd.Series([1, None], dtype='Int64')", "ROW.sum()", "cfg.ROW.to_csv(); cfg.ROW.isna(); str(cfg.ROW)"),
    "an array with a mask": ("M = np.ma.masked_array([2.0, 3.0])", "M.sum().item()", "cfg.M.fill_value; cfg.M.filled(); str(cfg.M)"),
    "a parser": ("P = ConfigParser(); P.read_string('[a]\\nk = 2\\n')", "P['a']['k']", "cfg.P['a'].getint('k'); cfg.P.sections()"),
}  # fmt: skip


@pytest.mark.parametrize("name", USES)
def test_using_it_changes_nothing(name: str, world: World) -> None:
    """Tables put their columns together, and graphs remember their views, as they are read."""
    made, asked, use = USES[name]
    config = imports(f"{made} {use}") + made + "\n"
    world.write(package("from pkg.config import *\n" + FUNCTION.format(asked=asked), config=config))
    with world.live(*LIBRARIES) as process:
        key = process.do("import pkg.config as cfg; from pkg.mod import f; answer = f.key(1)")
        assert process.do(f"{imports(use)}{use}; answer = f.key(1)") == key
    with world.live(*LIBRARIES) as process:
        assert process.do(f"{imports(use)}import pkg.config as cfg; from pkg.mod import f; {use}; answer = f.key(1)") == key


def test_what_the_function_changes_in_it_is_its_state(world: World) -> None:
    """Each call had a key of its own after the one before it, and none of them was found by the next process."""
    text = "from pkg.config import *\n@cached\ndef f(x):\n    NET.layer.weight.data.mul_(2)\n    GRAPH.add_edge(x, -x)\n    CITY.add(x, -x)\n    return x\n"
    world.write(package(text, config=imports(NET + GRAPH + CITY) + NET + GRAPH + CITY))
    asked = "f(1), f(2), f(1), [f.entry(x) is not None for x in (1, 2)]"
    keys = ask(world, f"({asked}, f.key(1))[-1]")
    assert ask(world, "f.key(1)") == keys
    with world.live(*LIBRARIES) as process:
        process.do("from pkg.mod import *; GRAPH.add_edge(7, 8)")
        assert process.do("answer = f.key(1)") != keys
        changed = process.do("f(5); answer = f.key(1)")
        assert process.do("f(6); answer = f.key(1)") == changed != keys
        assert process.do("GRAPH.add_edge(8, 9); answer = f.key(1)") not in (changed, keys)


@pytest.mark.parametrize("made", ["pd.DataFrame({'v': [2.0, 3.0]})", "pd.read_csv(Path(__file__).with_name('t.csv'))"])
def test_each_setting_of_a_sweep_is_its_own(made: str, world: World) -> None:
    """A function beside the table set it, and what was set after the first call was not seen."""
    config = f"from pathlib import Path\nimport pandas as pd\nTABLE = {made}\ndef scale(k): TABLE['v'] = TABLE['v'] * k\n"
    world.write(
        {
            **package("from pkg.config import TABLE, scale\n@cached\ndef f(x): return x * TABLE['v'].sum()\n", config=config),
            "pkg/t.csv": "v\n2.0\n3.0\n",
        }
    )
    sweep = "[(scale(k), f(1), f.compute(1))[1:] for k in (2, 3, 0.5)]"
    told = ask(world, sweep)
    assert told == "[(np.float64(10.0), np.float64(10.0)), (np.float64(30.0), np.float64(30.0)), (np.float64(15.0), np.float64(15.0))]"
    assert ask(world, sweep) == told
    assert ask(world, "f(1), f.entry(1) is not None") == "(np.float64(5.0), False)".replace("False", "True")


def test_it_is_found_again_as_it_was(world: World) -> None:
    """What is taken back is the same setting again."""
    world.write(package(imports(TABLE) + TABLE + "\n" + FUNCTION.format(asked="TABLE['v'].sum()")))
    with world.live(*LIBRARIES) as process:
        key = process.do("import pkg.mod as cfg; from pkg.mod import f; answer = f.key(1)")
        other = process.do("cfg.TABLE.loc[0, 'v'] = 7.0; answer = f.key(1)")
        assert process.do("cfg.TABLE.loc[0, 'v'] = 2.0; answer = f.key(1)") == key != other
        assert process.do("cfg.TABLE.loc[0, 'v'] = 7.0; answer = f.key(1)") == other


MADE = {
    "a table": ("pd.DataFrame({'v': [2.0, k]})", "config.HELD['v'].sum().item()"),
    "a graph": ("nx.path_graph(int(k))", "len(config.HELD)"),
    "a dict of a class": ("UserDict(k=k)", "config.HELD['k']"),
}


@pytest.mark.parametrize("name", MADE)
def test_what_a_function_of_its_module_binds_anew_counts(name: str, world: World) -> None:
    """Only the object that stood there first was watched, and what came after it was stored as what the module holds by itself."""
    made, asked = MADE[name]
    config = (
        f"def build(k): return {made}\nHELD = build(3)\ndef load(k):\n    global HELD\n    HELD = build(k)\ndef scale(k): HELD[k] = k\n"
    )
    world.write(package(f"from pkg import config\n@cached\ndef f(x): return x * {asked}\n", config=imports(made) + config))
    assert (
        ask(world, "[(f(1) == f.compute(1), config.load(k))[0] for k in (7, 4, 3)], f(1) == f.compute(1)") == "([True, True, True], True)"
    )
    assert ask(world, "(config.load(9), f(1) == f.compute(1))[1], (config.load(5), f(1) == f.compute(1))[1]") == "(True, True)"
    assert ask(world, "f.entry(1) is not None, f(1) == f.compute(1)") == "(True, True)"


def test_a_module_that_is_loaded_again_holds_what_it_says(world: World) -> None:
    """What a function of the module had set before it counted on."""
    config = f"{imports(TABLE)}{TABLE}\ndef scale(k): TABLE['v'] *= k\n"
    world.write(package("from pkg import config\n@cached\ndef f(x): return x * config.TABLE['v'].sum()\n", config=config))
    with world.live(*LIBRARIES) as process:
        assert (
            process.do("from importlib import reload; from pkg.mod import f, config; answer = f(1), config.scale(3), f(1)")
            == "(np.float64(5.0), None, np.float64(15.0))"
        )
        assert process.do("reload(config); answer = f(1)") == "np.float64(5.0)"


@pytest.mark.parametrize("fails", [False, True])
def test_what_one_function_changes_counts_for_another(fails: bool, world: World) -> None:
    """To train a network and then to evaluate it is two functions: what the first had done was no change for the second."""
    config = imports(NET + TABLE) + NET + TABLE
    text = f"""
        from pkg.config import *
        @cached
        def train(k):
            NET.layer.weight.data.mul_(k)
            TABLE['v'] = TABLE['v'] * k
            if {fails}: raise ValueError
        @cached
        def evaluate(x): return x * NET(torch.ones(1)).item(), x * TABLE['v'].sum()
        def try_train(k):
            try: train(k)
            except ValueError: pass
    """
    world.write(package(text, config=config))
    assert ask(world, "(try_train(3), evaluate(1) == evaluate.compute(1))[1]") == "True"
    assert ask(world, "evaluate(1) == evaluate.compute(1), (try_train(5), evaluate(1) == evaluate.compute(1))[1]") == "(True, True)"


def test_what_is_read_from_a_file_as_it_is_asked_for_is_no_change(world: World) -> None:
    """A field that lies in a file is in memory once it was read, and had another key."""
    text = "from pathlib import Path\nimport numpy as np, xarray as xr\n"
    text += "class Slow(xr.backends.BackendArray):\n    shape, dtype = (2,), np.dtype(float)\n    def __getitem__(self, key): return np.ones(2)[key.tuple]\n"
    text += "lazy = xr.core.indexing.MemoryCachedArray(xr.core.indexing.LazilyIndexedArray(Slow()))\nFIELD = xr.Dataset({'v': xr.Variable('x', lazy)})\n"
    world.write(package("from pkg.config import FIELD\n@cached\ndef f(x): return x * FIELD.v.sum().item()\n", config=text))
    assert ask(world, "f.key(1) == (f(1), f.key(1))[1]") == "True"
    assert ask(world, "(FIELD.v.sum(), f.entry(1) is not None)[1]") == "True"


def test_a_wide_table_and_a_dict_of_many_are_not_taken_apart(world: World) -> None:
    """Twenty thousand columns took half a second at each hit."""
    made = "WIDE = pd.DataFrame(np.ones((2, 20_000)))\nMANY = UserDict((i, str(i)) for i in range(300_000))\n"
    world.write(package(f"{imports(made)}{made}@cached\ndef f(x): return x * WIDE.size * len(MANY)\n"))
    looked = "from simcache.identity.process.library_data import data_of; answer = data_of(pkg.mod.WIDE), data_of(pkg.mod.MANY)"
    with world.live(*LIBRARIES) as process:
        assert process.do(f"import pkg.mod; {looked}") == "(None, None)"


ODD = {
    "many moments": "TIMES = np.arange(20_000).astype('datetime64[s]')",
    "many durations in a dict": "TIMES = {'t': np.arange(20_000).astype('timedelta64[s]')}",
    "a dict that cannot be asked for": "class Odd:\n    @property\n    def __dict__(self): raise RuntimeError\nODD = Odd()",
    "a module that is none": "class Odd:\n    __module__ = property(lambda self: 1)\nODD = Odd()\nNONE = type('None_', (), {'__module__': None})()",
    "an array in itself": "ODD = np.array([None, 1]); ODD[0] = ODD",
    "a tuple in itself": "L = [1]; ODD = (L,); L.append(ODD)",
}


@pytest.mark.parametrize("name", ODD)
def test_a_module_that_holds_odd_things_can_be_loaded(name: str, world: World) -> None:
    """Whatever it holds is looked at as it is loaded, also by those who never ask for it."""
    world.write(
        package(
            "from pkg import config\n@cached\ndef f(x): return x\n@cached\ndef g(x): return str(vars(config).keys())\n",
            config=f"import numpy as np\n{ODD[name]}\n",
        )
    )
    assert ask(world, "f(1), f.entry(1) is not None") == "(1, True)"


def test_what_has_grown_too_large_counts_by_its_value(world: World) -> None:
    """Nothing was told of it any more, which was taken for no change."""
    world.write(package(imports(TABLE) + TABLE + "\n" + FUNCTION.format(asked="TABLE['v'].sum().item()")))
    with world.live(*LIBRARIES) as process:
        process.do("import pkg.mod as cfg; from pkg.mod import f; f(1); cfg.TABLE.attrs['k'] = ['x' * 2_000_000]")
        for value in (5.0, 6.0):
            assert process.do(f"cfg.TABLE['v'] = {value}; answer = f(1) == f.compute(1)") == "True"


def test_a_script_forgets_nothing_of_a_module(world: World) -> None:
    """A name of a script was bound anew, and what its module had held by then was the text's from then on."""
    files = package(
        "from pkg.config import LIST, TABLE\n@cached\ndef f(x): return x * sum(LIST) * TABLE['v'].sum().item()\n",
        config=f"{imports(TABLE)}LIST = [1, 2]\n{TABLE}\n",
    )
    script = "from pkg.config import LIST, TABLE\nfrom simcache import cached\nfrom pkg.mod import f\n@cached\ndef g(x): return x\nLIST.append(10)\nTABLE['v'] *= 2\nLIST, TABLE = [], 0\n@cached\ndef h(x): return x\nprint(f(1) == f.compute(1))\n"
    world.write({**files, "main.py": script})
    assert world.run([str(world.checkout / "main.py")]).strip() == "True"
    assert ask(world, "f(1) == f.compute(1)") == "True"
