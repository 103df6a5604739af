// Throw-away folders.

#pragma once

void folder_make(char path[64]);
void folder_clear(const char *path);  // removes the files in it, and those of its folders
void folder_remove(const char *path); // and itself
