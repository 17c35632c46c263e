from sktransformers.data.task import Task
from sktransformers.tasks.classification import Classification


def test_tasks_have_all_that_the_protocol_names():
    wanted = {name for name in vars(Task) if not name.startswith("_")} | {"auto_class"}
    assert wanted <= set(dir(Classification))
