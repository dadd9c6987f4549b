#define ENXERTO_ISA avx512
#define ENXERTO_LANES 16
#define ENXERTO_ROWS 12
#include "enxerto/kernels/winograd/winograd.inl"
