// Is he allowed to? Roles are ordered.

#include "middleware/guards.h"

struct err *guard_role(struct http *x)
{
    if (x->user->role >= x->role)
        return NULL;
    return err_new(x->arena, &err_role_required, "role %d, not %d", x->role, x->user->role);
}
