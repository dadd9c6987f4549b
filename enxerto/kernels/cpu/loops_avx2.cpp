#define ENXERTO_ISA avx2
#define ENXERTO_ISA_NAME "avx2"
#include "enxerto/kernels/cpu/loops.inl"
