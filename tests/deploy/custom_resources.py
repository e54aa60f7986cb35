"""Kinds that Kubernetes does not know of itself: the fields that we use of them, by their API references.

LeaderWorkerSet: https://lws.sigs.k8s.io/docs/reference/leaderworkerset.v1/
HTTPRoute: https://gateway-api.sigs.k8s.io/reference/spec/
ScaledObject: https://keda.sh/docs/latest/reference/scaledobject-spec/
PodMonitor: https://prometheus-operator.dev/docs/api-reference/api/
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
#: Of the Gateway API: 0s, 15s, 1m30s.
Duration = Annotated[str, Field(pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
Positive = Annotated[int, Field(ge=1)]


class Metadata(Strict):
    name: Name
    namespace: Name = "default"
    labels: dict[str, str] = {}


class Rollout(Strict):
    maxSurge: int | str
    maxUnavailable: int | str


class RolloutStrategy(Strict):
    type: Literal["RollingUpdate"]
    rollingUpdateConfiguration: Rollout


class LeaderWorkerTemplate(Strict):
    """Its pod templates are validated as Kubernetes' own."""

    size: Positive
    restartPolicy: Literal["RecreateGroupOnPodRestart", "None"]
    leaderTemplate: dict[str, Any]
    workerTemplate: dict[str, Any]


class LeaderWorkerSetSpec(Strict):
    replicas: Annotated[int, Field(ge=0)]
    rolloutStrategy: RolloutStrategy
    leaderWorkerTemplate: LeaderWorkerTemplate


class LeaderWorkerSet(Strict):
    apiVersion: Literal["leaderworkerset.x-k8s.io/v1"]
    kind: Literal["LeaderWorkerSet"]
    metadata: Metadata
    spec: LeaderWorkerSetSpec


class ParentReference(Strict):
    name: Name
    namespace: Name


class PathMatch(Strict):
    type: Literal["Exact", "PathPrefix", "RegularExpression"]
    value: Annotated[str, Field(pattern="^/", max_length=1024)]


class RouteMatch(Strict):
    path: PathMatch


class Timeouts(Strict):
    request: Duration
    backendRequest: Duration


class Backend(Strict):
    name: Name
    port: Annotated[int, Field(ge=1, le=65535)]


class RouteRule(Strict):
    matches: Annotated[list[RouteMatch], Field(max_length=64)]
    timeouts: Timeouts
    backendRefs: Annotated[list[Backend], Field(max_length=16)]


class HTTPRouteSpec(Strict):
    parentRefs: list[ParentReference]
    hostnames: list[str]
    rules: Annotated[list[RouteRule], Field(min_length=1, max_length=16)]


class HTTPRoute(Strict):
    apiVersion: Literal["gateway.networking.k8s.io/v1"]
    kind: Literal["HTTPRoute"]
    metadata: Metadata
    spec: HTTPRouteSpec


class Target(Strict):
    name: Name


class ScalingPolicy(Strict):
    """Of Kubernetes' HorizontalPodAutoscaler, autoscaling/v2."""

    type: Literal["Pods", "Percent"]
    value: Positive
    periodSeconds: Annotated[int, Field(ge=1, le=1800)]


class ScalingRules(Strict):
    stabilizationWindowSeconds: Annotated[int, Field(ge=0, le=3600)]
    policies: list[ScalingPolicy]


class Behavior(Strict):
    scaleUp: ScalingRules
    scaleDown: ScalingRules


class AutoscalerConfig(Strict):
    behavior: Behavior


class Advanced(Strict):
    horizontalPodAutoscalerConfig: AutoscalerConfig


class PrometheusQuery(Strict):
    """KEDA reads numbers from strings: https://keda.sh/docs/latest/scalers/prometheus/"""

    serverAddress: Annotated[str, Field(pattern="^https?://")]
    query: str
    threshold: Annotated[str, Field(pattern=r"^[0-9.]+$")]


class Trigger(Strict):
    type: Literal["prometheus"]
    name: Name
    metadata: PrometheusQuery


class ScaledObjectSpec(Strict):
    scaleTargetRef: Target
    minReplicaCount: Positive
    maxReplicaCount: Positive
    pollingInterval: Positive
    advanced: Advanced
    triggers: list[Trigger]


class ScaledObject(Strict):
    apiVersion: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledObjectSpec


class Selector(Strict):
    matchLabels: dict[str, str]


class MetricsEndpoint(Strict):
    port: str
    path: str
    interval: Duration


class PodMonitorSpec(Strict):
    jobLabel: str
    selector: Selector
    podMetricsEndpoints: list[MetricsEndpoint]


class PodMonitor(Strict):
    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    metadata: Metadata
    spec: PodMonitorSpec


CUSTOM_RESOURCES: dict[str, type[BaseModel]] = {
    "HTTPRoute": HTTPRoute,
    "LeaderWorkerSet": LeaderWorkerSet,
    "PodMonitor": PodMonitor,
    "ScaledObject": ScaledObject,
}
