// Draws from UniformSource on a device.
#include "cc/cuda/samplers.cu.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(UniformSource);

}  // namespace candsamp
