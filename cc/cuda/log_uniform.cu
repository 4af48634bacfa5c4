// Draws from LogUniformSource on a device.
#include "cc/cuda/samplers.cuh"

namespace candsamp {

CANDSAMP_INSTANTIATE(LogUniformSource);

}  // namespace candsamp
