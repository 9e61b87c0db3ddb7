"""Action pages whose work is done by a cluster."""

from typing import Any, ClassVar

from predictions.workqueue import clusters
from shiolplus.adminsite.action_pages import ActionPage


class ClusterActionPage(ActionPage):
    """Warn if the action needs a cluster, always or according to its preview, and none is alive."""

    needs_cluster: ClassVar[bool] = False

    def page_context(self, preview: dict[str, Any] | None) -> dict[str, Any]:
        needs_cluster = self.needs_cluster or bool(preview and preview.get("needs_cluster"))
        return {"no_cluster_alive": needs_cluster and not clusters.alive()}
