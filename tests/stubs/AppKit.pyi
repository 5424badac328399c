from typing import Any

NSApplicationActivationPolicyAccessory: int
NSImage: Any
