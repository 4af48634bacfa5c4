// Draws from LogUniformView on a device.
#include "cc/cuda/samplers/launchers.cu.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(LogUniformView);

}  // namespace candsamp
