NONE: int
CurrentTime: int
CopyFromParent: int
SelectionNotify: int
ButtonPressMask: int
ExposureMask: int
StructureNotifyMask: int
