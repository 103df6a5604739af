// How a broken promise ends the run.

#include "input.h"

#include <stdio.h>
#include <stdlib.h>

void input_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}
