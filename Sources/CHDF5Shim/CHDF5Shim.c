// The shim is header-only; this file makes it a target and compiles it once on its own.
#include "CHDF5Shim.h"
