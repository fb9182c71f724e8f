"""Models: what is on record of them, the links to bring their files by, and the files themselves.

The bytes of an upload do not come here (storage.py). `faa_object_key` is in no answer.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from quart import Blueprint, Response, request

from visiona.domain.access import Actor, Scope
from visiona.domain.errors import Conflict, Gone, Invalid, NotFound, StorageFull, TooLarge
from visiona.domain.ids import ModelId, UserId, WorkspaceId
from visiona.domain.models import Model, ModelFilter, ModelSource, ModelStatus
from visiona.services.model_files import announce_file, delete_model, file_of, finish_model
from visiona.services.models import Announced, Quota, announced, chips, get_model, list_models
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.interfaces import FileRef, FileStore
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, listed, moment, no_content, ok, page_asked, without_nothing
from visiona.web.current_request import request_header
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import Fields, body_fields
from visiona.web.model_shapes import AnnouncedModel, Brought, ModelItem, ModelQuery, ModelWish
from visiona.web.ranges import Part, part_asked
from visiona.web.upload_links import LINK_TTL, UploadLinks

PARTS: Mapping[int, str] = {
    206: "The part asked for.",
    304: "It is the one that the client has.",
    412: "It is another one by now.",
    416: "It is shorter than that.",
}


@dataclass(frozen=True, slots=True)
class ModelParts:
    """What the routes of models are given beside the stores."""

    files: FileStore
    links: UploadLinks
    quota: Quota


def model_routes(stores: Stores, parts: ModelParts, now: Callable[[], datetime]) -> Blueprint:
    """The routes."""
    routes = Blueprint("models", __name__)
    files, links, quota = parts.files, parts.links, parts.quota

    @routes.get("/api/models")
    @described(answer=ModelItem, query=ModelQuery, is_kept_list=True)
    async def list_all() -> Response:
        """The caller's models and the built-in ones."""
        limit, cursor = page_asked()
        actor = current_actor(Scope.MODELS_READ)
        page = await list_models(stores, actor, _filter(actor), limit=limit, cursor=cursor)
        return listed(page, model_item, bare=limit is None)

    @routes.post("/api/models/init")
    @described(answer=AnnouncedModel, body=ModelWish, refusals=(NotFound, Conflict, StorageFull))
    async def init() -> Response:
        """Announce a model: it is checked and put on record, and a link says where its file goes."""
        actor = current_actor(Scope.MODELS_WRITE)
        fields = await body_fields()
        workspace = fields.text_or_none("workspace_id")
        model = await announce_file(
            stores,
            files,
            actor,
            _said(fields),
            quota,
            now(),
            workspace_id=WorkspaceId(workspace) if workspace is not None else None,
        )
        if model.status is ModelStatus.READY:
            return ok({"model": model_item(model)})
        ref = file_of(model)
        url, expires_at = links.link(ref, now())
        # Where files are in an object store, they go there without us.
        elsewhere = await files.upload_url(ref, LINK_TTL)
        return ok(
            {
                "model": model_item(model),
                "upload_url": elsewhere or url,
                "expires_at": moment(expires_at),
                "resumable": elsewhere is None,
            }
        )

    @routes.post("/api/models/<model_id>/finalize")
    @described(answer=ModelItem, refusals=(Conflict,))
    async def finalize(model_id: str) -> Response:
        """The file has come: the model is ready."""
        actor = current_actor(Scope.MODELS_WRITE)
        return ok(model_item(await finish_model(stores, files, actor, ModelId(model_id), now())))

    @routes.get("/api/models/<model_id>")
    @described(answer=ModelItem)
    async def get(model_id: str) -> Response:
        """One model."""
        return ok(model_item(await get_model(stores, current_actor(Scope.MODELS_READ), ModelId(model_id))))

    @routes.delete("/api/models/<model_id>")
    @described(status=204, refusals=(Conflict,))
    async def delete(model_id: str) -> Response:
        """Delete a model and its file."""
        await delete_model(stores, files, current_actor(Scope.MODELS_WRITE), ModelId(model_id), now())
        return no_content()

    @routes.get("/api/models/<model_id>/download")
    @described(media=("application/octet-stream",), refusals=(Conflict,), also=PARTS)
    async def download(model_id: str) -> Response:
        """A model's file, whole or in part (Range)."""
        model = await get_model(stores, current_actor(Scope.MODELS_READ), ModelId(model_id))
        if model.status is not ModelStatus.READY:
            raise Conflict("the file of this model has not been uploaded yet")
        ref = file_of(model)
        if not await files.has(ref):
            raise StoreUnavailable("the file of a model is not where it was put")
        part = part_asked(
            ref.size,
            ref.etag,
            # Of HEAD there are no ranges (RFC 9110 §14.2).
            range_text=request_header("range") if request.method == "GET" else None,
            if_range=request_header("if-range"),
            if_match=request_header("if-match"),
            if_none_match=request_header("if-none-match"),
        )
        return _answer(files, ref, part, _file_name(model))

    @routes.put("/storage/<key>")
    @described(
        answer=Brought,
        also={202: "The same; more is to come."},
        refusals=(Invalid, Conflict, Gone, TooLarge, StorageFull),
    )
    async def bring(key: str) -> Response:
        """Upload a model's file, or with Content-Range the part that comes next, by its signed link."""
        # It does not come so far: storage.py takes it before. This is its place in the route table.
        raise NotFound(f"nobody takes files here: {key}")

    return routes


def model_item(model: Model) -> Json:
    """A model as the API shows it."""
    return without_nothing(
        {
            "id": model.id,
            "name": model.name,
            "description": model.description,
            "version": model.version,
            "target_chips": list(model.target_chips),
            "file_size": model.file_size,
            "sha256": model.sha256,
            "source": model.source.value,
            "status": model.status.value,
            "license": model.license,
            "metrics": dict(model.metrics) if model.metrics is not None else None,
            "workspace_id": model.workspace_id,
            "owner": model.user_id,
            "created_at": moment(model.created_at),
            "updated_at": moment(model.updated_at),
        }
    )


def _filter(actor: Actor) -> ModelFilter:
    owner, chip, source = (request.args.get(name) for name in ("owner", "chip", "source"))
    if source and source not in {each.value for each in ModelSource}:
        raise Invalid("source: write uploaded, converted or builtin")
    return ModelFilter(
        owner=(actor.user_id if owner == "me" else UserId(owner)) if owner else None,
        chip=chips([chip])[0] if chip else None,
        source=ModelSource(source) if source else None,
    )


def _said(fields: Fields) -> Announced:
    return announced(
        name=fields.text("name"),
        version=fields.text("version"),
        target_chips=fields.texts_or_none("target_chips") or (),
        file_size=fields.integer_or_none("file_size") or 0,
        sha256=fields.text("sha256"),
        source=fields.text_or_none("source"),
        description=fields.text_or_none("description"),
        license=fields.text_or_none("license"),
        metrics=fields.numbers_or_none("metrics"),
    )


def _answer(files: FileStore, ref: FileRef, part: Part, file_name: str) -> Response:
    has_body = part.length > 0 and request.method != "HEAD"
    response = Response(
        _pieces(files, ref, part) if has_body else b"",
        status=part.status,
        content_type="application/octet-stream",
    )
    # Quart ends an answer after 60 s unless it is told otherwise; a piece that nobody takes has its own end (site.py).
    response.timeout = None
    response.headers["ETag"] = ref.etag
    response.headers["Accept-Ranges"] = "bytes"
    if part.status in {200, 206}:
        response.headers["Content-Length"] = str(part.length)
        # Never shown in place: nobody knows what is in it.
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
    if part.status == 206:
        last = part.start + part.length - 1
        response.headers["Content-Range"] = f"bytes {part.start}-{last}/{ref.size}"
    if part.status == 416:
        response.headers["Content-Range"] = f"bytes */{ref.size}"
    return response


async def _pieces(files: FileStore, ref: FileRef, part: Part) -> AsyncGenerator[bytes, None]:
    async with files.open_file_or_none(ref) as file:
        if file is None:
            raise StoreUnavailable("the file was deleted at this moment")
        async with aclosing(file.read(part.start, part.length)) as pieces:
            async for piece in pieces:
                yield piece


def _file_name(model: Model) -> str:
    """What a browser offers to save it as; a word of somebody's own, so without anything that could be a path (M-01)."""
    name = f"{model.name}-{model.version}"
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name).lstrip(".") + ".nef"
