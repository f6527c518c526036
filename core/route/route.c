#include "core/route/route.h"
