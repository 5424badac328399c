"""A browser that only keeps a copy of the page it was given, which is gone a moment later.

note_page.py FOLDER file:///Z:/…
"""

import shutil
import sys
from urllib.parse import urlsplit
from urllib.request import url2pathname

shutil.copy(url2pathname(urlsplit(sys.argv[2]).path), sys.argv[1])
