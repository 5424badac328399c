"""The local HTTP interface: what browsers, the dashboard, the command line and scripts talk to.

One request, file by file: `listener` holds the sockets, `connections` accepts a client and watches its
deadlines, `server` reads the request. `gate` collects the `RequestFacts` of its head and judges them;
`routing` has found the `Route` of its path by then. The route's handler, in `api` or `pages`, gets a
`HookRequest` (`request`), asks the agent, and returns a `Reply`. Nothing here acts by itself. `events`
keeps what the bus tells for `GET /api/v1/events`; `openapi` and docs/http.md are made from the routes.

A route is declared above its handler. The first line of the docstring is its line in the docs; `body`,
`query` and `answers` are types (of `schemas` or the model), which validate and document:

    routes = Routes()

    @routes.add(
        "POST", "/api/v1/batches/{id}/undo",
        who="owner", body=schemas.Empty, is_body_optional=True, answers={200: Batch},
    )
    async def undo_batch(request: HookRequest) -> Reply:
        \"\"\"Cancel the rest of a batch, and put what arrived into the trash.\"\"\"
        request.json(schemas.Empty)
        return Reply(200, await request.agent.undo.take_back(request.params["id"]))

`who` is one of those of `routing.Who`. `hook/api/__init__.py` names the files of the JSON interface, and
`server.ROUTES` all routes. A handler that raises an error of ours is answered by `server.STATUS`; only
`events` and the streams of other protocols touch aiohttp's request, as `request.http`.
"""
