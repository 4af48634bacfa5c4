// Draws from UniformSource on a device.
#include "cc/cuda/samplers.cuh"

namespace candsamp {

CANDSAMP_INSTANTIATE(UniformSource);

}  // namespace candsamp
