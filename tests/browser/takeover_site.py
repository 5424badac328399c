"""Downloads as sites offer them: for members, once, after a form, made by the page itself, slowly."""

from tests.browser.public_site import Answers, PublicSite

PAGE = """<!doctype html><title>Downloads</title>
<p><a id="members" href="/take/members.zip">Members</a>
<a id="once" href="/take/once.zip">Once</a>
<a id="small" href="/take/small.zip">Small</a>
<a id="other" href="/take/other.zip">Another</a>
<a id="blob" download="made-here.zip">Made here</a></p>
<form method="post" action="/take/form.zip"><button id="form">Ask</button></form>
<script>
  document.getElementById("blob").href = URL.createObjectURL(new Blob(["x".repeat(5000)]));
</script>"""
CONTENT = b"PK\3\4" + bytes(range(256)) * 400
SMALL = b"PK\3\4small"


def attach(answers: Answers, body: bytes, status: int = 200) -> None:
    """Answer with a file to save; to the first that asks, the browser, it takes a moment."""
    name = answers.path.rpartition("/")[2]
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    first = [path for path, _ in answers.server.seen].count(answers.path) == 1
    pause = 0.04 if first and len(body) > len(SMALL) else 0
    answers.give("application/zip", body, disposition, status=status, pause=pause)


def for_members(answers: Answers) -> None:
    """Give it to whoever has the session's cookie."""
    member = "session=member" in answers.headers.get("Cookie", "")
    attach(answers, CONTENT if member else b"who are you?", 200 if member else 403)


def once(answers: Answers) -> None:
    """Give it to the first that asks; a link like those that expire at once."""
    asked = [path for path, _ in answers.server.seen].count(answers.path)
    attach(answers, CONTENT, 200 if asked == 1 else 403)


def offer_downloads(site: PublicSite) -> None:
    """Put the page and its files onto the site."""
    site.server.files["/take/"] = ("text/html", PAGE.encode())
    site.server.special |= {
        "/take/members.zip": for_members,
        "/take/once.zip": once,
        "/take/other.zip": lambda answers: attach(answers, CONTENT),
        "/take/small.zip": lambda answers: attach(answers, SMALL),
        "/take/form.zip": lambda answers: attach(answers, CONTENT),
    }
