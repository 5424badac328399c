"""Remote libraries, page by page: Google Flow, and any paginated JSON API described in the settings.

A *source* is one library of one account (`source` has the protocol, and how sources fail). It does
three things: it signs in with what a person pastes (`pasted_cookies`), it lists its items a page at a
time and says with which *cursor* the next page is asked, and it *resolves* an item's download: it
answers with the request to make, or with the bytes themselves when the API sent them as base64.

    flow       Flow + FlowMedia, asking with a FlowSession (`flow_session`)
    json_api   JsonApi + ItemFiles, asking with a JsonOrigin and its JsonAuth (`json_origin`);
               `json_mapping` reads answers by the paths of the settings

All of them ask through `api_client`, which stands on `net/api_client`. `build` makes a source out of its
settings and says which cookies sign it in: it alone knows which types there are, so nobody else imports
`flow`. The agent's library calls them; they know nobody above, keep nothing on disk but secrets, and
send these to their own origin only. What a server leaves unclear is told, never guessed to be the end.
"""
