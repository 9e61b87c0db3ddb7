"""Action pages whose work is done by a cluster."""

from typing import Any, ClassVar

from predictions.workqueue import clusters
from shiolplus.adminsite.action_pages import ActionPage


class ClusterActionPage(ActionPage):
    """Warn on the page while no cluster is alive.

    `needs_cluster` says so for every use of the action; otherwise the preview's value of that name decides.
    """

    needs_cluster: ClassVar[bool] = False

    def page_context(self, preview: dict[str, Any] | None) -> dict[str, Any]:
        is_needed = self.needs_cluster or bool(preview and preview.get("needs_cluster"))
        return {"warn_of_cluster": is_needed and not clusters.alive()}
