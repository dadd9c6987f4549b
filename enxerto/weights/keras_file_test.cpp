#include "enxerto/weights/hdf5.h"
#include <gtest/gtest.h>
