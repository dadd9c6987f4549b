#define ENXERTO_ISA avx512
#define ENXERTO_ISA_NAME "avx512"
#define ENXERTO_LANES 16
#include "enxerto/kernels/rows/rows.inl"
