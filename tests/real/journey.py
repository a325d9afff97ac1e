"""One environment travels: made and run by its sender, one file, run by who receives it."""

from __future__ import annotations

from comfydock_core.errors import ComfydockError
from comfydock_core.storage.processes import python_of

from tests.real import contract
from tests.real.cut_download import fetch_trained_weights
from tests.real.deciding import receive_as_wished
from tests.real.making import add_nodes, commit, create, index_models, save_workflows
from tests.real.rewriting import check_criticality, check_files, fill_library
from tests.real.route import RECEIVED, SENT, Route
from tests.real.second_environment import create_second
from tests.real.travelling import check_runs, export, import_bundle, run_workflows


def travel(route: Route) -> None:
    """All stages in order; the first one that cannot be done ends them as a failed check."""
    try:
        _travel(route)
    except ComfydockError as failure:
        route.check("the journey reaches its end", f"{failure.sentence}\n{failure.cause}", "")


def _travel(route: Route) -> None:
    create(route)
    create_second(route)
    add_nodes(route)
    index_models(route)
    save_workflows(route)
    sent = run_workflows(route, route.sender, SENT, "sender")
    commit(route)
    fill_library(route)
    fetch_trained_weights(route)
    bundle = export(route)
    import_bundle(route, bundle)
    check_files(route)
    check_criticality(route)
    received = run_workflows(route, route.receiver, RECEIVED, "receiver")
    check_runs(route, sent, received)
    receive_as_wished(route, bundle, sent)
    _keep_contract(route)


def _keep_contract(route: Route) -> None:
    environment = route.receiver.folder(RECEIVED)
    with route.stage("contract"):
        found = contract.differences(environment / "ComfyUI", python_of(environment / ".venv"))
    route.check(f"the contract's {contract.NUMBER_OF_CHECKS} points hold", found, [])
