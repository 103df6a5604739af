// Clocks: wall time for people and rows, steady time for durations and deadlines.

#pragma once
#include <stdint.h>

int64_t clock_now(void);       // unix seconds
int64_t clock_now_ms(void);    // unix milliseconds
int64_t clock_steady_ms(void); // milliseconds, never steps back
