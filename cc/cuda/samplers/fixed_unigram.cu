// Draws from FixedUnigramView on a device.
#include "cc/cuda/samplers/launchers.cu.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(FixedUnigramView);

}  // namespace candsamp
