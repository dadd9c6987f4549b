#define ENXERTO_ISA generic
#define ENXERTO_ISA_NAME "generic"
#define ENXERTO_LANES 4
#include "enxerto/kernels/rows/rows.inl"
