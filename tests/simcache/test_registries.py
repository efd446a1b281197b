"""What is registered while a process runs counts from then on, whoever registers it; what running code puts there itself does not."""

import pytest

from tests.simcache.world import World, package

PUT = "def register(name):\n    def put(it):\n        LAWS[name] = it\n        return it\n    return put\n"
TWO = '@{by}("default")\ndef default(x): return x\n@{by}("linear")\ndef linear(x): return x * 2\n'
OBJECT = (
    "class Laws:\n    def __init__(self): self.LAWS = {{}}\n    def register(self, name):\n        def put(it):\n"
    "            self.LAWS[name] = it\n            return it\n        return put\n    def get(self, name): return self.LAWS[name]\n{made}"
)
OF_A_CLASS = (
    "class Law:\n    LAWS = {}\n    @classmethod\n    def register(cls, name):\n        def put(it):\n            cls.LAWS[name] = it\n"
    "            return it\n        return put\nregister, LAWS = Law.register, Law.LAWS\n"
)
WRAPS = (
    "import functools\nLAWS = {}\ndef register(name):\n    def put(it):\n        @functools.wraps(it)\n        def call(x): return it(x)\n"
    "        LAWS[name] = call\n        return call\n    return put\n"
)
REGISTRIES = {
    "a dict": f"LAWS = {{}}\n{PUT}{TWO.format(by='register')}",
    "a dict of another module": f"from pkg.laws import LAWS, register\n{TWO.format(by='register')}",
    "a decorator that wraps": f"{WRAPS}{TWO.format(by='register')}",
    "a dict that is filled by calls": f'LAWS = {{}}\n{PUT}def default(x): return x\nregister("default")(default)\nregister("linear")(lambda x: x * 2)\n',
    "a literal": f'LAWS = {{"default": lambda x: x, "linear": lambda x: x * 2}}\n{PUT}',
    "an object": f"{OBJECT.format(made='MADE = Laws()')}\n{TWO.format(by='MADE.register')}register, LAWS = MADE.register, MADE.LAWS\n",
    "a class": f"{OF_A_CLASS}{TWO.format(by='Law.register')}",
    "a dict of a library's class": f"from collections import UserDict\nLAWS = UserDict()\n{PUT}{TWO.format(by='register')}",
}
LOOKUPS = {"an object": "MADE.get(law)(x)", "a class": "Law.LAWS[law](x)"}
CHANGES = {
    "a new one": ('@mod.register("mine")\ndef mine(x): return x * {0}', "mine"),
    "a new one, set": ('def mine(x): return x * {0}\nmod.LAWS["mine"] = mine', "mine"),
    "another in its place": ('mod.LAWS["default"] = lambda x: x * {0}', "default"),
    "two that are exchanged": ('both = mod.LAWS\nif {0} > 3: both["default"], both["linear"] = both["linear"], both["default"]', "default"),
}


def written(world: World, name: str) -> None:
    """A checkout with this registry, and a function that looks a law up there."""
    lookup = LOOKUPS.get(name, "LAWS[law](x)")
    world.write(package(f"{REGISTRIES[name]}@cached\ndef f(law, x): return {lookup}\n", laws=f"LAWS = {{}}\n{PUT}"))


@pytest.mark.parametrize("name", REGISTRIES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("called", [True, False], ids=["after a call", "before the first"])
def test_what_a_program_registers_counts_from_then_on(name: str, change: str, called: bool, world: World) -> None:
    """After a first call nothing that came to a registry did: the law of the program was edited, and the old results were served."""
    written(world, name)
    text, law = CHANGES[change]
    for factor in (3, 4):
        (world.checkout / "more.py").write_text(f"import pkg.mod as mod\n{text.format(factor)}\n")
        with world.live() as process:
            process.do("import pkg.mod as mod")
            if called:
                assert process.do("answer = mod.f('default', 5)") == "5"
            process.do("import more")
            right = process.do(f"answer = mod.f.compute('{law}', 5)")
            assert process.do(f"answer = mod.f('{law}', 5), mod.f('{law}', 5)") == f"({right}, {right})"
    if called:
        assert world.ask("f.entry('default', 5) is not None") == "True"


@pytest.mark.parametrize("called", [True, False], ids=["after a call", "before the first"])
def test_a_class_that_a_program_makes_is_found_in_the_registry_of_its_base(called: bool, world: World) -> None:
    """By `__init_subclass__`, where no decorator tells."""
    base = (
        "class Law:\n    LAWS = {}\n    def __init_subclass__(cls): Law.LAWS[cls.__name__] = cls\nclass Plain(Law):\n"
        "    def run(self, x): return x\n@cached\ndef f(law, x): return Law.LAWS[law]().run(x)\n"
    )
    world.write(package(base))
    for factor in (3, 4):
        more = f"import pkg.mod as mod\nclass Mine(mod.Law):\n    def run(self, x): return x * {factor}\n"
        (world.checkout / "more.py").write_text(more)
        with world.live() as process:
            process.do("import pkg.mod as mod")
            if called:
                assert process.do("answer = mod.f('Plain', 5)") == "5"
            process.do("import more")
            assert process.do("answer = mod.f('Mine', 5)") == str(5 * factor)


@pytest.mark.parametrize("called", ["mod.f('default', 5)", ""], ids=["after a call", "before the first"])
def test_a_lambda_of_the_prompt_counts(called: str, world: World) -> None:
    """It was taken for one that running code has made from a text, and remembers."""
    written(world, "a dict")
    for factor in (3, 4):
        program = f"import pkg.mod as mod\n{called}\nmod.LAWS['default'] = lambda x: x * {factor}\nprint(mod.f('default', 5))"
        assert world.run(["-c", program], cwd=world.checkout) == f"{5 * factor}\n"


def test_what_is_registered_while_another_thread_computes_counts(world: World) -> None:
    """It was taken for what the running code had put there itself."""
    slow = "import threading\nLAWS, began, go_on = {}, threading.Event(), threading.Event()\n"
    slow += f"{PUT}{TWO.format(by='register')}def wait():\n    began.set()\n    go_on.wait(20)\n"
    world.write(package(f"{slow}@cached\ndef f(law, x):\n    if x == 1: wait()\n    return LAWS[law](x)\n"))
    for factor in (3, 4):
        (world.checkout / "more.py").write_text(f"import pkg.mod as mod\nmod.LAWS['default'] = lambda x: x * {factor}\n")
        with world.live() as process:
            process.do(
                "import pkg.mod as mod, threading\nthread = threading.Thread(target=mod.f, args=('linear', 1))\nmod.f.key('linear', 1)"
            )
            process.do(
                "thread.start()\nif mod.f.entry('linear', 1) is None: mod.began.wait(20)\nimport more\nmod.go_on.set(); thread.join()"
            )
            assert process.do("answer = mod.f('default', 5)") == str(5 * factor)


LAZY = """
import pkg.laws
LAWS, SEEN = {}, []
class Laws:
    def __init__(self): self.found = {}
    def get(self, name):
        self.found[name] = pkg.laws.law
        return self.found[name]
MADE = Laws()
def get(name):
    if name not in LAWS: LAWS[name] = pkg.laws.law
    SEEN.append(LAWS[name])
    return LAWS[name]
@cached
def f(x): return get("law")(x)
@cached
def of_object(x): return MADE.get("law")(x)
@cached
def series(x):
    while True:
        x = get(f"law {x}")(x)
        yield x
"""


@pytest.mark.parametrize("name", ["f", "of_object"])
def test_what_running_code_registers_does_not_make_it_cold(name: str, world: World) -> None:
    """It loads a law when that is asked for, and keeps it: the key stays, here and in the next process."""
    world.write(package(LAZY, laws="def law(x): return x * 2\n"))

    asked = f"{name}.key(1), {name}(1), {name}(2), {name}.key(1)"
    assert world.ask(f"(lambda keys: (keys[0] == keys[3], keys[1:3]))(({asked}))") == "(True, (2, 4))"
    assert world.ask(f"({name}.entry(2) is not None, {name}(2), {name}.entry(1) is not None)") == "(True, 4, True)"


def test_what_a_series_registers_as_it_runs_belongs_to_it(world: World) -> None:
    """Each item brings another law; and what somebody else registers between two items does not."""
    world.write(package(LAZY, laws="def law(x): return x * 2\n"))

    assert world.ask("series(1)[:25][-1] == 2**25, series(1).stored, series(1)[:40][-1] == 2**40") == "(True, 25, True)"
    assert world.ask("series(1).stored, series(1)[:45][-1] == 2**45") == "(40, True)"
    with world.live() as process:
        process.do("import pkg.mod as mod\nitems = iter(mod.series(3))\nanswer = next(items)\nmod.LAWS['law 6'] = lambda x: x * 5")
        assert process.do("answer = [next(items) for _ in range(3)]") == "[30, 60, 120]"
    assert world.ask("series(3)[:4]") == "[6, 12, 24, 48]"


PAIR = "LAWS = {}\ndef register(name, **given):\n    def put(law):\n        LAWS[name] = law, given\n        return law\n    return put\n"
RECORD = (
    "from dataclasses import dataclass\n@dataclass\nclass Spec:\n    law: object\n    given: dict\nLAWS = {}\n"
    "def register(name, **given):\n    def put(law):\n        LAWS[name] = Spec(law, given)\n        return law\n    return put\n"
)
OF_PAIR = "def go(x):\n    law, given = LAWS['a']\n    return law(x, **given)\n"
OF_RECORD = "def go(x): return LAWS['a'].law(x, **LAWS['a'].given)\n"
DECORATED = "@register('a', k=2)\ndef law(x, k): return x * k\n"
CALLED = "def law(x, k): return x * k\nregister('a', k=2)(law)\n"
BESIDE = {
    "a pair, by a decorator": (f"{PAIR}{DECORATED}{OF_PAIR}", "", "mod.LAWS['a'][1]['k'] = {0}"),
    "a pair that is put there again": (f"{PAIR}{DECORATED}{OF_PAIR}", "", "mod.register('a', k={0})(mod.law)"),
    "a pair, by a statement": (f"{PAIR}{CALLED}{OF_PAIR}", "", "mod.LAWS['a'][1]['k'] = {0}"),
    "a dict, by a function that is given it": (
        (
            "LAWS = {}\ndef put(name, law, **given): LAWS[name] = {'law': law, 'given': given}\ndef law(x, k): return x * k\nput('a', law, k=2)\n"
            "def go(x): return LAWS['a']['law'](x, **LAWS['a']['given'])\n"
        ),
        "",
        "mod.LAWS['a']['given']['k'] = {0}",
    ),
    "a record, by a decorator": (f"{RECORD}{DECORATED}{OF_RECORD}", "", "mod.LAWS['a'].given = {{'k': {0}}}"),
    "what a record holds": (f"{RECORD}{DECORATED}{OF_RECORD}", "", "mod.LAWS['a'].given['k'] = {0}"),
    "a record of another module": (
        f"{RECORD}{OF_RECORD}import pkg.laws\n",
        f"from pkg.mod import register\n{DECORATED}",
        "mod.LAWS['a'].given['k'] = {0}",
    ),
}


@pytest.mark.parametrize("first", ["before", "after"])
@pytest.mark.parametrize("name", BESIDE)
def test_the_data_beside_registered_code_counts_as_it_is(name: str, first: str, world: World) -> None:
    """Where the module registers by a function of its own, that was taken for one which fills the registry as the code runs."""
    text, laws, change = BESIDE[name]
    world.write(package(f"{text}@cached\ndef f(x): return go(x)\n", **({"laws": laws} if laws else {})))
    plain = world.ask("f(1)")
    for factor in (3, 4):
        with world.live() as process:
            process.do("import pkg.mod as mod")
            if first == "after":
                assert process.do("answer = mod.f(1)") == plain
            process.do(change.format(factor))
            assert process.do("answer = mod.f(1), mod.f(1)") == f"({factor}, {factor})"
    assert world.ask("f(1), f.entry(1) is not None") == f"({plain}, True)"


MEMO = """
import functools
CALLS, KEPT = {}, {}
def counted(function):
    @functools.wraps(function)
    def counting(x):
        CALLS[function.__name__] = CALLS.get(function.__name__, 0) + 1
        return KEPT.setdefault(x, function(x))
    return counting
@counted
def law(x): return x * 2
@cached
def f(x): return law(x) + len(KEPT) * 0
"""


def test_what_a_decorator_leaves_around_a_function_fills_as_it_runs(world: World) -> None:
    """Its counts and memos are its own, and no registry."""
    world.write(package(MEMO))
    key = world.ask("f(1) and f.key(1)")
    assert world.ask("[law(x) for x in range(5)] and f.key(1)") == key
    assert world.ask("f(2), [law(x) for x in range(5)], f.key(1)").endswith(f"{key})")
