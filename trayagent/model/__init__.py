"""Pure values and decisions: no I/O, no clock, no threads; standard library and msgspec only.

Everybody may import this room, and it imports nobody. Values are frozen; what needs the time, a random
number or a look at the disk gets it as an argument.

    downloads, jobs, transfer, library, settings, access     the nouns that others pass on: what is
                    asked for, what is stored, what a slot works on, what a source lists
    events, status, notices     facts; the counts folded from them; what a person is told of them
    validation      may this item enter? `urls`, `addresses`, `filenames`, `pieces` and `disposition`
                    say what of foreign input is good, and in which form
    errors          every code with its sentence, its next action, and what it implies
    retry, engine_choice     when to try again; whether transfer or the page engine fetches
    units, wording  what people write, read by us; what we write, read by people
    schedule, folder_rules, file_types     hours with a speed limit; which folder a file belongs into
    lenient_json, manifests, inert, diagnosis     JSON and manifests as others write them; endings that
                    a double click would run; what the doctor finds
    webhook, extension     what other programs are told; the files of the browser extension

`notices`, `webhook` and `inert` have one caller each. They are here because they decide, or only list,
and do nothing: so they can be tested, and read, without what acts on them.
"""
