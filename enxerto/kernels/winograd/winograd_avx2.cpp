#define ENXERTO_ISA avx2
#define ENXERTO_LANES 8
#define ENXERTO_ROWS 6
#include "enxerto/kernels/winograd/winograd.inl"
