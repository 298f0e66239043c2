"""Write the Grafana dashboards: this program is their source, and the files that it writes are committed.

    python deploy/monitoring/dashboards.py deploy/monitoring/dashboards

`make dashboards` calls it. Grafana reads the files from a folder, or from a ConfigMap with the label that its
sidecar looks for, as the component `monitoring` makes one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

_WIDTH: Final = 8
_HEIGHT: Final = 8
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
_SERVICE: Final = 'service=~"$service"'
_CALLS: Final = f'{_SERVICE}, method!~"/grpc[.].*"'


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a dashboard.

    Attributes:
        title: Its title.
        unit: Grafana's name of the unit.
        queries: PromQL by legend.
        description: What to read from it, and when to worry.
        is_single: Whether it shows the last number instead of its course.
    """

    title: str
    unit: str
    queries: dict[str, str]
    description: str = ""
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    Attributes:
        uid: Its identifier, and the name of its file.
        title: Its title.
        rows: Panels by the title of their row.
    """

    uid: str
    title: str
    rows: dict[str, tuple[Panel, ...]]


def _quantile(metric: str, by: str, *, selector: str = _SERVICE, quantile: float = 0.95) -> str:
    return (
        f"histogram_quantile({quantile}, "
        f"sum by ({by}, le) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))"
    )


def _rate(metric: str, by: str, *, selector: str = _SERVICE) -> str:
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def _count(metric: str, by: str) -> str:
    return f"count by ({by}) ({metric}{{{_SERVICE}}})"


def _largest(metric: str, by: str) -> str:
    return f"max by ({by}) ({metric}{{{_SERVICE}}})"


OVERVIEW: Final = Board(
    "chladni-overview",
    "Chladni: overview",
    {
        "Do users get answers?": (
            Panel(
                "Answers that fail",
                "percentunit",
                {"1 h": "gateway:errors:ratio_rate1h", "6 h": "gateway:errors:ratio_rate6h"},
                "The objective allows 0.5 % in 30 days.",
            ),
            Panel("Ready replicas", "none", {"{{service}}": "service:chladni_ready:sum"}, "", is_single=True),
            Panel(
                "Wait for a turn, 95 %",
                "s",
                {"{{service}} {{queue}}": "service_queue:chladni_queue_wait_seconds:p95_5m"},
                "The wait of image-generation is what it is scaled by.",
            ),
            Panel(
                "HTTP answers by status",
                "reqps",
                {"{{status}}": _rate("chladni_http_requests_total", "status")},
            ),
            Panel(
                "HTTP time by route, 95 %",
                "s",
                {"{{route}}": _quantile("chladni_http_request_duration_seconds", "route")},
            ),
            Panel(
                "Creations by outcome", "reqps", {"{{outcome}}": _rate("chladni_creations_total", "outcome")}
            ),
        ),
        "Calls": (
            Panel(
                "Calls by code",
                "reqps",
                {"{{service}} {{code}}": _rate("chladni_requests_total", "service, code", selector=_CALLS)},
            ),
            Panel(
                "Time by method, 95 %",
                "s",
                {"{{method}}": "service_method:chladni_request_duration_seconds:p95_5m{" + _SERVICE + "}"},
            ),
            Panel("Calls in progress", "none", {"{{service}}": "service:chladni_requests_in_flight:sum"}),
        ),
        "Resources": (
            Panel(
                "Memory, part of the limit",
                "percentunit",
                {"{{pod}}": "service_pod:chladni_memory:ratio{" + _SERVICE + "}"},
                "A pod at 1 is killed.",
            ),
            Panel("Memory", "bytes", {"{{pod}}": _largest("chladni_memory_used_bytes", "pod")}),
            Panel("Processors", "none", {"{{pod}}": _rate("process_cpu_seconds_total", "pod")}),
            Panel(
                "Versions",
                "none",
                {
                    "{{service}} {{version}} {{revision}}": _count(
                        "chladni_build_info", "service, version, revision"
                    )
                },
                "More than one a service during a roll-out alone.",
            ),
            Panel(
                "Models",
                "none",
                {"{{service}} {{model}} {{digest}}": _count("chladni_model_info", "service, model, digest")},
                "Replicas of a service should have the same digests.",
            ),
            Panel(
                "Time to load a model",
                "s",
                {"{{pod}} {{model}}": _largest("chladni_model_load_seconds", "pod, model")},
            ),
        ),
    },
)

IMAGES: Final = Board(
    "chladni-images",
    "Chladni: making images",
    {
        "From request to image": (
            Panel(
                "Stages, 95 %",
                "s",
                {"{{service}} {{stage}}": "service_stage:chladni_stage_seconds:p95_5m{" + _SERVICE + "}"},
            ),
            Panel(
                "Waiting and in progress",
                "none",
                {
                    "waiting": f"sum(chladni_generations_queued{{{_SERVICE}}})",
                    "in progress": f"sum(chladni_generations_active{{{_SERVICE}}})",
                    "jobs": f"sum(chladni_unfinished_jobs{{{_SERVICE}}})",
                },
            ),
            Panel(
                "Why generations end",
                "reqps",
                {"{{finish_reason}}": _rate("chladni_generations_total", "finish_reason")},
            ),
        ),
        "The model": (
            Panel(
                "Time of a step",
                "s",
                {
                    "half": _quantile("chladni_denoising_step_seconds", "service", quantile=0.5),
                    "95 %": _quantile("chladni_denoising_step_seconds", "service"),
                },
            ),
            Panel(
                "Requests that share a step, mean",
                "none",
                {
                    "{{service}}": f"{_rate('chladni_denoising_batch_requests_sum', 'service')} / "
                    f"{_rate('chladni_denoising_batch_requests_count', 'service')}"
                },
                "Near 1 while requests wait: they differ in size or reproducibility, or the batch size is 1.",
            ),
            Panel(
                "Steps taken and saved",
                "ops",
                {
                    "taken": _rate("chladni_denoising_steps_total", "service"),
                    "saved": _rate("chladni_denoising_steps_saved_total", "service"),
                },
            ),
            Panel("Pixels", "ops", {"{{service}}": _rate("chladni_generated_pixels_total", "service")}),
            Panel(
                "Images that needed no work",
                "reqps",
                {"{{source}}": _rate("chladni_generations_reused_total", "source")},
            ),
            Panel(
                "Batches made smaller for want of memory",
                "ops",
                {"{{pod}}": _rate("chladni_memory_shortages_total", "pod")},
            ),
        ),
        "GPU": (
            Panel(
                "GPU memory",
                "bytes",
                {"{{pod}} {{device}} {{kind}}": _largest("chladni_gpu_memory_bytes", "pod, device, kind")},
            ),
            Panel(
                "GPU use",
                "percentunit",
                {"{{pod}} {{device}}": _largest("chladni_gpu_utilization_ratio", "pod, device")},
            ),
            Panel("Image cache", "bytes", {"{{pod}}": _largest("chladni_image_cache_bytes", "pod")}),
        ),
        "Sound and similarity": (
            Panel(
                "Audio analysed by format",
                "none",
                {"{{format}}": _rate("chladni_audio_analysed_seconds_total", "format")},
                "Seconds of audio a second.",
            ),
            Panel(
                "Decoding processes replaced",
                "ops",
                {"{{pod}}": _rate("chladni_decoding_processes_replaced_total", "pod")},
            ),
            Panel(
                "Embeddings that were known",
                "percentunit",
                {
                    "{{model}}": f"{_rate('chladni_embedding_cache_hits_total', 'model')} / "
                    f"({_rate('chladni_embedding_cache_hits_total', 'model')} + "
                    f"{_rate('chladni_embedding_cache_misses_total', 'model')})"
                },
            ),
        ),
    },
)

BOARDS: Final = (OVERVIEW, IMAGES)


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel:
    built = stat.Panel() if panel.is_single else timeseries.Panel()
    built.title(panel.title).unit(panel.unit).min(0).datasource(_SOURCE).span(_WIDTH).height(_HEIGHT)
    if panel.description:
        built.description(panel.description)
    for reference, (legend, expression) in zip("ABCDEF", panel.queries.items(), strict=False):
        query = prometheus.Dataquery().ref_id(reference).expr(expression).legend_format(legend)
        built.with_target(query.exemplar("histogram_quantile" in expression))
    return built


def to_json(board: Board) -> str:
    """Return a dashboard as Grafana reads it."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["chladni"])
        .timezone("browser")
        .refresh("30s")
        .time("now-3h", "now")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("service")
            .label("Service")
            .datasource(_SOURCE)
            .query("label_values(chladni_build_info, service)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
        )
    )
    for title, panels in board.rows.items():
        built.with_row(dashboard.Row(title))
        for panel in panels:
            built.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


if __name__ == "__main__":
    for item in BOARDS:
        (Path(sys.argv[1]) / f"{item.uid}.json").write_text(to_json(item))
