"""Which target groups --origin fills; the doors are tested through their ports."""

from pathlib import Path

from edgeproxy.app.load_balancers import with_local_targets
from edgeproxy.loadbalancing.model import LoadBalancer, TargetGroup
from edgeproxy.project.model import Project
from edgeproxy.settings import settings_from


def test_origin_names_the_one_target_of_a_group_of_servers() -> None:
    groups = {
        "Web": TargetGroup("Web", "arn:web", targets=("10.0.0.1:80", "10.0.0.2:80")),
        "Other": TargetGroup("Other", "arn:other", targets=("10.0.0.3:80",)),
        "Fn": TargetGroup("Fn", "arn:fn", "fn"),
    }
    project = Project(load_balancers={"Alb": LoadBalancer("Alb", "alb", (), groups)})
    origin = ("Web=http://127.0.0.1:9", "Fn=http://127.0.0.1:9", "site=http://127.0.0.1:9")
    settings = settings_from({}, {"origin": origin, "state_dir": Path("state")})
    found = with_local_targets(project, settings).load_balancers["Alb"].target_groups
    assert found["Web"].targets == ("Web:80",)
    assert (found["Other"], found["Fn"]) == (groups["Other"], groups["Fn"])
