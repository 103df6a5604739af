// The prices we start with (prices.def), as the ratio maps that operators edit.

#pragma once
#include "setting/setting.h"

// Sets the maps of the group; the texts are made once and live as long as the process.
void prices_default(struct settings *s);
