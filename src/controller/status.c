// What the console must know before anybody has logged in. Nothing here is secret.

#include "controller/status.h"

#include "service/pricing.h"
#include "service/setup.h"

struct err *api_status_show(struct http *x)
{
    struct settings s;
    bool done = false;
    TRY(http_settings(x, &s));
    TRY(setup_is_done(x->db, x->arena, &done));
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_str(&j, "system_name", s.site.system_name);
    json_str(&j, "version", TF_VERSION);
    json_int(&j, "quota_per_unit", QUOTA_PER_USD);
    json_bool(&j, "setup", done);
    json_str(&j, "logo", s.site.logo);
    json_str(&j, "footer", s.site.footer);
    json_str(&j, "notice", s.site.notice);
    json_str(&j, "server_address", s.site.server_address);
    json_bool(&j, "register_enabled", s.user.register_enabled);
    json_bool(&j, "password_login_enabled", s.user.password_login_enabled);
    json_bool(&j, "self_use_mode_enabled", s.ratio.self_use_mode);
    return http_done(x, &j);
}
