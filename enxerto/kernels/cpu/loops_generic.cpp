#define ENXERTO_ISA generic
#define ENXERTO_ISA_NAME "generic"
#include "enxerto/kernels/cpu/loops.inl"
