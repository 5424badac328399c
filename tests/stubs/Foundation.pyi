from typing import Any

NSData: Any
NSObject: Any
