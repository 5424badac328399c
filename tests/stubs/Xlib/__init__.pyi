from Xlib import X as X
