#define ENXERTO_ISA avx512
#define ENXERTO_ISA_NAME "avx512"
#include "enxerto/kernels/cpu/loops.inl"
