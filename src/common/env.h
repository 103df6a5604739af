// What the operator says through the environment, or a .env file in the working folder.

#pragma once
#include "common/err.h"

struct arena;

// Reads KEY=value lines into the environment; what is set already wins. No file is fine.
struct err *env_load(struct arena *a, const char *path);

const char *env_text(const char *name, const char *fallback); // empty counts as absent
