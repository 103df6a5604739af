// The console: files that are part of the program, answered on the loop from memory.

#pragma once
#include "common/http/server.h"

// Answers GET and HEAD of the console's files, and of its pages, which are all the same file: a
// browser that asks for a path that is no file and not the API's gets it. False: not ours, and
// nothing was answered.
bool web_serve(struct exchange *x);
