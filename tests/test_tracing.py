"""Traces of tasks, as a collector on loopback gets them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.patience import wait_for
from tests.support.service import PICTURE, RunningService, running

pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@contextmanager
def collecting() -> Iterator[tuple[str, list[tuple[str, Span]]]]:
    """The address of a collector, and what it has got: the process that says so, and a span of it."""
    got: list[tuple[str, Span]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            said = ExportTraceServiceRequest()
            said.ParseFromString(gzip.decompress(raw) if self.headers["Content-Encoding"] == "gzip" else raw)
            for resource in said.resource_spans:
                attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
                assert attributes["service.name"] == "restyle"
                for scope in resource.scope_spans:
                    got.extend((attributes["service.instance.id"].split("/")[1], span) for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", got
        finally:
            server.shutdown()
            thread.join()


def test_a_task_is_one_trace_over_all_processes_that_it_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it goes where the setting says, whatever else the environment names."""
    with collecting() as (address, got), collecting() as (elsewhere, unasked):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", elsewhere.removesuffix("/v1/traces"))
        with running(tmp_path, tracing_endpoint=address) as service:
            follow(service, got)
        assert not unasked


def follow(service: RunningService, got: list[tuple[str, Span]]) -> None:
    uid = service.submit()
    assert service.wait(uid)["Status"] == "Finished"
    refused = service.call("ApplyReferenceStyle", MainModel={"ModelCode": "Obedient"}, ImageList=["", PICTURE],
                           RawImageIndex=0, StyleImageIndex=1)  # fmt: skip
    assert refused["RetCode"] == 4003

    def ours() -> list[tuple[str, Span]]:
        return [
            (part, span)
            for part, span in list(got)
            if any(each.key == "restyle.task" and each.value.string_value == uid for each in span.attributes)
        ]

    whole = [("alone", "check"), ("alone", "claim"), *[("alone", "put")] * 2, ("alone", "submit"),
             ("worker", "draw"), ("worker", "put")]  # fmt: skip
    wait_for(lambda: len(ours()) >= len(whole), lambda: [(part, span.name) for part, span in ours()])
    assert sorted((part, span.name) for part, span in ours()) == whole
    (root,) = [span for _, span in ours() if span.name == "submit"]
    assert not root.parent_span_id
    assert {span.trace_id for _, span in ours()} == {root.trace_id}
    assert {span.parent_span_id for _, span in ours() if span is not root} == {root.span_id}
    assert len({span.span_id for _, span in ours()}) == len(whole)
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for _, span in ours())
    wait_for(lambda: any(span.name == "check" and span.status.message == "RestyleError" for _, span in list(got)))
