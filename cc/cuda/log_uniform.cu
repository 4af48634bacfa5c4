// Draws from LogUniformSource on a device.
#include "cc/cuda/samplers.cu.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(LogUniformSource);

}  // namespace candsamp
