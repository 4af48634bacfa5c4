// Draws from FixedUnigramSource on a device.
#include "cc/cuda/samplers.cuh"

namespace candsamp {

CANDSAMP_INSTANTIATE(FixedUnigramSource);

}  // namespace candsamp
