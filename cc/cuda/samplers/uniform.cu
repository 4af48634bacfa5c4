// Draws from UniformView on a device.
#include "cc/cuda/samplers/launchers.cu.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(UniformView);

}  // namespace candsamp
