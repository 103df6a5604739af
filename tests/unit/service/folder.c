// Making folders under /tmp and taking them away again.

#include "unit/service/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_make(char path[64])
{
    snprintf(path, 64, "/tmp/tf-test-XXXXXX");
    if (!mkdtemp(path))
        abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    return where->level == 0 ? 0 : remove(path);
}

void folder_clear(const char *path)
{
    if (strncmp(path, "/tmp/tf-test-", 13) != 0 ||
        nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
        abort();
}

void folder_remove(const char *path)
{
    folder_clear(path);
    rmdir(path);
}
