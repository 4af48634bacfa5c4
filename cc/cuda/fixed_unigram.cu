// Draws from FixedUnigramSource on a device.
#include "cc/cuda/samplers.cu.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(FixedUnigramSource);

}  // namespace candsamp
