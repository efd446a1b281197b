from rl.env import Env as Env
from rl.parallel_env import ParallelEnv as ParallelEnv
from rl.task import Task as Task
from rl.task import TaskSpec as TaskSpec
from rl.tasks import ready as ready
from rl.vec_env import VecEnv as VecEnv
from rl.vector_env import VectorEnv as VectorEnv

__all__ = ["Env", "ParallelEnv", "Task", "TaskSpec", "VecEnv", "VectorEnv", "ready"]
