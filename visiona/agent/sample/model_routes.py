"""The sample unit's routes for models: the whole file as a form, as every local tool takes it, and ranges of it."""

import hashlib
from collections.abc import AsyncIterator
from typing import IO

import trio
from quart import Response, jsonify, request
from quart.formparser import FormDataParser
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioRequest
from werkzeug.formparser import default_stream_factory

from visiona.agent.sample.accelerators import Refused
from visiona.agent.sample.models import MAX_MODEL_BYTES, READ_BYTES, Held, Models, Span, span_of

MAX_STREAMS = 4
"""How many ranges may come at a time, as `GET /api/system/info` says."""


class FormRequest(TrioRequest):
    """A request whose uploaded files go with it, also where it breaks off in the middle of one."""

    def make_form_data_parser(self) -> FormDataParser:
        """As Quart makes it."""
        parser = super().make_form_data_parser()
        self.spools: list[IO[bytes]] = []
        parser.stream_factory = self._spool
        return parser

    async def _load_form_data(self) -> None:
        try:
            await super()._load_form_data()
        except BaseException:
            for spool in self.spools:
                spool.close()
            raise

    def _spool(
        self, total_bytes: int | None, kind: str | None, name: str | None, size_bytes: int | None = None
    ) -> IO[bytes]:
        spool = default_stream_factory(total_bytes, kind, name, size_bytes)
        self.spools.append(spool)
        return spool


def add_model_routes(site: QuartTrio, models: Models) -> None:
    """Adds them."""
    site.config["MAX_CONTENT_LENGTH"] = MAX_MODEL_BYTES + 64 * 1024
    # A body comes as fast as the tunnel brings it.
    site.config["BODY_TIMEOUT"] = None

    site.request_class = FormRequest

    @site.post("/api/models/upload")
    async def upload() -> Response:
        form, files = await request.form, await request.files
        file = files.get("file")
        if file is None:
            raise Refused("the form has no field file", status=400, code="VALIDATION_FAILED")
        sha256, size = await trio.to_thread.run_sync(_measured, file.stream)
        said = form.get("sha256")
        if said is not None and said != sha256:
            raise Refused(f"its digest is {sha256}", status=422, code="DIGEST_MISMATCH")
        await models.write(sha256, Span(0, size), size, _pieces(file.stream))
        return _data(_model(sha256, await models.finish(sha256, form.get("name", sha256))))

    @site.put("/api/models/uploads/<sha256>")
    async def bring(sha256: str) -> Response:
        span, size = span_of(request.headers.get("Content-Range"))
        return _data(_state(await models.write(sha256, span, size, request.body)))

    @site.get("/api/models/uploads/<sha256>")
    async def received(sha256: str) -> Response:
        return _data(_state(models.received(sha256)))

    @site.post("/api/models/uploads/<sha256>/finish")
    async def finish(sha256: str) -> Response:
        said = await request.get_json(force=True)
        name = said.get("name", "") if isinstance(said, dict) else ""
        return _data(_model(sha256, await models.finish(sha256, str(name))))


def _state(held: Held) -> dict[str, object]:
    return {"size": held.size, "received": [[span.start, span.end] for span in held.spans]}


def _model(sha256: str, held: Held) -> dict[str, object]:
    return {"id": sha256, "name": held.name, "size": held.size, "sha256": sha256}


def _data(data: object) -> Response:
    return jsonify({"success": True, "data": data})


def _measured(file: IO[bytes]) -> tuple[str, int]:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(READ_BYTES):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return digest.hexdigest(), size


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await trio.to_thread.run_sync(file.read, READ_BYTES):
        yield piece
