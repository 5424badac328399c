"""The ways out of this machine: libcurl for the bytes of downloads, aiohttp for services, a gateway for programs.

    who asks                      through                    thread
    ----------------------------  -------------------------  -----------------------
    transfer, for files           `request.HttpClient`       the engine's (`transport`)
    sources, webhooks, for JSON   `api_client.ApiClient`     the front's loop
    the page engine's process     `gateway.Gateway`          the front's loop

All three ask the same `address_policy`, by name before each request and by address at each connection,
follow redirects by the same rules (`redirects`) and translate what goes wrong in `refusals`. An `Exchange`
is one request and its answer; `Head` is what can be judged of an answer before its body.
"""
