// Making the root account through the one-time link.

#include "controller/setup.h"

#include "service/setup.h"

struct setup_request {
    const char *token, *username, *password;
};

const struct field setup_request_fields[] = {
    FIELD(struct setup_request, token, .flags = REQUIRED, .max = 128),
    FIELD(struct setup_request, username, .flags = REQUIRED, .max = 256),
    FIELD(struct setup_request, password, .flags = REQUIRED, .max = 1024),
    {0},
};

struct err *api_setup_finish(struct http *x)
{
    struct setup_request in = {0};
    struct user root;
    TRY(http_body(x, setup_request_fields, &in));
    TRY(setup_by_link(x->db, x->arena, in.token, in.username, in.password, &root));
    return http_reply(x, &user_table, &root);
}
