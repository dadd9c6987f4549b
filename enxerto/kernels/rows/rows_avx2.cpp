#define ENXERTO_ISA avx2
#define ENXERTO_ISA_NAME "avx2"
#define ENXERTO_LANES 8
#include "enxerto/kernels/rows/rows.inl"
