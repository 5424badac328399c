"""The ways out of this machine: libcurl for the bytes of downloads, aiohttp for services, a gateway for programs.

    who asks                      through                    thread
    ----------------------------  -------------------------  -----------------------
    transfer, for files           `request.HttpClient`       the engine's (`transport`)
    sources, webhooks, for JSON   `api_client.ApiClient`     the front's loop
    the page engine's process     `gateway.Gateway`          the front's loop

All three ask the same `address_policy`, by name before each request and by address at each connection,
follow redirects by the same rules (`redirects`) and translate what goes wrong in `refusals`. An `Exchange`
is one request and its answer; `Head` is what can be judged of an answer before its body.

Some files serve one neighbour, and are read alone: `easy_handle` is one of libcurl's handles, `transport` all
of them and their thread, `idle_sockets` what comes between two requests; `codings` takes off what a server
put on unasked; `dialer` is how the gateway connects; `sockets`, `trust` and `peer_tables` are where the three
systems differ, so that nobody else has to ask which one this is.
"""
